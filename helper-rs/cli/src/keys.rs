//! The keys that leave a container's terminal without ending its program (docker's --detach-keys), found in a stream of bytes.

use crate::failure::{Failure, Step};

/// A sequence of bytes; empty: no keys leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

impl Default for DetachKeys {
    /// ctrl-p,ctrl-q.
    fn default() -> Self {
        DetachKeys(vec![0x10, 0x11])
    }
}

impl DetachKeys {
    /// docker's syntax: keys with commas between them, each one ASCII character or `ctrl-` and one of `a-z @ [ \ ] ^ _`.
    pub fn parse(text: &str) -> Step<DetachKeys> {
        if text.is_empty() {
            return Ok(DetachKeys(Vec::new()));
        }
        let wrong = |key: &str| Failure::because("args", "not a detach key").on(key);
        text.split(',').map(|key| byte_of(key).ok_or_else(|| wrong(key))).collect::<Step<_>>().map(DetachKeys)
    }
}

fn byte_of(key: &str) -> Option<u8> {
    match key.strip_prefix("ctrl-").map(str::as_bytes) {
        Some([letter @ (b'a'..=b'z' | b'A'..=b'Z')]) => Some(letter.to_ascii_lowercase() - b'a' + 1),
        Some([b'@']) => Some(0),
        Some([sign @ b'['..=b'_']) => Some(sign - b'[' + 27),
        Some(_) => None,
        None if key == "DEL" => Some(127),
        None => match key.as_bytes() {
            [byte] if byte.is_ascii() => Some(*byte),
            _ => None,
        },
    }
}

/// Finds the keys however the bytes are cut into reads.
#[derive(Debug, Default)]
pub struct Scanner {
    keys: DetachKeys,
    /// So many of them have come, and are held back.
    held: usize,
}

impl Scanner {
    pub fn new(keys: DetachKeys) -> Scanner {
        Scanner { keys, held: 0 }
    }

    /// Appends to `out` what belongs to the program; true once the keys are complete: the rest of the input is thrown away.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        let DetachKeys(keys) = &self.keys;
        if keys.is_empty() {
            out.extend_from_slice(input);
            return false;
        }
        for byte in input {
            // What is held may still begin the sequence further on: ctrl-p ctrl-p ctrl-q leaves.
            while self.held > 0 && keys[self.held] != *byte {
                let shorter = (0..self.held).rev().find(|len| keys[..*len] == keys[self.held - len..self.held]);
                let shorter = shorter.unwrap_or(0);
                out.extend_from_slice(&keys[..self.held - shorter]);
                self.held = shorter;
            }
            if keys[self.held] != *byte {
                out.push(*byte);
                continue;
            }
            self.held += 1;
            if self.held == keys.len() {
                self.held = 0;
                return true;
            }
        }
        false
    }

    /// What is held back when the input ends.
    pub fn rest(&mut self) -> Vec<u8> {
        self.keys.0[..std::mem::take(&mut self.held)].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(keys: &str, blocks: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut scanner = Scanner::new(DetachKeys::parse(keys).unwrap());
        let mut out = Vec::new();
        let found = blocks.iter().any(|block| scanner.feed(block, &mut out));
        (out, found)
    }

    #[test]
    fn words_become_bytes() {
        assert_eq!(DetachKeys::parse("ctrl-p,ctrl-q"), Ok(DetachKeys::default()));
        assert_eq!(
            DetachKeys::parse("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_"),
            Ok(DetachKeys(vec![0, 27, 28, 29, 30, 31]))
        );
        assert_eq!(DetachKeys::parse("a,B,~,DEL"), Ok(DetachKeys(vec![b'a', b'B', b'~', 127])));
        assert_eq!(DetachKeys::parse(""), Ok(DetachKeys(vec![])));
    }

    #[test]
    fn other_words_are_refused_by_name() {
        for (text, bad) in
            [("ctrl-1", "ctrl-1"), ("a,,b", ""), ("ctrl-", "ctrl-"), ("ab", "ab"), ("é", "é"), ("alt-x", "alt-x")]
        {
            assert_eq!(DetachKeys::parse(text).unwrap_err().target.as_deref(), Some(bad));
        }
    }

    #[test]
    fn keys_leave_in_one_read_and_in_two() {
        assert_eq!(fed("ctrl-p,ctrl-q", &[b"ab\x10\x11cd"]), (b"ab".to_vec(), true));
        assert_eq!(fed("ctrl-p,ctrl-q", &[b"ab\x10", b"\x11cd"]), (b"ab".to_vec(), true));
    }

    #[test]
    fn a_beginning_that_goes_on_otherwise_is_delivered() {
        assert_eq!(fed("ctrl-p,ctrl-q", &[b"\x10", b"x\x10"]), (b"\x10x".to_vec(), false));
        assert_eq!(fed("ctrl-p,ctrl-q", &[b"\x10\x10", b"\x11"]), (b"\x10".to_vec(), true));
        assert_eq!(fed("a,b,a,c", &[b"abab", b"ac"]), (b"ab".to_vec(), true));
    }

    #[test]
    fn what_is_held_at_the_end_of_input_is_not_lost() {
        let mut scanner = Scanner::new(DetachKeys::default());
        let mut out = Vec::new();
        assert!(!scanner.feed(b"x\x10", &mut out));
        out.extend(scanner.rest());
        assert_eq!(out, b"x\x10");
    }

    #[test]
    fn without_keys_everything_is_delivered() {
        assert_eq!(fed("", &[b"\x10\x11"]), (b"\x10\x11".to_vec(), false));
    }

    /// Against the plain definition: the first place where the sequence stands ends it.
    #[test]
    fn every_short_input_is_treated_by_the_definition() {
        for keys in ["a", "a,a", "a,b", "a,a,b", "a,b,a"] {
            let sequence: Vec<u8> = keys.bytes().filter(|byte| *byte != b',').collect();
            for code in 0..3usize.pow(6) {
                let input: Vec<u8> = (0..6).map(|at| b"abc"[code / 3usize.pow(at) % 3]).collect();
                let place = input.windows(sequence.len()).position(|window| window == sequence);
                for cut in 0..=6 {
                    let mut scanner = Scanner::new(DetachKeys::parse(keys).unwrap());
                    let mut out = Vec::new();
                    let found = scanner.feed(&input[..cut], &mut out) || scanner.feed(&input[cut..], &mut out);
                    out.extend(scanner.rest());
                    assert_eq!(
                        (out.as_slice(), found),
                        (&input[..place.unwrap_or(6)], place.is_some()),
                        "{keys} {input:?}"
                    );
                }
            }
        }
    }
}
