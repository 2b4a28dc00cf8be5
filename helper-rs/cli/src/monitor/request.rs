//! What clients of the monitor's socket say: requests, one JSON line each, and the frames of an attached client.

use serde::Deserialize;
use serde_json::Value;

/// docs/contract.md, "Monitor".
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Request {
    Attach {
        #[serde(default)]
        stdin: bool,
    },
    Exec(Box<Exec>),
    Kill {
        signal: i32,
    },
    Stop {
        signal: Option<i32>,
        timeout: Option<u64>,
        /// Not removed in spite of `--rm`.
        #[serde(default)]
        keep: bool,
    },
    Wait,
    Pause,
    Resume,
    Resize {
        rows: u16,
        cols: u16,
    },
    Health,
    Reload,
    Reopen,
    Network(Box<NetworkChange>),
}

/// One network more or less.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NetworkChange {
    pub attach: Option<Value>,
    pub resolvers: Option<Vec<String>>,
    pub detach: Option<String>,
    /// What serves the way out from now on; no words: there is none.
    pub companion: Option<Vec<String>>,
}

/// One more program in the container.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Exec {
    /// Of the standard's process; what it leaves out is the container's.
    pub process: Value,
    pub user: Option<String>,
    pub groups: Vec<String>,
    pub privileged: bool,
    pub detach: bool,
}

/// Longest request, and longest of an `exec`, whose environment may be large.
pub const MOST: usize = 64 << 10;
pub const MOST_EXEC: usize = 1 << 20;

/// What stands at the beginning of a client's bytes.
#[derive(Debug, PartialEq)]
pub enum Parsed<T> {
    /// And how many bytes it took.
    Whole(T, usize),
    /// Its end has not come yet.
    Part,
    /// Nothing that follows could be understood.
    Wrong(&'static str),
}

/// The next request.
pub fn parse(bytes: &[u8]) -> Parsed<Result<Request, String>> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        let most = if may_be_exec(bytes) { MOST_EXEC } else { MOST };
        return if bytes.len() > most { Parsed::Wrong("the request is too long") } else { Parsed::Part };
    };
    let line = &bytes[..end];
    if line.len() > MOST_EXEC || line.len() > MOST && !may_be_exec(line) {
        return Parsed::Wrong("the request is too long");
    }
    Parsed::Whole(serde_json::from_slice(line).map_err(|error| error.to_string()), end + 1)
}

/// Only an `exec` has a reason to be long.
fn may_be_exec(line: &[u8]) -> bool {
    line[..line.len().min(MOST)].windows(6).any(|window| window == b"\"exec\"")
}

/// From an attached client.
#[derive(Debug, PartialEq)]
pub enum Frame<'a> {
    Input(&'a [u8]),
    Resize { rows: u16, cols: u16 },
    EndOfInput,
}

/// To an attached client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Stdout = 1,
    Stderr = 2,
    End = 3,
}

pub const HEADER: usize = 8;
/// A client's frame has at most this payload.
pub const MOST_FRAME: usize = 64 << 10;

pub fn header(kind: Kind, length: usize) -> [u8; HEADER] {
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [kind as u8, 0, 0, 0, length[0], length[1], length[2], length[3]]
}

#[derive(Deserialize)]
struct Size {
    rows: u16,
    cols: u16,
}

/// The next frame of an attached client.
pub fn frame(bytes: &[u8]) -> Parsed<Frame<'_>> {
    let Some((head, rest)) = bytes.split_at_checked(HEADER) else { return Parsed::Part };
    let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
    if head[1..4] != [0, 0, 0] || length > MOST_FRAME {
        return Parsed::Wrong("not a frame");
    }
    let Some(payload) = rest.get(..length) else { return Parsed::Part };
    let whole = HEADER + length;
    match head[0] {
        0 => Parsed::Whole(Frame::Input(payload), whole),
        4 => match serde_json::from_slice::<Size>(payload) {
            Ok(size) => Parsed::Whole(Frame::Resize { rows: size.rows, cols: size.cols }, whole),
            Err(_) => Parsed::Wrong("not a size"),
        },
        5 => Parsed::Whole(Frame::EndOfInput, whole),
        _ => Parsed::Wrong("not a frame"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Result<Request, String> {
        match parse(format!("{line}\n").as_bytes()) {
            Parsed::Whole(request, used) => {
                assert_eq!(used, line.len() + 1);
                request
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_operation_is_understood() {
        assert_eq!(request(r#"{"op":"attach","stdin":true}"#), Ok(Request::Attach { stdin: true }));
        assert_eq!(request(r#"{"op":"attach"}"#), Ok(Request::Attach { stdin: false }));
        assert_eq!(request(r#"{"op":"kill","signal":9}"#), Ok(Request::Kill { signal: 9 }));
        assert_eq!(request(r#"{"op":"stop"}"#), Ok(Request::Stop { signal: None, timeout: None, keep: false }));
        assert_eq!(
            request(r#"{"op":"stop","timeout":5,"signal":2,"keep":true}"#),
            Ok(Request::Stop { signal: Some(2), timeout: Some(5), keep: true })
        );
        assert_eq!(request(r#"{"op":"resize","rows":1,"cols":2}"#), Ok(Request::Resize { rows: 1, cols: 2 }));
        for (name, wanted) in [
            ("wait", Request::Wait),
            ("pause", Request::Pause),
            ("resume", Request::Resume),
            ("health", Request::Health),
            ("reload", Request::Reload),
            ("reopen", Request::Reopen),
        ] {
            assert_eq!(request(&format!(r#"{{"op":"{name}"}}"#)), Ok(wanted));
        }
        let Ok(Request::Exec(exec)) = request(r#"{"op":"exec","process":{"args":["a"]},"detach":true}"#) else {
            panic!()
        };
        assert!(exec.detach && !exec.privileged && exec.process["args"][0] == "a");
    }

    #[test]
    fn anything_else_is_an_error_that_takes_its_line() {
        for line in [
            "",
            "{",
            "[]",
            "null",
            "\u{0}",
            r#"{"op":"fly"}"#,
            r#"{"op":"kill"}"#,
            r#"{"op":"kill","signal":"9"}"#,
            r#"{"op":"resize","rows":-1,"cols":70000}"#,
        ] {
            assert!(request(line).is_err(), "{line}");
        }
    }

    #[test]
    fn only_exec_may_be_long() {
        let padding = "x".repeat(MOST);
        assert_eq!(
            parse(format!(r#"{{"op":"wait","a":"{padding}"#).as_bytes()),
            Parsed::Wrong("the request is too long")
        );
        assert_eq!(
            parse(format!("{{\"op\":\"wait\",\"a\":\"{padding}\"}}\n").as_bytes()),
            Parsed::Wrong("the request is too long")
        );
        let exec = format!(r#"{{"op":"exec","process":{{"args":["{padding}"]}}}}"#);
        assert_eq!(parse(exec.as_bytes()), Parsed::Part);
        assert!(request(&exec).is_ok());
        let endless = format!(r#"{{"op":"exec","x":"{}"#, "x".repeat(MOST_EXEC));
        assert_eq!(parse(endless.as_bytes()), Parsed::Wrong("the request is too long"));
    }

    #[test]
    fn frames_are_read_whole() {
        let bytes = [0, 0, 0, 0, 0, 0, 0, 2, b'h', b'i', 5];
        for cut in 0..10 {
            assert_eq!(frame(&bytes[..cut]), Parsed::Part);
        }
        assert_eq!(frame(&bytes), Parsed::Whole(Frame::Input(b"hi"), 10));
        let size = br#"{"rows":3,"cols":4}"#;
        let resize = [&[4, 0, 0, 0, 0, 0, 0, size.len() as u8][..], size].concat();
        assert_eq!(frame(&resize), Parsed::Whole(Frame::Resize { rows: 3, cols: 4 }, resize.len()));
        assert_eq!(frame(&[5, 0, 0, 0, 0, 0, 0, 0]), Parsed::Whole(Frame::EndOfInput, 8));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [
            [9, 0, 0, 0, 0, 0, 0, 0],
            [0, 1, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 1, 0, 1],
            [0, 0, 0, 0, 255, 255, 255, 255],
            [4, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(matches!(frame(&bytes), Parsed::Wrong(_)), "{bytes:?}");
        }
    }

    /// Any bytes: an answer, and never more used than there were.
    #[test]
    fn random_bytes_are_survived() {
        let mut seed = 7_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let alphabet = br#"{}[]":,\optsexecwaitkill019eE+-. "#;
        for length in 0..400 {
            let wild: Vec<u8> = (0..length).map(|_| next()).collect();
            let tame: Vec<u8> = (0..length).map(|_| alphabet[usize::from(next()) % alphabet.len()]).collect();
            for mut bytes in [wild, tame] {
                bytes.push(b'\n');
                if let Parsed::Whole(_, used) = parse(&bytes) {
                    assert!(used <= bytes.len());
                }
                if let Parsed::Whole(_, used) = frame(&bytes) {
                    assert!(used <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn a_header_says_kind_and_length() {
        assert_eq!(header(Kind::Stderr, 0x0102), [2, 0, 0, 0, 0, 0, 1, 2]);
    }
}
