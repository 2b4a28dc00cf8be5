//! From bytes that a program has written to the records of its log, and back. Every byte of every container passes here: the one part of the
//! runtime whose speed is that of its instructions.

pub mod cri;
pub mod json;
pub mod lines;
pub mod record;

/// Who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// A line, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Without the newline.
    pub text: &'a [u8],
    /// The newline came.
    pub ends: bool,
}
