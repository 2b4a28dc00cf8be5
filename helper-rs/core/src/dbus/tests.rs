//! Against bytes that other implementations write, and against ends that lie.

use super::address::{sockets, Socket};
use super::*;
use crate::lower::scope::Value;

const HELLO: Call<'_> = Call {
    destination: Some("org.freedesktop.DBus"),
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "Hello",
};

#[test]
fn a_call_has_the_bytes_of_the_reference() {
    // What libdbus sends as its first message.
    let wanted: &[u8] = b"l\x01\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x6d\x00\x00\x00\
        \x01\x01o\x00\x15\x00\x00\x00/org/freedesktop/DBus\x00\x00\x00\
        \x02\x01s\x00\x14\x00\x00\x00org.freedesktop.DBus\x00\x00\x00\x00\
        \x03\x01s\x00\x05\x00\x00\x00Hello\x00\x00\x00\
        \x06\x01s\x00\x14\x00\x00\x00org.freedesktop.DBus\x00\x00\x00\x00";
    assert_eq!(call(1, &HELLO, &Body::default()), wanted);
}

/// A call reads like any message, so what is written can be read back.
fn reread(body: Body) -> Message {
    let bytes = call(7, &HELLO, &body);
    let (message, used) = message(&bytes).unwrap().unwrap();
    assert_eq!(used, bytes.len());
    message
}

#[test]
fn arguments_are_aligned() {
    let body = Body::default().text("a").truth(true).counts(&[1, 2]);
    let message = reread(body);
    assert_eq!(message.body, b"\x01\0\0\0a\0\0\0\x01\0\0\0\x08\0\0\0\x01\0\0\0\x02\0\0\0");
    assert_eq!((message.member.as_str(), message.kind), ("Hello", METHOD_CALL));
}

#[test]
fn properties_are_variants() {
    let all = [("A".to_string(), Value::Number(5)), ("B".to_string(), Value::Bytes(vec![9]))];
    let wanted = b"\x29\0\0\0\0\0\0\0\
        \x01\0\0\0A\0\x01t\0\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\
        \x01\0\0\0B\0\x02ay\0\0\0\x01\0\0\0\x09";
    let body = reread(Body::default().properties(&all)).body;
    assert_eq!(body.len(), wanted.len(), "{body:?}");
    assert_eq!(&body[4..], &wanted[4..]);
}

#[test]
fn a_part_of_a_message_is_waited_for() {
    let bytes = call(7, &HELLO, &Body::default().text("word"));
    for length in 0..bytes.len() {
        assert_eq!(message(&bytes[..length]), Ok(None), "{length}");
    }
}

#[test]
fn lies_about_lengths_are_found() {
    let bytes = call(7, &HELLO, &Body::default().text("word"));
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut wrong = bytes.clone();
            wrong[at] = value;
            let Ok(Some((found, _))) = message(&wrong) else { continue };
            let _ = found.reader().text();
        }
    }
    let mut long = bytes;
    long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(message(&long).is_err());
}

#[test]
fn the_other_byte_order_is_read() {
    let bytes = b"B\x02\x00\x01\x00\x00\x00\x08\x00\x00\x00\x05\x00\x00\x00\x08\x05\x01u\x00\x00\x00\x00\x07\x00\x00\x00\x03abc\x00";
    let (message, _) = message(bytes).unwrap().unwrap();
    assert_eq!(message.reply_to, Some(7));
    assert_eq!(message.reader().text(), Ok("abc".to_string()));
}

#[test]
fn addresses_are_unescaped_and_other_transports_passed_over() {
    let list = "tcp:host=x,port=1;unix:path=/run/a%20b/bus,guid=0;unix:abstract=/tmp/x;unix:path=%zz;nonsense";
    assert_eq!(sockets(list), [Socket::Path("/run/a b/bus".into()), Socket::Abstract(b"/tmp/x".to_vec())]);
}
