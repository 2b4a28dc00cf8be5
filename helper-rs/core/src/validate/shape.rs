//! Types of properties: which are required, what they may be, and how large integers may get.

use super::node::integer;
use super::path::Path;
use super::rule::GENERAL;
use super::{Node, Problem};
use serde_json::Value;

/// What a value may be.
pub enum Shape {
    Bool,
    Text,
    /// From and to, both included.
    Integer(i128, i128),
    List(&'static Shape),
    /// Keys are free, values are not.
    Map(&'static Shape),
    Object(&'static Object),
}

pub struct Object {
    /// Where the specification describes this object.
    pub section: &'static str,
    pub fields: &'static [Field],
}

pub struct Field {
    name: &'static str,
    shape: Shape,
    required: bool,
    /// How some write it. Go takes any case, so documents with it are about.
    misspelled: Option<&'static str>,
}

impl Field {
    pub const fn misspelled(self, name: &'static str) -> Field {
        Field { misspelled: Some(name), ..self }
    }
}

pub const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true, misspelled: None }
}

pub const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false, misspelled: None }
}

pub const U16: Shape = Shape::Integer(0, u16::MAX as i128);
pub const U32: Shape = Shape::Integer(0, u32::MAX as i128);
pub const U64: Shape = Shape::Integer(0, u64::MAX as i128);
pub const I32: Shape = Shape::Integer(i32::MIN as i128, i32::MAX as i128);
pub const I64: Shape = Shape::Integer(i64::MIN as i128, i64::MAX as i128);
pub const TEXTS: Shape = Shape::List(&Shape::Text);
pub const TEXT_MAP: Shape = Shape::Map(&Shape::Text);

/// Checks a whole document; recursion ends with the shape, not with the document.
pub fn check(root: &Node, shape: &'static Object, problems: &mut Vec<Problem>) {
    Checker { problems, section: shape.section }.object(root.value, &root.path, shape);
}

struct Checker<'a> {
    problems: &'a mut Vec<Problem>,
    section: &'static str,
}

impl Checker<'_> {
    fn value<'v>(&mut self, value: &'v Value, path: &Path<'v>, shape: &'static Shape) {
        match (shape, value) {
            (Shape::Bool, Value::Bool(_)) | (Shape::Text, Value::String(_)) => {}
            (Shape::Integer(from, to), Value::Number(_)) => match integer(value) {
                Some(number) if (*from..=*to).contains(&number) => {}
                Some(number) => self.say(4, path, format!("{number} is not between {from} and {to}")),
                None => self.say(2, path, format!("{value} is no integer (or one beyond 64 bits)")),
            },
            (Shape::List(shape), Value::Array(list)) => {
                for (index, value) in list.iter().enumerate() {
                    if !passes(value, shape) {
                        self.value(value, &path.item(index), shape);
                    }
                }
            }
            (Shape::Map(shape), Value::Object(map)) => {
                for (name, value) in map {
                    self.value(value, &path.member(name), shape);
                }
            }
            (Shape::Object(object), _) => self.object(value, path, object),
            _ => self.say(2, path, format!("expected {}, found {}", wanted(shape), found(value))),
        }
    }

    fn object<'v>(&mut self, value: &'v Value, path: &Path<'v>, object: &'static Object) {
        let outer = std::mem::replace(&mut self.section, object.section);
        match value.as_object() {
            Some(map) => {
                for field in object.fields {
                    let misspelled = field.misspelled.filter(|name| map.contains_key(*name));
                    let name = misspelled.unwrap_or(field.name);
                    if let Some(other) = misspelled {
                        self.say(5, &path.member(other), format!("the specification calls this \"{}\"", field.name));
                        if map.contains_key(field.name) {
                            self.say(1, &path.member(other), format!("the object has \"{}\" too", field.name));
                        }
                    }
                    match map.get(name) {
                        Some(value) if passes(value, &field.shape) => {}
                        Some(value) => self.value(value, &path.member(name), &field.shape),
                        None if field.required => {
                            self.say(3, &path.member(field.name), format!("\"{}\" is required", field.name));
                        }
                        None => {}
                    }
                }
            }
            None => self.say(2, path, format!("expected an object, found {}", found(value))),
        }
        self.section = outer;
    }

    /// `rule` is a place in [`GENERAL`].
    fn say(&mut self, rule: usize, path: &Path, message: String) {
        if let Some(rule) = GENERAL.get(rule) {
            self.problems.push(Problem { section: self.section, ..rule.problem(path, message) });
        }
    }
}

/// The common case without building a path.
fn passes(value: &Value, shape: &Shape) -> bool {
    matches!((shape, value), (Shape::Text, Value::String(_)) | (Shape::Bool, Value::Bool(_)))
}

fn wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::Bool => "true or false",
        Shape::Text => "a string",
        Shape::Integer(..) => "an integer",
        Shape::List(_) => "a list",
        Shape::Map(_) | Shape::Object(_) => "an object",
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
