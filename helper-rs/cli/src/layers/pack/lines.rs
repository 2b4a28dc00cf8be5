//! A visitor that prints what has changed, one line of JSON each, as `docker diff` tells it: A, C and D.

use super::walk::{At, Change, Visitor};
use super::STEP;
use crate::failure::{During, Step};
use crate::layers::flatten::join;
use rustix::io::Result;
use serde_json::json;
use std::ffi::CString;
use std::io::Write;

pub struct Lines<W> {
    pub out: W,
}

impl<W: Write> Lines<W> {
    fn line(&mut self, kind: char, path: &[u8]) -> Step<()> {
        let line = json!({ "kind": kind, "path": format!("/{}", String::from_utf8_lossy(path)) });
        writeln!(self.out, "{line}").during(STEP, "output")
    }
}

impl<W: Write> Visitor for Lines<W> {
    type Item = Vec<u8>;

    fn describe(&mut self, at: &At<'_>) -> Result<Option<Vec<u8>>> {
        Ok(Some(at.path.to_vec()))
    }

    fn emit(&mut self, path: Vec<u8>, change: Change) -> Step<()> {
        self.line(if change == Change::Added { 'A' } else { 'C' }, &path)
    }

    fn gone(&mut self, path: &[u8]) -> Step<()> {
        self.line('D', path)
    }

    fn covers(&mut self, path: &[u8], hidden: &[CString], _: bool) -> Step<()> {
        hidden.iter().try_for_each(|name| self.line('D', &join(path, name)))
    }
}
