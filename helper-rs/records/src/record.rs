//! Reads one record, whichever of the two formats it has: JSON begins with a brace, the other with a digit.

use crate::Stream;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// RFC 3339, as it stands there.
    pub time: &'a [u8],
    pub stream: Stream,
    pub text: Cow<'a, [u8]>,
    /// The text is the end of a line; without the newline.
    pub ends: bool,
    /// The JSON object of `attrs`.
    pub attributes: Option<&'a [u8]>,
}

/// `None`: not a record; a crash may have left one that is not whole.
pub fn parse(line: &[u8]) -> Option<Record<'_>> {
    match line.first()? {
        b'{' => parse_json(line),
        _ => parse_cri(line),
    }
}

fn parse_cri(line: &[u8]) -> Option<Record<'_>> {
    let space = memchr::memchr(b' ', line.get(..line.len().min(64))?)?;
    let (time, rest) = (&line[..space], &line[space + 1..]);
    let (kind, text) = (rest.get(..8)?, rest.get(9..).unwrap_or_default());
    if space < 20 || line[10] != b'T' || rest.get(8).is_some_and(|byte| *byte != b' ') {
        return None;
    }
    let (stream, ends) = match kind {
        b"stdout F" => (Stream::Stdout, true),
        b"stdout P" => (Stream::Stdout, false),
        b"stderr F" => (Stream::Stderr, true),
        b"stderr P" => (Stream::Stderr, false),
        _ => return None,
    };
    Some(Record { time, stream, text: Cow::Borrowed(text), ends, attributes: None })
}

/// The order of fields in which docker writes them; any other goes the long way.
fn parse_json(line: &[u8]) -> Option<Record<'_>> {
    written(line).or_else(|| foreign(line))
}

fn written(line: &[u8]) -> Option<Record<'_>> {
    let (text, rest) = string(line.strip_prefix(b"{\"log\":\"")?)?;
    let rest = rest.strip_prefix(b",\"stream\":\"std")?;
    let (stream, rest) = match rest.strip_prefix(b"out\",") {
        Some(rest) => (Stream::Stdout, rest),
        None => (Stream::Stderr, rest.strip_prefix(b"err\",")?),
    };
    let (attributes, rest) = match rest.strip_prefix(b"\"attrs\":") {
        None => (None, rest),
        Some(object) => {
            let end = memchr::memmem::rfind(object, b",\"time\":\"")?;
            (Some(&object[..end]), &object[end + 1..])
        }
    };
    let (time, rest) = string(rest.strip_prefix(b"\"time\":\"")?)?;
    let Cow::Borrowed(time) = time else { return None };
    (rest.trim_ascii() == b"}").then(|| record(time, stream, text, attributes))
}

fn record<'a>(time: &'a [u8], stream: Stream, text: Cow<'a, [u8]>, attributes: Option<&'a [u8]>) -> Record<'a> {
    let ends = text.last() == Some(&b'\n');
    let most = text.len() - usize::from(ends);
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..most]),
        Cow::Owned(mut text) => {
            text.truncate(most);
            Cow::Owned(text)
        }
    };
    Record { time, stream, text, ends, attributes }
}

/// A JSON string behind its first quote, and what follows its last.
fn string(bytes: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let first = memchr::memchr2(b'"', b'\\', bytes)?;
    if bytes[first] == b'"' {
        return Some((Cow::Borrowed(&bytes[..first]), &bytes[first + 1..]));
    }
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let at = memchr::memchr2(b'"', b'\\', rest)?;
        text.extend_from_slice(&rest[..at]);
        if rest[at] == b'"' {
            return Some((Cow::Owned(text), &rest[at + 1..]));
        }
        rest = unescape(&rest[at + 1..], &mut text)?;
    }
}

/// Behind a backslash; answers what follows the escape.
fn unescape<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    let byte = match rest.first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'u' => return unescape_unit(&rest[1..], text),
        byte @ (b'"' | b'\\' | b'/') => *byte,
        _ => return None,
    };
    text.push(byte);
    Some(&rest[1..])
}

fn unescape_unit<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    let unit = |at: &[u8]| u32::from_str_radix(std::str::from_utf8(at.get(..4)?).ok()?, 16).ok();
    let first = unit(rest)?;
    let mut rest = &rest[4..];
    let mut code = first;
    if (0xd800..0xdc00).contains(&first) {
        let low = rest.strip_prefix(b"\\u").and_then(unit).filter(|low| (0xdc00..0xe000).contains(low));
        if let Some(low) = low {
            code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            rest = &rest[6..];
        }
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(rest)
}

#[derive(Deserialize)]
struct Foreign<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    stream: &'a str,
    time: &'a str,
    #[serde(borrow, default)]
    attrs: Option<&'a serde_json::value::RawValue>,
}

fn foreign(line: &[u8]) -> Option<Record<'_>> {
    let Foreign { log, stream, time, attrs } = serde_json::from_slice(line).ok()?;
    let stream = match stream {
        "stdout" => Stream::Stdout,
        "stderr" => Stream::Stderr,
        _ => return None,
    };
    let text = match log {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    Some(record(time.as_bytes(), stream, text, attrs.map(|object| object.get().as_bytes())))
}

/// `attrs` as `--details` shows it.
pub fn details(attributes: Option<&[u8]>) -> String {
    let map: BTreeMap<String, String> =
        attributes.and_then(|object| serde_json::from_slice(object).ok()).unwrap_or_default();
    map.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
