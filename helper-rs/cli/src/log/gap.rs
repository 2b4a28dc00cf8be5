//! What a log lacks because it could not be written. The notice about it stands in the log where the gap is, also while the disk is
//! still full: the last records make room for it, and its numbers are written over in place.

use super::file::{size, write_all, Format};
use super::stamp::Stamp;
use super::tail::read_range;
use super::Stream;
use crate::failure::errno_name;
use rootless_records::record;
use rootless_records::Piece;
use rustix::fd::AsRawFd;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

pub struct Gap {
    errno: Errno,
    bytes: u64,
    lines: u64,
    /// When it began.
    stamp: Stamp,
    /// Where the notice stands.
    place: Option<u64>,
    /// Bytes of the notice, whatever its numbers.
    length: usize,
    next: Instant,
}

const PAUSE: Duration = Duration::from_secs(1);
/// There is room again if this fits.
const PROBE: usize = 32 << 10;
/// So far back records are given up for the notice.
const BACK: u64 = 128 << 10;

impl Gap {
    /// After a batch of which only so many bytes were written.
    pub fn begin(file: &File, format: &Format, batch: &[u8], written: usize, errno: Errno) -> Gap {
        let mut stamp = Stamp::default();
        stamp.now();
        let mut gap = Gap {
            errno,
            bytes: u64::MAX,
            lines: u64::MAX,
            stamp,
            place: None,
            length: 0,
            next: Instant::now() + PAUSE,
        };
        gap.length = gap.notice(format, false).len();
        (gap.bytes, gap.lines) = (0, 0);
        let end = size(file);
        let base = end.saturating_sub(written as u64);
        let from = end.saturating_sub(BACK);
        let mut block = Vec::new();
        let read = read_range(file, from, end, &mut block);
        let border =
            read.ok().and_then(|()| border_with_room(&block, gap.length, from == 0)).map(|at| from + at as u64);
        match border {
            Some(border) if border >= base => gap.add(&batch[(border - base) as usize..]),
            Some(border) => {
                gap.add(&block[(border - from) as usize..(base - from) as usize]);
                gap.add(batch);
            }
            // Nothing of it fits anywhere: counted, and told when there is room.
            None => {
                let whole = memchr::memrchr(b'\n', &batch[..written]).map_or(0, |at| at + 1);
                gap.add(&batch[whole..]);
                let _ = file.set_len(base + whole as u64);
            }
        }
        if let Some(place) = border {
            gap.place = Some(place);
            if gap.tell(file, format, false) {
                let _ = file.set_len(place + gap.length as u64);
            }
        }
        gap
    }

    pub fn count(&mut self, piece: Piece<'_>) {
        self.bytes += piece.text.len() as u64 + u64::from(piece.ends);
        self.lines += u64::from(piece.ends);
    }

    /// Records that will not be written.
    pub fn add(&mut self, records: &[u8]) {
        for line in records.split_inclusive(|byte| *byte == b'\n') {
            if let Some(record) = record::parse(line.strip_suffix(b"\n").unwrap_or(line)) {
                self.count(Piece { text: &record.text, ends: record.ends });
            }
        }
    }

    pub fn is_due(&self) -> bool {
        self.due().is_zero()
    }

    pub fn due(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    #[cfg(test)]
    pub fn hurry(&mut self) {
        self.next = Instant::now();
    }

    /// True if there is room again, and the notice has its last word.
    pub fn try_again(&mut self, file: &File, format: &Format) -> bool {
        self.next = Instant::now() + PAUSE;
        let end = size(file);
        // Without a newline it is no record: who reads now waits for the rest of it.
        let (_, errno) = write_all(file, &[b' '; PROBE]);
        let fits = errno.is_none();
        if file.set_len(end).is_err() {
            return false;
        }
        if fits && self.place.is_none() {
            self.place = Some(end);
        }
        let told = self.place.is_none() || self.tell(file, format, fits);
        fits && told
    }

    /// Writes the notice over what stands in its place.
    fn tell(&self, file: &File, format: &Format, over: bool) -> bool {
        let Some(place) = self.place else { return false };
        // A descriptor for appending writes at the end whatever offset it is given (pwrite(2), BUGS).
        let own = OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        own.is_ok_and(|own| own.write_all_at(&self.notice(format, over), place).is_ok())
    }

    /// One record, filled up with spaces to the length that it has with the largest numbers.
    fn notice(&self, format: &Format, over: bool) -> Vec<u8> {
        let (can, end) = if over { ("could not", "") } else { ("cannot", " so far") };
        let why = errno_name(self.errno.raw_os_error());
        let (bytes, lines) = (self.bytes, self.lines);
        let text =
            format!("rootless: the log {can} be written ({why}): {bytes} bytes in {lines} lines are missing{end}");
        let mut out = Vec::new();
        format.put(&mut out, Stream::Stderr, &self.stamp, Piece { text: text.as_bytes(), ends: true });
        let room = self.length.saturating_sub(out.len());
        let at = out.len() - if matches!(format, Format::Json(_)) { 2 } else { 1 };
        out.splice(at..at, std::iter::repeat_n(b' ', room));
        out
    }
}

/// The last border of records in a block after which so many bytes follow.
fn border_with_room(block: &[u8], room: usize, from_start: bool) -> Option<usize> {
    let upto = block.len().checked_sub(room)?;
    memchr::memrchr(b'\n', &block[..upto]).map(|at| at + 1).or(from_start.then_some(0))
}
