//! Writes classic BPF from its end to its beginning: every jump goes forward, so its target is already placed.

use super::{Insn, SeccompError};

const LD_W_ABS: u16 = 0x20;
const JMP_JA: u16 = 0x05;
const ALU_AND_K: u16 = 0x54;
const RET_K: u16 = 0x06;

/// The kernel's BPF_MAXINSNS.
pub const MAX_INSTRUCTIONS: usize = 4096;
/// A conditional jump skips at most 255 instructions; two more may be put between while one jump is being written.
const NEAR: usize = 255 - 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equal = 0x15,
    Greater = 0x25,
    GreaterOrEqual = 0x35,
}

/// Where control goes: an instruction that is already placed, or a return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Counted from the end of the program.
    At(usize),
    Return(u32),
}

#[derive(Default)]
pub struct Assembler {
    reversed: Vec<Insn>,
    returns: Vec<(u32, usize)>,
}

impl Assembler {
    /// `if A <compare> k goto yes else goto no`.
    pub fn branch(&mut self, compare: Compare, k: u32, yes: Target, no: Target) -> Target {
        if yes == no {
            return yes;
        }
        let yes = self.near(yes);
        let no = self.near(no);
        let (jt, jf) = (self.skip(yes), self.skip(no));
        self.push(Insn { code: compare as u16, jt, jf, k })
    }

    /// Loads a word of seccomp_data into A, then goes to `next`.
    pub fn load(&mut self, offset: u32, next: Target) -> Target {
        self.before(next);
        self.push(Insn { code: LD_W_ABS, jt: 0, jf: 0, k: offset })
    }

    /// `A &= mask`, then `next`.
    pub fn and(&mut self, mask: u32, next: Target) -> Target {
        self.before(next);
        self.push(Insn { code: ALU_AND_K, jt: 0, jf: 0, k: mask })
    }

    /// The program from its beginning; `entry` is where it starts.
    pub fn finish(mut self, entry: Target) -> Result<Vec<Insn>, SeccompError> {
        self.before(entry);
        if self.reversed.len() > MAX_INSTRUCTIONS {
            return Err(SeccompError::TooLong { instructions: self.reversed.len() });
        }
        self.reversed.reverse();
        Ok(self.reversed)
    }

    /// Makes `target` the instruction that follows the one written next.
    fn before(&mut self, target: Target) {
        match target {
            Target::Return(value) => {
                self.push(Insn { code: RET_K, jt: 0, jf: 0, k: value });
            }
            Target::At(position) if position + 1 == self.reversed.len() => {}
            Target::At(position) => {
                self.jump_to(position);
            }
        }
    }

    /// Brings a target into reach: returns are copied, far instructions get a `ja` on the way.
    fn near(&mut self, target: Target) -> usize {
        match target {
            Target::At(position) if self.distance(position) <= NEAR => position,
            Target::At(position) => self.jump_to(position),
            Target::Return(value) => self.near_return(value),
        }
    }

    fn near_return(&mut self, value: u32) -> usize {
        match self.returns.iter().find(|known| known.0 == value) {
            Some((_, position)) if self.distance(*position) <= NEAR => *position,
            _ => {
                let position = self.place(Insn { code: RET_K, jt: 0, jf: 0, k: value });
                self.returns.retain(|known| known.0 != value);
                self.returns.push((value, position));
                position
            }
        }
    }

    fn jump_to(&mut self, position: usize) -> usize {
        let k = u32::try_from(self.distance(position)).unwrap_or(u32::MAX);
        self.place(Insn { code: JMP_JA, jt: 0, jf: 0, k })
    }

    /// Instructions between the one written next and `position`.
    fn distance(&self, position: usize) -> usize {
        self.reversed.len() - position - 1
    }

    /// `near` keeps this below 256.
    fn skip(&self, position: usize) -> u8 {
        u8::try_from(self.distance(position)).unwrap_or(u8::MAX)
    }

    fn push(&mut self, insn: Insn) -> Target {
        Target::At(self.place(insn))
    }

    fn place(&mut self, insn: Insn) -> usize {
        self.reversed.push(insn);
        self.reversed.len() - 1
    }
}
