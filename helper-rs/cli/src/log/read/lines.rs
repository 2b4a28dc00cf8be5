//! Where the last lines of a log begin, found from its end.

use super::files::Generation;
use crate::failure::{During, Step};
use crate::log::tail::{last_border, read_range};
use rootless_records::record;
use std::fs::File;

pub struct Start {
    /// Of the file, in the order of age.
    pub index: usize,
    pub offset: u64,
}

const BLOCK: u64 = 64 << 10;

/// `None` is all.
pub fn start(all: &[Generation], tail: Option<u64>) -> Step<Start> {
    let Some(mut wanted) = tail else { return Ok(Start { index: 0, offset: 0 }) };
    // The end of the line before the first wanted one is where that begins.
    wanted = wanted.saturating_add(1);
    let mut last = true;
    for (index, generation) in all.iter().enumerate().rev() {
        if let Some(offset) = back(&generation.file, generation.size, &mut wanted, &mut last).during("log", "read")? {
            return Ok(Start { index, offset });
        }
    }
    Ok(Start { index: 0, offset: 0 })
}

/// Counts ends of lines backwards; answers what follows the last that was wanted. `last`: no line was seen yet. One that has not ended
/// is a line too.
fn back(file: &File, size: u64, wanted: &mut u64, last: &mut bool) -> Result<Option<u64>, rustix::io::Errno> {
    let mut upto = last_border(file, size)?;
    let (mut block, mut room) = (Vec::new(), BLOCK);
    while upto > 0 {
        let from = upto.saturating_sub(room);
        read_range(file, from, upto, &mut block)?;
        // The first record of a block is whole only where the file begins.
        let whole = match from {
            0 => 0,
            _ => match memchr::memchr(b'\n', &block[..block.len() - 1]) {
                Some(at) => at + 1,
                None => {
                    room *= 2;
                    continue;
                }
            },
        };
        let mut end = block.len();
        while end > whole {
            let begin = memchr::memrchr(b'\n', &block[whole..end - 1]).map_or(whole, |at| whole + at + 1);
            if let Some(record) = record::parse(&block[begin..end - 1]) {
                *wanted -= u64::from(record.ends || *last);
                *last = false;
                if *wanted == 0 {
                    return Ok(Some(from + end as u64));
                }
            }
            end = begin;
        }
        upto = from + whole as u64;
        room = BLOCK;
    }
    Ok(None)
}
