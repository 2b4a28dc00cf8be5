//! A question, and what has to be known to answer it.

use super::{name, HEADER, IN, LEAST_UDP, OPT};

/// One question; all that a resolver sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub id: u16,
    pub recursion: bool,
    /// In lower case, without the last dot; the root is empty.
    pub name: String,
    pub kind: u16,
    pub class: u16,
    /// Where the question ends.
    pub end: usize,
    /// Bytes of an answer that the asker takes by UDP, if it says so (EDNS).
    pub udp: Option<usize>,
}

/// Why there is no query in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not worth an answer: too short, or an answer itself.
    Noise,
    /// The id of a query that breaks the format.
    Format(u16),
    /// The id of something else than a query: an update, a notification.
    Kind(u16),
}

impl Query {
    pub fn is_internet(&self) -> bool {
        self.class == IN
    }
}

/// Reads it.
pub fn parse(bytes: &[u8]) -> Result<Query, Fault> {
    let header: &[u8; HEADER] = bytes.first_chunk().ok_or(Fault::Noise)?;
    let id = word(header, 0).unwrap_or_default();
    let flags = word(header, 2).unwrap_or_default();
    if flags & 0x8000 != 0 {
        return Err(Fault::Noise);
    }
    if flags & 0x7800 != 0 {
        return Err(Fault::Kind(id));
    }
    whole(bytes, id, flags).ok_or(Fault::Format(id))
}

fn whole(bytes: &[u8], id: u16, flags: u16) -> Option<Query> {
    if word(bytes, 4)? != 1 {
        return None;
    }
    let (name, at) = name::read(bytes, HEADER)?;
    let (kind, class) = (word(bytes, at)?, word(bytes, at + 2)?);
    let others = usize::from(word(bytes, 6)?) + usize::from(word(bytes, 8)?) + usize::from(word(bytes, 10)?);
    let udp = extension(bytes, at + 4, others)?;
    Some(Query { id, recursion: flags & 0x0100 != 0, name, kind, class, end: at + 4, udp })
}

/// Walks over the other records (eleven bytes each at least, so the bytes bound the walk) to the one that EDNS adds.
fn extension(bytes: &[u8], mut at: usize, count: usize) -> Option<Option<usize>> {
    let mut found = None;
    for _ in 0..count {
        let after = name::skip(bytes, at)?;
        let (kind, class) = (word(bytes, after)?, word(bytes, after + 2)?);
        let length = usize::from(word(bytes, after + 8)?);
        if kind == OPT {
            // There is one at most, and its name is the root (RFC 6891, section 6.1.1).
            if found.is_some() || after != at + 1 {
                return None;
            }
            found = Some(usize::from(class).max(LEAST_UDP));
        }
        at = after + 10 + length;
        if at > bytes.len() {
            return None;
        }
    }
    Some(found)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]))
}
