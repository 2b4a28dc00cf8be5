//! Records become text again, each on the stream that it came from.

use super::{Stop, Wish};
use crate::clock;
use crate::failure::Failure;
use rootless_records::record::{self, Record};
use rustix::event::{poll, PollFd, PollFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::fstat;
use rustix::io::Errno;

pub struct Printer<'a> {
    wish: &'a Wish,
    to: [OwnedFd; 2],
    out: [Vec<u8>; 2],
    /// Both streams are one terminal or file: then their order counts.
    one: bool,
    at_start: [bool; 2],
}

const ENOUGH: usize = 128 << 10;

impl Printer<'_> {
    pub fn to(wish: &Wish, to: [OwnedFd; 2]) -> Printer<'_> {
        let place = |fd: &OwnedFd| fstat(fd).ok().map(|stat| (stat.st_dev, stat.st_ino));
        let one = place(&to[0]) == place(&to[1]);
        Printer { wish, to, out: Default::default(), one, at_start: [true; 2] }
    }

    /// Where standard output goes.
    pub fn output(&self) -> BorrowedFd<'_> {
        self.to[0].as_fd()
    }

    /// Whole lines of a file. What is no record is passed over.
    pub fn records(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if let Some(record) = record::parse(&bytes[..end]) {
                self.record(&record)?;
            }
            bytes = &bytes[end + 1..];
        }
        Ok(())
    }

    pub fn record(&mut self, record: &Record<'_>) -> Result<(), Stop> {
        let Wish { since, until, .. } = self.wish;
        if since.is_some() || until.is_some() {
            let Some(time) = clock::parse(record.time) else { return Ok(()) };
            if until.is_some_and(|until| time > until) {
                return Err(Stop::Until);
            }
            if since.is_some_and(|since| time < since) {
                return Ok(());
            }
        }
        let out = &mut self.out[if self.one { 0 } else { record.stream as usize }];
        if std::mem::replace(&mut self.at_start[record.stream as usize], record.ends) {
            begin(out, self.wish, record);
        }
        out.extend_from_slice(&record.text);
        if record.ends {
            out.push(b'\n');
        }
        if out.len() >= ENOUGH {
            return self.flush();
        }
        Ok(())
    }

    pub fn flush(&mut self) -> Result<(), Stop> {
        for (out, to) in self.out.iter_mut().zip(&self.to) {
            write_all(to.as_fd(), out)?;
            out.clear();
        }
        Ok(())
    }
}

/// docker's order: time, details, text.
fn begin(out: &mut Vec<u8>, wish: &Wish, record: &Record<'_>) {
    out.extend_from_slice(wish.prefix.as_bytes());
    if wish.timestamps {
        full_time(out, record.time);
        out.push(b' ');
    }
    if wish.details {
        out.extend_from_slice(record::details(record.attributes).as_bytes());
        out.push(b' ');
    }
}

/// Nine digits of a fraction, so that columns stand below each other.
fn full_time(out: &mut Vec<u8>, time: &[u8]) {
    let plain = time.get(19..).is_some_and(|rest| rest.last() == Some(&b'Z'));
    if !plain || time.len() > clock::LENGTH {
        return out.extend_from_slice(time);
    }
    out.extend_from_slice(&time[..time.len() - 1]);
    if time.len() == 20 {
        out.push(b'.');
    }
    let digits = time.len().saturating_sub(21);
    out.extend(std::iter::repeat_n(b'0', 9 - digits));
    out.push(b'Z');
}

/// The caller's streams may not block, if whoever else has them wants it so.
fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Stop> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None)),
            Err(Errno::PIPE) => return Err(Stop::Closed),
            Err(errno) => return Err(Failure::new("log").errno(errno).on("output").into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nine_digits() {
        for (time, wanted) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000000Z"),
            ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.500000000Z"),
            ("2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.123456789Z"),
            ("2026-01-01T00:00:00.5+02:00", "2026-01-01T00:00:00.5+02:00"),
            ("x", "x"),
        ] {
            let mut out = Vec::new();
            full_time(&mut out, time.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), wanted);
        }
    }
}
