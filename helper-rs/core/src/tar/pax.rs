//! Pax extension headers (POSIX.1-2001, pax, "pax Extended Header"): records of `LENGTH KEY=VALUE\n`.

use super::sparse::{comma_map, push, Segment};
use super::{number, Fault, Time, HEADER_LIMIT};

/// What extension headers say of an entry. Absent: the header block holds.
#[derive(Debug, Clone, Default)]
pub struct Extended {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<Time>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: SparseKeys,
}

/// The `GNU.sparse.*` keys of all three pax versions.
#[derive(Debug, Clone, Default)]
pub struct SparseKeys {
    pub major: Option<u64>,
    pub minor: Option<u64>,
    pub name: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub map: Option<Vec<Segment>>,
    offset: Option<u64>,
}

impl Extended {
    /// Applies the records of one header on top of what is known. An empty value takes the key back.
    pub fn apply(&mut self, records: &[u8]) -> Result<(), Fault> {
        let mut rest = records;
        while !rest.is_empty() {
            let (key, value, next) = record(rest)?;
            self.set(key, value)?;
            rest = next;
        }
        let bytes: usize = self.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        match bytes as u64 <= HEADER_LIMIT {
            true => Ok(()),
            false => Err(Fault::HeaderTooLarge),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        match key {
            b"path" => self.path = name(value)?,
            b"linkpath" => self.link = name(value)?,
            b"size" => self.size = decimal(value)?,
            b"uid" => self.uid = decimal(value)?,
            b"gid" => self.gid = decimal(value)?,
            b"mtime" if value.is_empty() => self.mtime = None,
            b"mtime" => self.mtime = Some(number::time(value).ok_or(Fault::Pax)?),
            _ => {
                if let Some(attribute) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.set_xattr(attribute.to_vec(), value.to_vec())?;
                } else if let Some(attribute) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                    self.set_xattr(percent(attribute), base64(value).ok_or(Fault::Pax)?)?;
                } else if let Some(sparse) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.set(sparse, value)?;
                }
            }
        }
        Ok(())
    }

    /// SCHILY wins over LIBARCHIVE only by order: the last record of a name counts.
    fn set_xattr(&mut self, attribute: Vec<u8>, value: Vec<u8>) -> Result<(), Fault> {
        if attribute.is_empty() || attribute.contains(&0) {
            return Err(Fault::Pax);
        }
        self.xattrs.retain(|(known, _)| *known != attribute);
        // More than the kernel lists for one file (64 KiB of names); also keeps this search short.
        if self.xattrs.len() >= 4096 {
            return Err(Fault::HeaderTooLarge);
        }
        self.xattrs.push((attribute, value));
        Ok(())
    }
}

impl SparseKeys {
    pub fn present(&self) -> bool {
        self.map.is_some() || self.major.is_some()
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        match key {
            b"major" => self.major = decimal(value)?,
            b"minor" => self.minor = decimal(value)?,
            b"name" => self.name = name(value)?,
            b"size" | b"realsize" => self.size = decimal(value)?,
            b"map" => self.map = Some(comma_map(value)?),
            b"numblocks" => drop(self.map.get_or_insert_with(Vec::new)),
            b"offset" => self.offset = decimal(value)?,
            b"numbytes" => {
                let (Some(offset), Some(length)) = (self.offset.take(), decimal(value)?) else {
                    return Err(Fault::Sparse);
                };
                push(self.map.get_or_insert_with(Vec::new), Segment { offset, length })?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Key, value, and what follows the record.
type Record<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Splits the first record off.
fn record(bytes: &[u8]) -> Result<Record<'_>, Fault> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ').ok_or(Fault::Pax)?;
    let length = number::decimal(&bytes[..space]).and_then(|length| usize::try_from(length).ok()).ok_or(Fault::Pax)?;
    let (record, rest) = bytes.split_at_checked(length).ok_or(Fault::Pax)?;
    let body = record.get(space + 1..).and_then(|body| body.strip_suffix(b"\n")).ok_or(Fault::Pax)?;
    let equals = body.iter().position(|byte| *byte == b'=').ok_or(Fault::Pax)?;
    if equals == 0 {
        return Err(Fault::Pax);
    }
    Ok((&body[..equals], &body[equals + 1..], rest))
}

fn name(value: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    match value {
        b"" => Ok(None),
        _ if value.contains(&0) => Err(Fault::Pax),
        _ => Ok(Some(value.to_vec())),
    }
}

fn decimal(value: &[u8]) -> Result<Option<u64>, Fault> {
    match value {
        b"" => Ok(None),
        _ => number::decimal(value).map(Some).ok_or(Fault::Pax),
    }
}

/// libarchive writes names with `%XX` for bytes outside plain ASCII. A stray `%` stands for itself.
fn percent(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

/// Standard alphabet, padding optional (libarchive writes none).
pub fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    (held < 6).then_some(out)
}
