//! Reads tar streams: bytes in, entries out. v7, ustar, GNU (long names, old sparse, base-256) and pax (global, local, sparse 0.0-1.0).
//! Writes ustar with pax.

mod entry;
mod fault;
mod header;
mod names;
mod number;
mod pax;
mod reader;
mod sparse;
#[cfg(test)]
mod tests;
mod write;

#[cfg(test)]
pub use tests::{sample, sign_again};

pub use entry::{Entry, Kind, Time};
pub use fault::{Fault, TarError};
pub use names::{clean, Escape};
pub(crate) use pax::base64;
pub use reader::Reader;
pub use sparse::Segment;
pub use write::{header, padding, stored, END};

/// Every header and the padding of every body is a multiple of this.
pub const BLOCK: usize = 512;

/// A pax header or a long name above this is refused (as Go's archive/tar does): what a header may cost in memory.
pub const HEADER_LIMIT: u64 = 1 << 20;
