//! JSON paths that are written out only where a problem is reported: documents without one are what starts containers.

use serde_json::Value;
use std::fmt;
use std::rc::Rc;

/// The way from the document (`$`) to a value in it.
#[derive(Clone)]
pub struct Path<'v>(Option<Rc<Step<'v>>>);

struct Step<'v> {
    before: Path<'v>,
    last: Last<'v>,
}

enum Last<'v> {
    Member(&'v str),
    Item(usize),
}

impl<'v> Path<'v> {
    pub fn root() -> Self {
        Path(None)
    }

    pub fn member(&self, name: &'v str) -> Self {
        Path(Some(Rc::new(Step { before: self.clone(), last: Last::Member(name) })))
    }

    pub fn item(&self, index: usize) -> Self {
        Path(Some(Rc::new(Step { before: self.clone(), last: Last::Item(index) })))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.0 else { return f.write_str("$") };
        step.before.fmt(f)?;
        match step.last {
            Last::Member(name) => f.write_str(&member(name)),
            Last::Item(index) => write!(f, "[{index}]"),
        }
    }
}

impl From<Path<'_>> for String {
    fn from(path: Path) -> String {
        path.to_string()
    }
}

impl From<&Path<'_>> for String {
    fn from(path: &Path) -> String {
        path.to_string()
    }
}

/// `.a` and `["a.b"]`.
pub fn member(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        format!(".{name}")
    } else {
        format!("[{}]", Value::from(name))
    }
}
