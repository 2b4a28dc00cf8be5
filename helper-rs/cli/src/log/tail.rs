//! The end of a file of records: every record ends with a newline and has no other.

use rustix::io::Errno;
use std::fs::File;

const BLOCK: u64 = 64 << 10;

/// Where the last whole record before `end` ends; 0 if there is none.
pub fn last_border(file: &File, end: u64) -> Result<u64, Errno> {
    let mut upto = end;
    let mut block = Vec::new();
    while upto > 0 {
        let from = upto.saturating_sub(BLOCK);
        read_range(file, from, upto, &mut block)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            return Ok(from + at as u64 + 1);
        }
        upto = from;
    }
    Ok(0)
}

/// The bytes of `from..upto`, or those that are there.
pub fn read_range(file: &File, from: u64, upto: u64, block: &mut Vec<u8>) -> Result<(), Errno> {
    block.clear();
    block.resize((upto - from) as usize, 0);
    let mut have = 0;
    while have < block.len() {
        match rustix::io::pread(file, &mut block[have..], from + have as u64) {
            Ok(0) => break,
            Ok(count) => have += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    block.truncate(have);
    Ok(())
}
