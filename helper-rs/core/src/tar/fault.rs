//! What can be wrong with an archive, and where.

use std::fmt;
use std::io;

/// A malformed archive (with the byte offset of the header, or of the end, that shows it), or a source that cannot be read.
#[derive(Debug)]
pub enum TarError {
    Malformed { offset: u64, fault: Fault },
    Read(io::Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Truncated,
    Checksum,
    /// The named header field is not a number, or out of range.
    Number(&'static str),
    /// A pax record is not `LENGTH KEY=VALUE\n`, or its value is not what its key asks for.
    Pax,
    /// An extension header is larger than [`super::HEADER_LIMIT`].
    HeaderTooLarge,
    Sparse,
    /// A type flag that nothing defines.
    Kind(u8),
    /// A block of zeros followed by something else: neither an end nor a header.
    LoneZeroBlock,
    EmptyName,
}

impl Fault {
    /// Stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Fault::Truncated => "truncated",
            Fault::Checksum => "checksum",
            Fault::Number(_) => "number",
            Fault::Pax => "pax",
            Fault::HeaderTooLarge => "header-too-large",
            Fault::Sparse => "sparse",
            Fault::Kind(_) => "type",
            Fault::LoneZeroBlock => "lone-zero-block",
            Fault::EmptyName => "empty-name",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Truncated => f.write_str("the archive ends in the middle of an entry"),
            Fault::Checksum => f.write_str("header checksum does not match"),
            Fault::Number(field) => write!(f, "header field {field} is not a number in range"),
            Fault::Pax => f.write_str("malformed pax header"),
            Fault::HeaderTooLarge => f.write_str("extension header larger than 1 MiB"),
            Fault::Sparse => f.write_str("malformed sparse map"),
            Fault::Kind(flag) => write!(f, "unknown entry type {:?}", char::from(*flag)),
            Fault::LoneZeroBlock => f.write_str("a zero block followed by data"),
            Fault::EmptyName => f.write_str("entry without a name"),
        }
    }
}

impl fmt::Display for TarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TarError::Malformed { offset, fault } => write!(f, "{fault} (at byte {offset} of the tar stream)"),
            TarError::Read(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for TarError {}

impl From<io::Error> for TarError {
    fn from(error: io::Error) -> Self {
        TarError::Read(error)
    }
}
