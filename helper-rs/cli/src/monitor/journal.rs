//! The journal of events: one JSON line an event, appended with one write, so that lines of many monitors never mix.

use super::options::Facts;
use crate::state;
use rustix::fs::{Mode, OFlags};
use serde_json::{json, Map, Value};
use std::path::PathBuf;

pub struct Journal {
    file: Option<PathBuf>,
    id: String,
    facts: Facts,
}

impl Journal {
    pub fn new(file: Option<PathBuf>, id: &str, facts: Facts) -> Journal {
        Journal { file, id: id.to_string(), facts }
    }

    /// The container has another name.
    pub fn know(&mut self, facts: &Facts) {
        self.facts = facts.clone();
    }

    /// Opened for each event: events are rare, the file may be replaced at any time, and no descriptor is kept.
    pub fn say(&self, action: &str, more: &[(&str, Value)]) {
        let Some(file) = &self.file else { return };
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if let Ok(fd) = rustix::fs::open(file, flags, Mode::from_raw_mode(0o600)) {
            let _ = rustix::io::write(fd, self.line(action, more, &state::now()).as_bytes());
        }
    }

    fn line(&self, action: &str, more: &[(&str, Value)], time: &str) -> String {
        let labels = self.facts.labels.iter().map(|(key, value)| (key.clone(), json!(value)));
        let mut attributes: Map<String, Value> = labels.collect();
        attributes.insert("name".into(), json!(self.facts.name));
        attributes.insert("image".into(), json!(self.facts.image));
        attributes.extend(more.iter().map(|(key, value)| ((*key).to_string(), value.clone())));
        let event =
            json!({ "time": time, "type": "container", "action": action, "id": self.id, "attributes": attributes });
        format!("{event}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_labels_cannot_replace_its_facts() {
        let labels = [("name".to_string(), "fake\n".to_string()), ("a".to_string(), "b".to_string())].into();
        let journal = Journal::new(None, "i", Facts { name: "n".into(), image: "m".into(), labels });
        let line = journal.line("die", &[("exitCode", json!(3))], "T");
        assert_eq!(line.matches('\n').count(), 1);
        let event: Value = serde_json::from_str(&line).unwrap();
        let wanted = json!({"time": "T", "type": "container", "action": "die", "id": "i",
            "attributes": {"name": "n", "image": "m", "a": "b", "exitCode": 3}});
        assert_eq!(event, wanted);
    }
}
