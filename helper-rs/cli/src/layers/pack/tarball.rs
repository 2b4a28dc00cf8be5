//! A visitor that writes what it is told as a tar: changes as the layer format has them (image-spec, layer.md).

use super::describe::{Described, Describer};
use super::walk::{At, Change, Visitor};
use super::{failure, Style, STEP};
use crate::failure::{During, Step};
use rootless_core::tar::{header, padding, stored, Entry, Kind, Segment, BLOCK, END};
use rustix::io::{pread, Errno, Result};
use std::ffi::{CStr, CString};
use std::io::Write;
use std::os::fd::OwnedFd;

const BUFFER: usize = 256 << 10;

pub struct Tarball<W> {
    out: W,
    describer: Describer,
    /// Before every name, with its slash.
    prefix: Vec<u8>,
    pub entries: u64,
    buffer: Vec<u8>,
}

impl<W: Write> Tarball<W> {
    pub fn new(out: W, style: Style, prefix: Vec<u8>) -> Tarball<W> {
        Tarball { out, describer: Describer::new(style), prefix, entries: 0, buffer: vec![0; BUFFER] }
    }

    /// Describes and writes one thing under a name of its own.
    pub fn add(&mut self, at: &At<'_>, name: Vec<u8>) -> Step<()> {
        match self.describer.describe(at, name).map_err(|errno| failure(at.path, errno))? {
            Some(described) => self.write(described),
            None => Ok(()),
        }
    }

    /// Writes the end mark and gives back what was written to.
    pub fn finish(mut self) -> Step<W> {
        self.put(&END)?;
        self.out.flush().during(STEP, "output")?;
        Ok(self.out)
    }

    /// What was written to, without an end mark.
    pub fn abandon(self) -> W {
        self.out
    }

    fn write(&mut self, Described { entry, file }: Described) -> Step<()> {
        self.entries += 1;
        self.put(&header(&entry))?;
        let size = stored(&entry);
        let Some(file) = file.filter(|_| size > 0) else { return Ok(()) };
        let whole = [Segment { offset: 0, length: entry.size }];
        for segment in entry.sparse.as_deref().unwrap_or(&whole) {
            self.copy(&file, segment).map_err(|errno| failure(&entry.path, errno))??;
        }
        self.put(&[0; BLOCK][..padding(size)])
    }

    /// Exactly the bytes that the header promised: a file that became shorter meanwhile is filled up with zeros.
    fn copy(&mut self, file: &OwnedFd, segment: &Segment) -> Result<Step<()>> {
        let (mut at, end) = (segment.offset, segment.offset + segment.length);
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(BUFFER).min(BUFFER);
            let got = match pread(file, &mut self.buffer[..want], at) {
                Ok(0) => {
                    self.buffer[..want].fill(0);
                    want
                }
                Err(Errno::INTR) => continue,
                result => result?,
            };
            if let Err(error) = self.out.write_all(&self.buffer[..got]) {
                return Ok(Err(error).during(STEP, "output"));
            }
            at += got as u64;
        }
        Ok(Ok(()))
    }

    fn mark(&mut self, path: Vec<u8>) -> Step<()> {
        self.write(Described { entry: Entry::bare(path, Kind::File, 0), file: None })
    }

    fn put(&mut self, bytes: &[u8]) -> Step<()> {
        self.out.write_all(bytes).during(STEP, "output")
    }
}

impl<W: Write> Visitor for Tarball<W> {
    type Item = Described;

    fn describe(&mut self, at: &At<'_>) -> Result<Option<Described>> {
        let name = [self.prefix.as_slice(), at.path].concat();
        self.describer.describe(at, name)
    }

    fn emit(&mut self, item: Described, _: Change) -> Step<()> {
        self.write(item)
    }

    fn gone(&mut self, path: &[u8]) -> Step<()> {
        let at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        self.mark([&path[..at], b".wh.", &path[at..]].concat())
    }

    fn covers(&mut self, path: &[u8], _: &[CString], outermost: bool) -> Step<()> {
        match outermost {
            true => self.mark([path, b"/.wh..wh..opq"].concat()),
            false => Ok(()),
        }
    }
}

/// The top of a tree itself, as something to add.
pub fn add_top<W: Write>(tar: &mut Tarball<W>, top: &OwnedFd, name: Vec<u8>) -> Step<()> {
    let stat = rustix::fs::fstat(top).map_err(|errno| failure(b"", errno))?;
    let here: &CStr = c".";
    tar.add(&At { folder: std::os::fd::AsFd::as_fd(top), name: here, path: b"", stat: &stat }, name)
}
