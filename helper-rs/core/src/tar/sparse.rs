//! Maps of sparse files, in the four ways that GNU tar has written them.

use super::{number, Fault, BLOCK};

/// A part of a file that has data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub offset: u64,
    pub length: u64,
}

/// Maps longer than this are refused: 4 MiB of memory.
pub const SEGMENT_LIMIT: usize = 1 << 18;

/// In order, not overlapping, inside the file, and as long together as what is stored.
pub fn check(map: &[Segment], stored: u64, size: u64) -> Result<(), Fault> {
    let mut end = 0u64;
    let mut total = 0u64;
    for segment in map {
        if segment.offset < end {
            return Err(Fault::Sparse);
        }
        end = segment.offset.checked_add(segment.length).ok_or(Fault::Sparse)?;
        total = total.checked_add(segment.length).ok_or(Fault::Sparse)?;
    }
    match end <= size && total == stored {
        true => Ok(()),
        false => Err(Fault::Sparse),
    }
}

/// The old GNU table in a header block (at 386, four rows) or in an extension block (at 0, 21 rows). True: another block follows.
pub fn old_table(block: &[u8; BLOCK], extension: bool, map: &mut Vec<Segment>) -> Result<bool, Fault> {
    let (start, rows, more) = if extension { (0, 21, 504) } else { (386, 4, 482) };
    for row in block[start..start + rows * 24].chunks_exact(24) {
        if row[0] == 0 || row[12] == 0 {
            break;
        }
        let field =
            |bytes: &[u8]| number::field(bytes).and_then(|value| u64::try_from(value).ok()).ok_or(Fault::Sparse);
        push(map, Segment { offset: field(&row[..12])?, length: field(&row[12..])? })?;
    }
    Ok(block[more] != 0)
}

/// The size of the whole file in an old GNU sparse header.
pub fn old_size(block: &[u8; BLOCK]) -> Result<u64, Fault> {
    number::field(&block[483..495]).and_then(|value| u64::try_from(value).ok()).ok_or(Fault::Sparse)
}

/// `offset,length,offset,length…` of pax sparse 0.1.
pub fn comma_map(text: &[u8]) -> Result<Vec<Segment>, Fault> {
    let mut map = Vec::new();
    if text.is_empty() {
        return Ok(map);
    }
    let mut numbers = text.split(|byte| *byte == b',').map(|digits| number::decimal(digits).ok_or(Fault::Sparse));
    while let Some(offset) = numbers.next() {
        let length = numbers.next().ok_or(Fault::Sparse)??;
        push(&mut map, Segment { offset: offset?, length })?;
    }
    Ok(map)
}

pub fn push(map: &mut Vec<Segment>, segment: Segment) -> Result<(), Fault> {
    if map.len() >= SEGMENT_LIMIT {
        return Err(Fault::Sparse);
    }
    map.push(segment);
    Ok(())
}

/// Reads the map of pax sparse 1.0, which stands before the data: decimals, one a line, first the number of segments.
#[derive(Default)]
pub struct LineMap {
    expected: Option<usize>,
    digits: Vec<u8>,
    offset: Option<u64>,
    pub map: Vec<Segment>,
}

impl LineMap {
    /// Takes one block; true when the map is complete (the rest of the block is padding).
    pub fn feed(&mut self, block: &[u8; BLOCK]) -> Result<bool, Fault> {
        for byte in block {
            if self.complete() {
                break;
            }
            match byte {
                b'\n' => self.line()?,
                // A u64 has at most 20 digits.
                _ if self.digits.len() < 20 => self.digits.push(*byte),
                _ => return Err(Fault::Sparse),
            }
        }
        Ok(self.complete())
    }

    fn complete(&self) -> bool {
        self.expected == Some(self.map.len())
    }

    fn line(&mut self) -> Result<(), Fault> {
        let value = number::decimal(&self.digits).ok_or(Fault::Sparse)?;
        self.digits.clear();
        match (self.expected, self.offset.take()) {
            (None, _) => match usize::try_from(value) {
                Ok(count) if count <= SEGMENT_LIMIT => self.expected = Some(count),
                _ => return Err(Fault::Sparse),
            },
            (Some(_), None) => self.offset = Some(value),
            (Some(_), Some(offset)) => push(&mut self.map, Segment { offset, length: value })?,
        }
        Ok(())
    }
}
