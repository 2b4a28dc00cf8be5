//! One finding of `layer check`, and its line of JSON.

use rootless_core::tar::Entry;
use serde_json::json;
use std::fmt::Display;

/// Error: unpacking refuses it. Warning: unpacking does something else than it says. Info: worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Error,
    Warning,
    Info,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub level: Level,
    /// Stable word.
    pub code: &'static str,
    /// Byte of the plain tar stream.
    pub offset: u64,
    pub path: Option<String>,
    pub message: Option<String>,
}

impl Problem {
    pub fn new(level: Level, code: &'static str, offset: u64) -> Problem {
        Problem { level, code, offset, path: None, message: None }
    }

    pub fn of(mut self, entry: &Entry) -> Problem {
        self.path = Some(String::from_utf8_lossy(&entry.path).into_owned());
        if !entry.link.is_empty() {
            self.message = Some(format!("link to {}", String::from_utf8_lossy(&entry.link)));
        }
        self
    }

    pub fn saying(mut self, message: impl Display) -> Problem {
        self.message = Some(message.to_string());
        self
    }

    /// Without its newline.
    pub fn to_json(&self) -> String {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
        };
        let mut line = json!({ "level": level, "code": self.code, "offset": self.offset });
        if let Some(path) = &self.path {
            line["path"] = json!(path);
        }
        if let Some(message) = &self.message {
            line["message"] = json!(message);
        }
        line.to_string()
    }
}
