//! Cuts a stream of bytes into the pieces that become records: lines, and of longer lines 16 KiB at a time, as docker does.

use crate::Piece;

/// docker's and the CRI's longest record.
const MOST: usize = 16 << 10;

/// The beginning of a line whose end has not come.
#[derive(Default)]
pub struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    pub fn feed<E>(&mut self, mut bytes: &[u8], emit: &mut impl FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.is_waiting() {
            let end = memchr::memchr(b'\n', bytes);
            let (first, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            self.pending.extend_from_slice(first);
            bytes = rest;
            if end.is_none() && self.pending.len() <= MOST {
                return Ok(());
            }
            let whole = std::mem::take(&mut self.pending);
            let result = self.cut(&whole, emit);
            // The memory is used again.
            let remainder = std::mem::replace(&mut self.pending, whole);
            self.pending.clear();
            self.pending.extend_from_slice(&remainder);
            result?;
        }
        self.cut(bytes, emit)
    }

    /// Emits all lines, and of the rest what is too long to keep.
    fn cut<E>(&mut self, bytes: &[u8], emit: &mut impl FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut start = 0;
        let mut result = Ok(());
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = long(&bytes[start..end], emit, &mut result);
            result = result.and(emit(Piece { text: line, ends: true }));
            start = end + 1;
        }
        let rest = long(&bytes[start..], emit, &mut result);
        self.pending.extend_from_slice(rest);
        result
    }

    /// No end will come, or not soon. Unless `all`, the first bytes of a character wait for the others.
    pub fn end<E>(&mut self, all: bool, emit: &mut impl FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        let most = if all { self.pending.len() } else { whole_characters(&self.pending) };
        if most == 0 {
            return Ok(());
        }
        let result = emit(Piece { text: &self.pending[..most], ends: false });
        self.pending.drain(..most);
        result
    }
}

/// Emits parts of a long line; answers what is left of it.
fn long<'a, E>(
    mut line: &'a [u8],
    emit: &mut impl FnMut(Piece<'_>) -> Result<(), E>,
    result: &mut Result<(), E>,
) -> &'a [u8] {
    while line.len() > MOST {
        let (part, rest) = line.split_at(whole_characters(&line[..MOST]));
        let emitted = emit(Piece { text: part, ends: false });
        *result = std::mem::replace(result, Ok(())).and(emitted);
        line = rest;
    }
    line
}

/// The length without a character that is cut at the end; all of it if it is not UTF-8 anyway.
fn whole_characters(bytes: &[u8]) -> usize {
    let lead = bytes.iter().rev().take(4).position(|byte| byte & 0xc0 != 0x80);
    let Some(back) = lead.map(|position| position + 1) else { return bytes.len() };
    let wants = match bytes[bytes.len() - back] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if wants > back && back < bytes.len() {
        bytes.len() - back
    } else {
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of these blocks; a `+` stands for a piece without its newline.
    fn pieces(blocks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        let mut emit = |piece: Piece<'_>| {
            all.push(format!("{}{}", String::from_utf8_lossy(piece.text), if piece.ends { "" } else { "+" }));
            Ok::<_, ()>(())
        };
        for block in blocks {
            lines.feed(block, &mut emit).unwrap();
        }
        lines.end(true, &mut emit).unwrap();
        all
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut_into_blocks() {
        let text = b"one\n\ntwo\nthree\r\nfour";
        let whole = pieces(&[text]);
        assert_eq!(whole, ["one", "", "two", "three\r", "four+"]);
        for first in 0..text.len() {
            for second in first..text.len() {
                assert_eq!(pieces(&[&text[..first], &text[first..second], &text[second..]]), whole);
            }
        }
    }

    #[test]
    fn long_lines_are_split_as_docker_does() {
        let line = [vec![b'x'; 2 * MOST + 5], vec![b'\n']].concat();
        let lengths = |blocks: &[&[u8]]| pieces(blocks).iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[&line]), [MOST + 1, MOST + 1, 5]);
        for size in [1, 7, 4096, MOST, MOST + 1, 40_000] {
            assert_eq!(lengths(&line.chunks(size).collect::<Vec<_>>()), [MOST + 1, MOST + 1, 5], "blocks of {size}");
        }
    }

    #[test]
    fn a_line_of_exactly_the_most_is_one_record() {
        let line = [vec![b'x'; MOST], vec![b'\n']].concat();
        assert_eq!(pieces(&[&line]).iter().map(String::len).collect::<Vec<_>>(), [MOST]);
    }

    #[test]
    fn characters_are_not_cut() {
        let line = [vec![b'x'; MOST - 1], "é€\n".as_bytes().to_vec()].concat();
        let all = pieces(&[&line]);
        assert_eq!(all.iter().map(String::len).collect::<Vec<_>>(), [MOST, 5]);
        assert_eq!(all[1], "é€");
    }

    #[test]
    fn a_prompt_waits_for_the_rest_of_its_character() {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        lines.feed(b"$ \xe2\x82", &mut |_| Err("a line has ended")).unwrap();
        let mut keep = |piece: Piece<'_>| {
            all.push(piece.text.to_vec());
            Ok::<_, ()>(())
        };
        lines.end(false, &mut keep).unwrap();
        assert!(lines.is_waiting());
        lines.feed(b"\xac\n", &mut keep).unwrap();
        assert_eq!(all, [b"$ ".to_vec(), "€".as_bytes().to_vec()]);
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        assert_eq!(whole_characters(&[0x80; 8]), 8);
        assert_eq!(whole_characters(&[0xff]), 1);
        assert_eq!(whole_characters(b""), 0);
    }
}
