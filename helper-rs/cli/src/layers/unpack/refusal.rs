//! Why an entry cannot be placed, and the words for it.

use super::{malformed, STEP};
use crate::failure::Failure;
use rootless_core::tar::{Entry, Escape, Kind, TarError};
use rustix::io::Errno;

pub enum Refusal {
    Kernel(Errno),
    /// The kernel refused to change the owner.
    Owner(Errno),
    /// An extended attribute could not be set. ENOSPC: the disk is full, or the file has no room for so many.
    Attribute(Errno, String),
    Words(&'static str),
    Stream(TarError),
}

pub type Placed<T> = std::result::Result<T, Refusal>;

impl Refusal {
    pub fn of(self, entry: &Entry) -> Failure {
        let failure = Failure::new(STEP).on(String::from_utf8_lossy(&entry.path));
        match self {
            Refusal::Kernel(errno) => Failure { message: explain(errno, entry), ..failure.errno(errno) },
            Refusal::Owner(errno) => {
                let words = match errno {
                    Errno::INVAL => "which is not in the id map",
                    _ => "which cannot be given",
                };
                let message = format!("it belongs to {}:{}, {words}", entry.uid, entry.gid);
                Failure { message: Some(message), ..failure.errno(errno) }
            }
            Refusal::Attribute(errno, name) => {
                Failure { message: Some(format!("extended attribute {name} cannot be set")), ..failure.errno(errno) }
            }
            Refusal::Words(words) => Failure { message: Some(words.into()), ..failure },
            Refusal::Stream(error) => Failure { target: failure.target, ..malformed(error) },
        }
    }
}

/// What an errno means here, where the kernel's word alone would mislead.
fn explain(errno: Errno, entry: &Entry) -> Option<String> {
    match (errno, entry.kind) {
        (Errno::NOENT | Errno::PERM | Errno::NOTDIR, Kind::Hardlink) => {
            Some(format!("hard link to {:?}, which is no file in this layer", String::from_utf8_lossy(&entry.link)))
        }
        (Errno::NOTDIR, _) => Some("something in its path is no folder".into()),
        (Errno::NOENT, _) => Some("a symbolic link in its path leads to nothing".into()),
        (Errno::NAMETOOLONG, _) => Some("its path is longer than 4095 bytes, or a name in it than 255".into()),
        _ => None,
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Refusal::Kernel(errno)
    }
}

impl From<TarError> for Refusal {
    fn from(error: TarError) -> Self {
        Refusal::Stream(error)
    }
}

impl From<Escape> for Refusal {
    fn from(_: Escape) -> Self {
        Refusal::Words("the name leads out of the layer")
    }
}
