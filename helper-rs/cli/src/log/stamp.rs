//! The time of a block of output, in the forms of the log formats. The clock is read once a block, the date made once a second.

use crate::clock;
use std::time::Duration;

#[derive(Default)]
pub struct Stamp {
    at: Duration,
    text: [u8; clock::LENGTH],
    short: usize,
}

impl Stamp {
    pub fn now(&mut self) {
        self.set(clock::since_epoch());
    }

    fn set(&mut self, at: Duration) {
        if at.as_secs() == self.at.as_secs() && self.short != 0 {
            clock::digits(&mut self.text[20..29], u64::from(at.subsec_nanos()));
        } else {
            self.text = clock::format(at);
        }
        self.at = at;
        let zeros = self.text[19..29].iter().rev().take_while(|byte| **byte == b'0').count();
        // Ten places: the dot and nine digits. A fraction of nothing goes with its dot.
        self.short = if zeros == 9 { 19 } else { 29 - zeros };
    }

    /// Nine digits of a fraction, `Z`.
    pub fn full(&self) -> &[u8] {
        &self.text
    }

    /// Go's RFC3339Nano, which drops zeros at the end, without its `Z`.
    pub fn trimmed(&self) -> &[u8] {
        &self.text[..self.short]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_are_dropped_as_go_does() {
        let mut stamp = Stamp::default();
        for (nanos, wanted) in [
            (0, "1970-01-01T00:00:09"),
            (500_000_000, "1970-01-01T00:00:09.5"),
            (1, "1970-01-01T00:00:09.000000001"),
            (120_034_000, "1970-01-01T00:00:09.120034"),
        ] {
            stamp.set(Duration::new(9, nanos));
            assert_eq!(stamp.trimmed(), wanted.as_bytes());
            assert_eq!(stamp.full(), &clock::format(Duration::new(9, nanos)));
        }
    }
}
