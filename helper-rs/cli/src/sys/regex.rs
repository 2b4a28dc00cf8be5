//! regcomp(3): POSIX extended regular expressions, as crun takes them for container names.

use super::last;
use rustix::io::Errno;
use std::ffi::CStr;
use std::mem::MaybeUninit;

/// A compiled expression.
pub struct Regex(libc::regex_t);

impl Regex {
    pub fn new(pattern: &CStr) -> Result<Regex, Errno> {
        let mut compiled = MaybeUninit::zeroed();
        // SAFETY: regcomp fills the structure, or says that it did not.
        match unsafe { libc::regcomp(compiled.as_mut_ptr(), pattern.as_ptr(), libc::REG_EXTENDED | libc::REG_NOSUB) } {
            // SAFETY: filled.
            0 => Ok(Regex(unsafe { compiled.assume_init() })),
            libc::REG_ESPACE => Err(last()),
            _ => Err(Errno::INVAL),
        }
    }

    pub fn matches(&self, text: &CStr) -> bool {
        // SAFETY: compiled by `new`; no matches are asked for.
        unsafe { libc::regexec(&raw const self.0, text.as_ptr(), 0, std::ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: compiled by `new`, freed once.
        unsafe { libc::regfree(&raw mut self.0) }
    }
}
