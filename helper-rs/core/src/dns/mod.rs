//! Messages of the domain name system (RFC 1035, RFC 6891), as far as a server of containers' names needs them. Pure; hostile bytes
//! end in an error, never in a panic or a long loop.

pub mod name;
pub mod query;
pub mod reply;
#[cfg(test)]
pub mod tests;

pub use query::{Fault, Query};
pub use reply::{Answer, Rcode};

/// Types of records that are answered here; the rest is somebody else's.
pub const A: u16 = 1;
pub const PTR: u16 = 12;
pub const AAAA: u16 = 28;
pub const ANY: u16 = 255;
const OPT: u16 = 41;
const IN: u16 = 1;

pub const HEADER: usize = 12;
/// What every resolver takes by UDP, and the most that is sent without fragments (the flag day's number).
pub const LEAST_UDP: usize = 512;
pub const MOST_UDP: usize = 1232;
