//! docker's json-file: one object a line, `{"log":"text\n","stream":"stdout","attrs":{…},"time":"…"}`, escaped as docker does it.

use crate::{Piece, Stream};

/// What stands between the text and the time, for both streams.
pub struct Middle([Vec<u8>; 2]);

impl Middle {
    /// `attributes`: an object of JSON, on one line.
    pub fn new(attributes: Option<&str>) -> Middle {
        let attrs = attributes.map_or(String::new(), |object| format!("\"attrs\":{object},"));
        let of = |stream: Stream| format!("\",\"stream\":\"{}\",{attrs}\"time\":\"", stream.name()).into_bytes();
        Middle([of(Stream::Stdout), of(Stream::Stderr)])
    }
}

/// Appends one record. `time`: RFC 3339 without its `Z`.
pub fn put(out: &mut Vec<u8>, middle: &Middle, stream: Stream, time: &[u8], piece: Piece<'_>) {
    out.extend_from_slice(b"{\"log\":\"");
    escape(out, piece.text);
    if piece.ends {
        out.extend_from_slice(b"\\n");
    }
    out.extend_from_slice(&middle.0[stream as usize]);
    out.extend_from_slice(time);
    out.extend_from_slice(b"Z\"}\n");
}

/// Go's encoding of a string: `<`, `>`, `&` and the two separators that JavaScript has not are escaped too; what is no UTF-8
/// becomes U+FFFD, one for each byte.
fn escape(out: &mut Vec<u8>, mut text: &[u8]) {
    while !text.is_empty() {
        let plain = plain_length(text);
        out.extend_from_slice(&text[..plain]);
        text = &text[plain..];
        let ascii = text.iter().position(|byte| !byte.is_ascii() || is_plain(*byte)).unwrap_or(text.len());
        escape_ascii(out, &text[..ascii]);
        text = &text[ascii..];
        let wide = text.iter().position(u8::is_ascii).unwrap_or(text.len());
        escape_wide(out, &text[..wide]);
        text = &text[wide..];
    }
}

/// A program that writes zeros has six bytes in its log for each: they are gathered, and copied together.
fn escape_ascii(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for group in bytes.chunks(16) {
        let mut room = [0; 16 * 6];
        let mut used = 0;
        for &byte in group {
            let (escape, length) = match byte {
                b'"' | b'\\' => ([b'\\', byte, 0, 0, 0, 0], 2),
                b'\n' => (*b"\\n\0\0\0\0", 2),
                b'\r' => (*b"\\r\0\0\0\0", 2),
                _ => {
                    let [high, low] = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                    ([b'\\', b'u', b'0', b'0', high, low], 6)
                }
            };
            room[used..used + 6].copy_from_slice(&escape);
            used += length;
        }
        out.extend_from_slice(&room[..used]);
    }
}

fn escape_wide(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(['\u{2028}', '\u{2029}']) {
            let last = rest.as_bytes()[at + 2];
            out.extend_from_slice(&rest.as_bytes()[..at]);
            out.extend_from_slice(if last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
            rest = &rest[at + 3..];
        }
        out.extend_from_slice(rest.as_bytes());
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

/// Bytes at the beginning that stand for themselves.
fn plain_length(text: &[u8]) -> usize {
    let mut at = 0;
    // Eight at a time: a byte of `special` has its high bit set where the text's byte needs a closer look.
    while let Some(word) = text.get(at..at + 8) {
        let special =
            special(u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + text[at..].iter().take_while(|byte| is_plain(**byte)).count()
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x80).contains(&byte) && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&')
}

/// The first high bit that is set is right; those after it may be wrong (a borrow runs upwards).
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let is = |byte: u8| zeros(word ^ (ONES * u64::from(byte)));
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    // `<` and `>` differ in one bit.
    let angle = zeros((word | (ONES * 2)) ^ (ONES * u64::from(b'>')));
    (word & HIGH) | control | is(b'"') | is(b'\\') | is(b'&') | angle
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &[u8] = b"2026-01-02T03:04:05.6";

    fn escaped(text: &[u8]) -> String {
        let mut out = Vec::new();
        escape(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_escaped_as_docker_does() {
        assert_eq!(escaped(b"plain text, long enough for words"), "plain text, long enough for words");
        assert_eq!(escaped(b"a\"b\\c<d>e&f"), "a\\\"b\\\\c\\u003cd\\u003ee\\u0026f");
        assert_eq!(escaped(b"\r\n\t\0\x1b[0m\x7f"), "\\r\\n\\u0009\\u0000\\u001b[0m\x7f");
        assert_eq!(escaped("é€𝄞\u{2028}\u{2029}x".as_bytes()), "é€𝄞\\u2028\\u2029x");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_one_by_one() {
        assert_eq!(escaped(b"a\xff\xfeb"), "a\\ufffd\\ufffdb");
        assert_eq!(escaped(b"\xe2\x82"), "\\ufffd\\ufffd");
        assert_eq!(escaped(b"\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");
    }

    /// Every byte at every place of a word.
    #[test]
    fn what_stands_for_itself_is_known_by_words_as_by_bytes() {
        for byte in 0..=255 {
            for at in 0..24 {
                for filler in *b"x=;~ " {
                    let mut text = [filler; 24];
                    text[at] = byte;
                    let wanted = text.iter().take_while(|byte| is_plain(**byte)).count();
                    assert_eq!(plain_length(&text), wanted, "{byte} at {at}");
                }
            }
        }
    }

    #[test]
    fn any_bytes_make_one_line_of_json() {
        let mut seed = 1_u32;
        for length in 0..300 {
            let text: Vec<u8> = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            let mut out = Vec::new();
            let piece = Piece { text: &text, ends: true };
            put(&mut out, &Middle::new(None), Stream::Stderr, TIME, piece);
            assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
            let record: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert!(record["log"].as_str().is_some_and(|log| log.ends_with('\n')));
            assert_eq!(record["stream"], "stderr");
        }
    }

    #[test]
    fn a_record_is_dockers() {
        let mut out = Vec::new();
        let middle = Middle::new(Some("{\"tag\":\"a/b\"}"));
        put(&mut out, &middle, Stream::Stdout, TIME, Piece { text: b"hi", ends: false });
        let wanted =
            "{\"log\":\"hi\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"a/b\"},\"time\":\"2026-01-02T03:04:05.6Z\"}\n";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
