//! Messages of D-Bus, as bytes (dbus.freedesktop.org, "Message Protocol"): as much of it as talking to systemd takes. The socket is elsewhere.

pub mod address;
mod read;
mod write;

pub use read::{message, Message, Reader};
pub use write::{call, Body, Call};

/// Kinds of messages.
pub const METHOD_CALL: u8 = 1;
pub const METHOD_RETURN: u8 = 2;
pub const ERROR: u8 = 3;
pub const SIGNAL: u8 = 4;

/// Header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

const VERSION: u8 = 1;

fn padding(at: usize, alignment: usize) -> usize {
    at.next_multiple_of(alignment) - at
}

#[cfg(test)]
mod tests;
