//! Which ids the entries of a layer have, as runs: what a map has to hold so that the layer can be unpacked.

use super::decode::decoder;
use rootless_core::tar::{Entry, Reader, TarError};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::collections::BTreeSet;
use std::io::{BufReader, Read};

/// More distinct ids than any image has that could be mapped; from there on all ids below the highest count as used.
const MOST: usize = 1 << 17;

#[derive(Debug, Clone, Default)]
pub struct Used {
    uid: Ids,
    gid: Ids,
    /// Neighbours in a layer mostly have the same owner.
    last: Option<(u32, u32)>,
}

impl Used {
    pub fn add(&mut self, uid: u32, gid: u32) {
        if self.last != Some((uid, gid)) {
            self.last = Some((uid, gid));
            self.uid.add(uid);
            self.gid.add(gid);
        }
    }

    /// Highest ids, mapped or not.
    #[cfg(target_os = "linux")]
    pub fn highest(&self) -> (u32, u32) {
        (self.uid.highest, self.gid.highest)
    }
}

#[derive(Debug, Clone, Default)]
struct Ids {
    seen: BTreeSet<u32>,
    highest: u32,
}

impl Ids {
    fn add(&mut self, id: u32) {
        self.highest = self.highest.max(id);
        if self.seen.len() <= MOST {
            self.seen.insert(id);
        }
    }

    /// `[first, size]` of each run, in order.
    fn runs(&self) -> Vec<[u32; 2]> {
        if self.seen.len() > MOST {
            return vec![[0, self.highest.saturating_add(1)]];
        }
        let mut runs: Vec<[u32; 2]> = Vec::new();
        for id in &self.seen {
            match runs.last_mut() {
                Some([first, size]) if *first + *size == *id => *size += 1,
                _ => runs.push([*id, 1]),
            }
        }
        runs
    }
}

impl Serialize for Used {
    /// `{"uid": [[FIRST, SIZE]…], "gid": …}`
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut whole = serializer.serialize_struct("Used", 2)?;
        whole.serialize_field("uid", &self.uid.runs())?;
        whole.serialize_field("gid", &self.gid.runs())?;
        whole.end()
    }
}

/// `layer ids`: of all entries; what the layer only hides has no owner that would be kept.
pub fn used(input: impl Read + Send) -> Result<Used, TarError> {
    let mut reader = Reader::new(BufReader::with_capacity(128 << 10, decoder(input)?));
    let mut used = Used::default();
    while let Some(entry) = reader.next_entry()? {
        if has_owner(&entry) {
            used.add(entry.uid, entry.gid);
        }
    }
    std::io::copy(&mut reader.into_inner(), &mut std::io::sink())?;
    Ok(used)
}

/// Whiteouts are made by whoever unpacks, and a hard link is what it leads to.
pub fn has_owner(entry: &Entry) -> bool {
    let name = entry.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    !name.starts_with(b".wh.") && entry.kind != rootless_core::tar::Kind::Hardlink
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(ids: &[u32]) -> serde_json::Value {
        let mut used = Used::default();
        for id in ids {
            used.add(*id, 0);
        }
        serde_json::to_value(&used).unwrap()["uid"].clone()
    }

    #[test]
    fn neighbours_are_one_run() {
        assert_eq!(runs(&[1000, 0, 2, 1, 2, 65534]), serde_json::json!([[0, 3], [1000, 1], [65534, 1]]));
        assert_eq!(runs(&[u32::MAX - 1]), serde_json::json!([[u32::MAX - 1, 1]]));
        assert_eq!(runs(&[]), serde_json::json!([]));
    }

    #[test]
    fn more_ids_than_can_be_counted_are_all_up_to_the_highest() {
        let many: Vec<u32> = (0..).step_by(2).take(MOST + 2).collect();
        assert_eq!(runs(&many), serde_json::json!([[0, 2 * (MOST as u32 + 1) + 1]]));
    }
}
