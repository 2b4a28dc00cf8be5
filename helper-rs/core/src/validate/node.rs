//! A place in a document: a value and the JSON path that leads to it.

use super::path::Path;
use serde_json::Value;

#[derive(Clone)]
pub struct Node<'v> {
    pub value: &'v Value,
    pub path: Path<'v>,
}

impl<'v> Node<'v> {
    pub fn root(value: &'v Value) -> Self {
        Node { value, path: Path::root() }
    }

    pub fn get(&self, name: &str) -> Option<Node<'v>> {
        let (name, value) = self.value.as_object()?.get_key_value(name)?;
        Some(Node { value, path: self.path.member(name) })
    }

    /// Follows names through objects.
    pub fn find(&self, names: &[&str]) -> Option<Node<'v>> {
        names.iter().try_fold(self.clone(), |node, name| node.get(name))
    }

    /// The elements of a list below; none if there is no list.
    pub fn list(&self, names: &[&str]) -> Vec<Node<'v>> {
        self.find(names).map_or_else(Vec::new, |node| node.items().collect())
    }

    pub fn items(&self) -> impl Iterator<Item = Node<'v>> {
        let path = self.path.clone();
        let values: &'v [Value] = self.value.as_array().map_or(&[], |list| list);
        values.iter().enumerate().map(move |(index, value)| Node { value, path: path.item(index) })
    }

    /// The members of an object below, with their names.
    pub fn members(&self, names: &[&str]) -> Vec<(&'v str, Node<'v>)> {
        let Some(node) = self.find(names) else { return Vec::new() };
        let Some(map) = node.value.as_object() else { return Vec::new() };
        map.iter().map(|(name, value)| (name.as_str(), Node { value, path: node.path.member(name) })).collect()
    }

    pub fn text(&self) -> Option<&'v str> {
        self.value.as_str()
    }

    pub fn text_at(&self, name: &str) -> Option<&'v str> {
        self.value.as_object()?.get(name)?.as_str()
    }

    pub fn integer_at(&self, name: &str) -> Option<i128> {
        integer(self.value.as_object()?.get(name)?)
    }

    pub fn flag_at(&self, name: &str) -> Option<bool> {
        self.value.as_object()?.get(name)?.as_bool()
    }

    /// Whether a list of strings below has this one.
    pub fn lists(&self, name: &str, wanted: &str) -> bool {
        let list = self.value.as_object().and_then(|map| map.get(name)).and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|one| one.as_str() == Some(wanted)))
    }
}

/// A whole number without fraction or exponent, as Go and Rust read integers.
pub fn integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}
