//! The reader: headers folded into entries, bodies passed on without a copy.

use super::header::{self, Header};
use super::pax::Extended;
use super::sparse::{self, LineMap, Segment};
use super::{Entry, Fault, Kind, TarError, BLOCK, HEADER_LIMIT};
use std::io::BufRead;

/// Pulls entries out of a stream. Memory is bounded whatever the stream says.
pub struct Reader<R> {
    input: R,
    /// Bytes consumed.
    offset: u64,
    /// Stored bytes of the current entry that were not read yet, then its padding.
    left: u64,
    padding: u64,
    /// Where the stored bytes belong in the file.
    map: Vec<Segment>,
    globals: Extended,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    pub fn new(input: R) -> Self {
        Reader { input, offset: 0, left: 0, padding: 0, map: Vec::new(), globals: Extended::default(), ended: false }
    }

    /// Bytes consumed so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The source, positioned behind the end-of-archive blocks once `next_entry` gave `None`.
    pub fn into_inner(self) -> R {
        self.input
    }

    /// The next entry, skipping what is left of the one before. `None` at the end, which is two zero blocks or the end of the stream.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        self.skip(self.left)?;
        self.left = 0;
        self.skip_padding()?;
        if self.ended {
            return Ok(None);
        }
        let start = self.offset;
        let mut extended: Option<Extended> = None;
        let (mut long_path, mut long_link) = (None, None);
        loop {
            let at = self.offset;
            let Some(block) = self.header_block()? else {
                let dangling = extended.is_some() || long_path.is_some() || long_link.is_some();
                return if dangling { self.fail(at, Fault::Truncated) } else { Ok(None) };
            };
            let header = header::parse(&block).or_else(|fault| self.fail(at, fault))?;
            match header.flag {
                b'x' | b'X' => {
                    let records = self.special(at, header.size)?;
                    // Only the last local header counts, so that repeating them cannot pile up memory.
                    let mut local = self.globals.clone();
                    local.apply(&records).or_else(|fault| self.fail(at, fault))?;
                    extended = Some(local);
                }
                b'g' => {
                    let records = self.special(at, header.size)?;
                    let mut globals = std::mem::take(&mut self.globals);
                    globals.apply(&records).or_else(|fault| self.fail(at, fault))?;
                    globals.sparse = Default::default();
                    self.globals = globals;
                }
                b'L' => long_path = Some(self.long_name(at, header.size)?),
                b'K' => long_link = Some(self.long_name(at, header.size)?),
                // A volume label says nothing about files.
                b'V' => {
                    self.skip(header.size)?;
                    self.padding = pad(header.size);
                    self.skip_padding()?;
                }
                _ => {
                    let mut extended = extended.unwrap_or_else(|| self.globals.clone());
                    extended.path = extended.path.or(long_path);
                    extended.link = extended.link.or(long_link);
                    return self.entry(start, at, &block, header, extended).map(Some);
                }
            }
        }
    }

    /// Hands the body of the current entry to `sink`, as slices of the stream with their offset in the file.
    pub fn body<E: From<TarError>>(&mut self, mut sink: impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let map = std::mem::take(&mut self.map);
        for segment in map {
            let mut done = 0;
            while done < segment.length {
                let bytes = fill(&mut self.input, self.offset)?;
                let take = usize::try_from(segment.length - done).unwrap_or(usize::MAX).min(bytes.len());
                sink(segment.offset + done, &bytes[..take])?;
                self.input.consume(take);
                self.offset += take as u64;
                self.left -= take as u64;
                done += take as u64;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        start: u64,
        at: u64,
        block: &[u8; BLOCK],
        header: Header,
        extended: Extended,
    ) -> Result<Entry, TarError> {
        let id = |wide: Option<u64>, plain: i64, name| match wide.map_or(u32::try_from(plain), u32::try_from) {
            // The kernel reads the highest id as "leave it".
            Ok(id) if id != u32::MAX => Ok(id),
            _ => Err(TarError::Malformed { offset: at, fault: Fault::Number(name) }),
        };
        let mut path = extended.sparse.name.clone().or(extended.path).unwrap_or(header.path);
        let kind = kind(header.flag, &path).or_else(|fault| self.fail(at, fault))?;
        if path.is_empty() {
            return self.fail(at, Fault::EmptyName);
        }
        path.shrink_to_fit();
        let stored = extended.size.unwrap_or(header.size);
        if i64::try_from(stored).is_err() {
            return self.fail(at, Fault::Number("size"));
        }
        let mut entry = Entry {
            offset: start,
            path,
            link: extended.link.unwrap_or(header.link),
            kind,
            mode: header.mode,
            uid: id(extended.uid, header.uid, "uid")?,
            gid: id(extended.gid, header.gid, "gid")?,
            size: 0,
            mtime: extended.mtime.unwrap_or(header.mtime),
            major: header.major,
            minor: header.minor,
            xattrs: extended.xattrs,
            sparse: None,
        };
        if !matches!(kind, Kind::Hardlink | Kind::Symlink) {
            entry.link = Vec::new();
        }
        // Links, devices, fifos and folders have no body, whatever their size field says.
        let has_body = kind == Kind::File || header.flag == b'D';
        self.left = if has_body { stored } else { 0 };
        self.padding = pad(self.left);
        self.map.clear();
        if kind != Kind::File {
            return Ok(entry);
        }
        entry.size = stored;
        match (header.flag, extended.sparse.present()) {
            (b'S', _) => {
                let size = sparse::old_size(block).or_else(|fault| self.fail(at, fault))?;
                let map = self.old_sparse(at, block)?;
                self.sparse(at, &mut entry, size, map)?;
            }
            (_, true) => {
                let Some(size) = extended.sparse.size else { return self.fail(at, Fault::Sparse) };
                let map = match (extended.sparse.major.unwrap_or(0), extended.sparse.map) {
                    (0, Some(map)) => map,
                    (1, _) if extended.sparse.minor == Some(0) => self.line_map(at)?,
                    _ => return self.fail(at, Fault::Sparse),
                };
                self.sparse(at, &mut entry, size, map)?;
            }
            _ if stored > 0 => self.map.push(Segment { offset: 0, length: stored }),
            _ => {}
        }
        Ok(entry)
    }

    fn sparse(&mut self, at: u64, entry: &mut Entry, size: u64, map: Vec<Segment>) -> Result<(), TarError> {
        if i64::try_from(size).is_err() {
            return self.fail(at, Fault::Sparse);
        }
        sparse::check(&map, self.left, size).or_else(|fault| self.fail(at, fault))?;
        entry.size = size;
        self.map.clone_from(&map);
        entry.sparse = Some(map);
        Ok(())
    }

    fn old_sparse(&mut self, at: u64, block: &[u8; BLOCK]) -> Result<Vec<Segment>, TarError> {
        let mut map = Vec::new();
        let mut more = sparse::old_table(block, false, &mut map).or_else(|fault| self.fail(at, fault))?;
        while more {
            // An extension block stands outside the stored size.
            let block = self.block()?;
            more = sparse::old_table(&block, true, &mut map).or_else(|fault| self.fail(at, fault))?;
        }
        Ok(map)
    }

    fn line_map(&mut self, at: u64) -> Result<Vec<Segment>, TarError> {
        let mut lines = LineMap::default();
        loop {
            if self.left < BLOCK as u64 {
                return self.fail(at, Fault::Sparse);
            }
            let block = self.block()?;
            self.left -= BLOCK as u64;
            if lines.feed(&block).or_else(|fault| self.fail(at, fault))? {
                return Ok(lines.map);
            }
        }
    }

    /// The next block that is not an end mark, or `None` at the end.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let at = self.offset;
        if self.ended || self.input.fill_buf()?.is_empty() {
            self.ended = true;
            return Ok(None);
        }
        let block = self.block()?;
        if block != [0; BLOCK] {
            return Ok(Some(block));
        }
        // Some writers end with one zero block only; then nothing follows it.
        if !self.input.fill_buf()?.is_empty() && self.block()? != [0; BLOCK] {
            return self.fail(at, Fault::LoneZeroBlock);
        }
        self.ended = true;
        Ok(None)
    }

    fn block(&mut self) -> Result<[u8; BLOCK], TarError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let bytes = fill(&mut self.input, self.offset)?;
            let take = bytes.len().min(BLOCK - filled);
            block[filled..filled + take].copy_from_slice(&bytes[..take]);
            self.input.consume(take);
            self.offset += take as u64;
            filled += take;
        }
        Ok(block)
    }

    /// The body of an extension header.
    fn special(&mut self, at: u64, size: u64) -> Result<Vec<u8>, TarError> {
        if size > HEADER_LIMIT {
            return self.fail(at, Fault::HeaderTooLarge);
        }
        let mut body = Vec::new();
        while (body.len() as u64) < size {
            let bytes = fill(&mut self.input, self.offset)?;
            let take = bytes.len().min(size as usize - body.len());
            body.extend_from_slice(&bytes[..take]);
            self.input.consume(take);
            self.offset += take as u64;
        }
        self.padding = pad(size);
        self.skip_padding()?;
        Ok(body)
    }

    fn long_name(&mut self, at: u64, size: u64) -> Result<Vec<u8>, TarError> {
        let mut name = self.special(at, size)?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    fn skip_padding(&mut self) -> Result<(), TarError> {
        let padding = std::mem::take(&mut self.padding);
        self.skip(padding)
    }

    fn skip(&mut self, count: u64) -> Result<(), TarError> {
        let mut left = count;
        while left > 0 {
            let bytes = fill(&mut self.input, self.offset)?;
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            self.input.consume(take);
            self.offset += take as u64;
            left -= take as u64;
        }
        Ok(())
    }

    fn fail<T>(&self, offset: u64, fault: Fault) -> Result<T, TarError> {
        Err(TarError::Malformed { offset, fault })
    }
}

/// What is buffered; an end here is in the middle of something.
fn fill<R: BufRead>(input: &mut R, offset: u64) -> Result<&[u8], TarError> {
    let bytes = input.fill_buf()?;
    match bytes.is_empty() {
        true => Err(TarError::Malformed { offset, fault: Fault::Truncated }),
        false => Ok(bytes),
    }
}

fn pad(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

fn kind(flag: u8, path: &[u8]) -> Result<Kind, Fault> {
    Ok(match flag {
        // Before ustar a folder was a file whose name ends in a slash.
        0 if path.ends_with(b"/") => Kind::Folder,
        0 | b'0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::Hardlink,
        b'2' => Kind::Symlink,
        b'3' => Kind::CharDevice,
        b'4' => Kind::BlockDevice,
        b'5' | b'D' => Kind::Folder,
        b'6' => Kind::Fifo,
        _ => return Err(Fault::Kind(flag)),
    })
}
