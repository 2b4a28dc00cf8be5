//! stub
use super::Monitor;
use crate::failure::Failure;
impl Monitor {
    pub fn check_failed(&mut self, _n: u64, _f: &Failure) {}
    pub fn check_ended(&mut self, _n: u64, _c: u8) {}
}
