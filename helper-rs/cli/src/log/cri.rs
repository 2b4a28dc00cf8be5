//! The log format of Kubernetes' container runtime interface, podman's k8s-file: `TIME STREAM F|P TEXT`. Bytes stay as they are.

use super::lines::Piece;
use super::stamp::Stamp;
use super::Stream;

/// Appends one record.
pub fn put(out: &mut Vec<u8>, stream: Stream, stamp: &Stamp, piece: Piece<'_>) {
    out.extend_from_slice(stamp.full());
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
        let mut stamp = Stamp::default();
        stamp.now();
        put(&mut out, Stream::Stdout, &stamp, Piece { text: b"a \xff", ends: true });
        put(&mut out, Stream::Stderr, &stamp, Piece { text: b"b", ends: false });
        let time = stamp.full();
        assert_eq!(out, [time, b" stdout F a \xff\n", time, b" stderr P b\n"].concat());
    }
}
