//! The log format of Kubernetes' container runtime interface, podman's k8s-file: `TIME STREAM F|P TEXT`. Bytes stay as they are.

use crate::{Piece, Stream};

/// Appends one record. `time`: RFC 3339 with nine digits of a fraction.
pub fn put(out: &mut Vec<u8>, stream: Stream, time: &[u8], piece: Piece<'_>) {
    out.extend_from_slice(time);
    out.extend_from_slice(match (stream, piece.ends) {
        (Stream::Stdout, true) => b" stdout F ",
        (Stream::Stdout, false) => b" stdout P ",
        (Stream::Stderr, true) => b" stderr F ",
        (Stream::Stderr, false) => b" stderr P ",
    });
    out.extend_from_slice(piece.text);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_interfaces() {
        let mut out = Vec::new();
        let time = b"2026-01-02T03:04:05.600000000Z";
        put(&mut out, Stream::Stdout, time, Piece { text: b"a \xff", ends: true });
        put(&mut out, Stream::Stderr, time, Piece { text: b"b", ends: false });
        assert_eq!(out, [time, &b" stdout F a \xff\n"[..], time, b" stderr P b\n"].concat());
    }
}
