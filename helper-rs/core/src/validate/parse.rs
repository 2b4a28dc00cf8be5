//! Reads JSON and notices what serde_json's own Value forgets: keys that stand twice.

use super::path::member;
use super::rule::GENERAL;
use super::Problem;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

/// The document, or a problem with line and column. Nesting is limited by serde_json, so the stack is safe.
pub fn parse(json: &str, problems: &mut Vec<Problem>) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let mut twice = Vec::new();
    let read = Seed { twice: &mut twice }.deserialize(&mut reader);
    let document = read.and_then(|value| reader.end().map(|()| value));
    let [not_json, duplicate, ..] = &GENERAL;
    match document {
        Ok(value) => {
            let found = twice
                .into_iter()
                .map(|path| duplicate.problem(format!("${path}"), "this key stands twice in its object"));
            problems.extend(found);
            Some(value)
        }
        Err(error) => {
            problems.push(not_json.problem("$", format!("not JSON: {error}")));
            None
        }
    }
}

/// Removes members that are null, at every level.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Paths of keys that stand twice are relative to the value that is read: whoever reads one within another leads on from there.
struct Seed<'a> {
    twice: &'a mut Vec<String>,
}

impl Seed<'_> {
    fn inner(&mut self) -> Seed<'_> {
        Seed { twice: &mut *self.twice }
    }

    fn lead_from(&mut self, first: usize, step: impl FnOnce() -> String) {
        let new = self.twice.get_mut(first..).filter(|new| !new.is_empty());
        let Some(new) = new else { return };
        let step = step();
        new.iter_mut().for_each(|path| path.insert_str(0, &step));
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let before = self.twice.len();
            let Some(value) = list.next_element_seed(self.inner())? else { return Ok(Value::Array(values)) };
            self.lead_from(before, || format!("[{}]", values.len()));
            values.push(value);
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Value, A::Error> {
        let (mut members, mut again) = (Map::new(), BTreeSet::new());
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) && again.insert(name.clone()) {
                self.twice.push(member(&name));
            }
            let before = self.twice.len();
            let value = object.next_value_seed(self.inner())?;
            self.lead_from(before, || member(&name));
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}
