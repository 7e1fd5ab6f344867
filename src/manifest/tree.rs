//! Pure. A manifest as a tree whose every node and key knows its bytes in the source.

use std::ops::Range;

use serde_json::{Map, Number, Value};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its bytes in the source.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the source, duplicate keys included.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's bytes in the source.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value under a key, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The best place to underline for a path: a scalar's own bytes, else the key that names it.
    /// A path that leads further than the tree is placed at the last part that exists.
    pub fn place(&self, path: &[String]) -> Range<usize> {
        let mut node = self;
        let mut named = self.span.start..self.span.start;
        for segment in path {
            let step = match &node.kind {
                Kind::Map(_) => node.entry(segment).map(|entry| (&entry.value, entry.key_span.clone())),
                Kind::List(items) => segment
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get(index))
                    .map(|item| (item, item.span.clone())),
                _ => None,
            };
            let Some((next, span)) = step else { break };
            (node, named) = (next, span);
        }
        match node.kind {
            Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) if !node.span.is_empty() => node.span.clone(),
            _ => named,
        }
    }

    /// The node at a path.
    fn at(&self, path: &[String]) -> Option<&Node> {
        path.iter().try_fold(self, |node, segment| match &node.kind {
            Kind::List(items) => items.get(segment.parse::<usize>().ok()?),
            _ => node.get(segment),
        })
    }

    /// Whether there is something at a path.
    pub fn has(&self, path: &[String]) -> bool {
        self.at(path).is_some()
    }

    /// The key that names the value at a path, or the item of a list.
    pub fn named_place(&self, path: &[String]) -> Range<usize> {
        match path.split_last() {
            Some((key, parent)) if self.at(parent).is_some_and(|node| node.entry(key).is_some()) => {
                self.key_place(parent, key)
            }
            _ => self.place(path),
        }
    }

    /// The place of a key, wherever its value is.
    pub fn key_place(&self, path: &[String], key: &str) -> Range<usize> {
        self.at(path)
            .and_then(|node| node.entry(key))
            .map_or_else(|| self.place(path), |entry| entry.key_span.clone())
    }

    /// The same as a JSON value; of duplicate keys the first counts.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(value) => Value::Number(value.clone()),
            Kind::Text(value) => Value::String(value.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Kind::Map(entries) => {
                let mut map = Map::new();
                for entry in entries {
                    map.entry(entry.key.clone()).or_insert_with(|| entry.value.to_value());
                }
                Value::Object(map)
            }
        }
    }
}
