//! Unpacks one layer into an empty folder, as root of the mapped user namespace: whiteouts in overlay form, diffID verified.

mod attributes;
mod feed;
mod files;
mod folders;
mod place;
mod refusal;
mod root;
mod tree;

use super::used::Used;
use crate::failure::{During, Failure, Step};
use crate::userns::{to_host, IdMap};
use feed::Feed;
use place::Placer;
use rootless_core::tar::{Entry, Reader, TarError};
use rustix::fs::{fchmod, fremovexattr, syncfs, Mode};
use rustix::process::{getegid, geteuid, umask};
use std::io::{BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};

const STEP: &str = "unpack";

/// How to unpack.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only one id is mapped: owners are written to `user.containers.override_stat`, not to the inode.
    pub single_id: bool,
    /// `sha256:…` that the plain tar stream must have.
    pub diff_id: Option<String>,
    /// Wait until the filesystem has everything on disk.
    pub sync: bool,
}

/// How entries are taken: as those of a layer, or as files that are copied to where others are already.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub single_id: bool,
    /// Files are copied: whiteouts are files like others, a folder is never replaced by something else, nor the reverse, and
    /// the folder that is copied to keeps its own attributes.
    pub copy: bool,
    /// But for the root, which looks as the archive has it.
    pub root: bool,
    /// Clean path below the root, in which every name of the archive begins.
    pub base: Vec<u8>,
    pub owner: Owner,
    /// No set-id bits.
    pub harmless: bool,
}

/// Who owns what is made.
#[derive(Debug, Clone, Default)]
pub enum Owner {
    #[default]
    AsArchived,
    One(u32, u32),
    /// The archive has a container's ids, and this machine has them so; who is not in the map is `One` of the caller's.
    ToHost(IdMap),
}

impl Owner {
    pub fn of(&self, entry: &Entry) -> (u32, u32) {
        match self {
            Owner::AsArchived => (entry.uid, entry.gid),
            Owner::One(uid, gid) => (*uid, *gid),
            Owner::ToHost(map) => (
                to_host(&map.uid, entry.uid).unwrap_or_else(|| geteuid().as_raw()),
                to_host(&map.gid, entry.gid).unwrap_or_else(|| getegid().as_raw()),
            ),
        }
    }
}

/// What was unpacked.
#[derive(Debug, Clone, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub diff_id: String,
    /// Bytes of file contents, holes not counted.
    pub size: u64,
    pub entries: u64,
    /// Of those that own something in the layer.
    pub ids: Used,
    /// The highest of them.
    pub max_uid: u32,
    pub max_gid: u32,
    /// Device nodes, which a user namespace cannot make: an empty file stands in for each.
    pub devices: u64,
    /// Extended attributes that could not be, or must not be, set.
    pub skipped_xattrs: u64,
}

/// Unpacks the layer that `from` reads into the empty folder `to`. After a failure `to` holds a part: the caller removes it.
pub fn unpack(from: impl Read + Send + 'static, to: OwnedFd, options: &Options) -> Step<Summary> {
    let before = umask(Mode::empty());
    let result = run(from, to, options);
    umask(before);
    result
}

fn run(from: impl Read + Send + 'static, to: OwnedFd, options: &Options) -> Step<Summary> {
    // What the folder took over from the one above must not change modes or groups below: umask, set-group-id, default ACL.
    fchmod(&to, Mode::from_raw_mode(0o755)).during(STEP, "/")?;
    let _ = fremovexattr(&to, "system.posix_acl_default");
    let filesystem = to.try_clone().during(STEP, "/")?;
    let mut reader = Reader::new(Feed::start(from).during(STEP, "thread")?);
    let mut placer = Placer::new(to, Policy { single_id: options.single_id, ..Policy::default() });
    while let Some(entry) = reader.next_entry().map_err(malformed)? {
        placer.place(&entry, &mut reader)?;
    }
    let mut summary = placer.finish()?;
    let digest = reader.into_inner().finish().map_err(|error| malformed(error.into()))?;
    summary.diff_id = format!("sha256:{}", digest);
    match &options.diff_id {
        Some(expected) if *expected != summary.diff_id => {
            let message = format!("diffID does not match: expected {expected}, the layer has {}", summary.diff_id);
            return Err(Failure::because(STEP, message));
        }
        _ => {}
    }
    if options.sync {
        syncfs(filesystem.as_fd()).during(STEP, "/")?;
    }
    Ok(summary)
}

/// Copies the entries of a plain tar stream to a folder in which there may be files already; answers the bytes of the stream too.
pub fn put(from: impl Read, root: OwnedFd, policy: Policy) -> Step<(Summary, u64)> {
    let before = umask(Mode::empty());
    let mut reader = Reader::new(BufReader::with_capacity(256 << 10, from));
    let mut placer = Placer::new(root, policy);
    let mut placed = || -> Step<()> {
        while let Some(entry) = reader.next_entry().map_err(malformed)? {
            placer.place(&entry, &mut reader)?;
        }
        Ok(())
    };
    let result = placed();
    umask(before);
    result?;
    let bytes = reader.offset();
    // Who writes the stream may end it with more zeros, and must not be killed by our leaving.
    let rest =
        std::io::copy(&mut reader.into_inner(), &mut std::io::sink()).map_err(|error| malformed(error.into()))?;
    Ok((placer.finish()?, bytes + rest))
}

/// A broken stream: the kernel's errno if reading failed, else what is wrong and where.
fn malformed(error: TarError) -> Failure {
    match error {
        TarError::Read(error) => match error.raw_os_error() {
            Some(errno) => Failure::because(STEP, "cannot read the layer").errno(errno),
            None => Failure::because(STEP, format!("cannot read the layer: {error}")),
        },
        malformed => Failure::because(STEP, malformed.to_string()),
    }
}
