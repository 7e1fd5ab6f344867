//! Pure. Where each value of a resolved manifest comes from: the file and line that won, or the default.

use serde_json::Value;

use super::layer::Layer;
use super::line::Lines;
use super::parse::Parsed;
use super::project::Session;
use super::resolved::{escaped, to_value};
use super::spot::{Spot, volume};
use super::tree::{Kind, Node};

/// The resolved manifest with a comment beside each value.
pub fn to_yaml(parsed: &Parsed) -> String {
    let lines = Lines::new(&parsed.layers, &parsed.texts, &parsed.project.root);
    let mut write = Write { parsed, lines, text: String::new() };
    write.value(&escaped(to_value(&parsed.project)), &mut Vec::new());
    write.text
}

struct Write<'a> {
    parsed: &'a Parsed,
    lines: Lines<'a>,
    text: String,
}

impl Write<'_> {
    /// A value after its key: maps and lists on lines of their own, anything else beside it.
    fn value(&mut self, value: &Value, path: &mut Vec<String>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    path.push(key.clone());
                    self.line(&format!("{}:", scalar(&Value::String(key.clone()))), value, path);
                    path.pop();
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string());
                    self.line("-", item, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn line(&mut self, key: &str, value: &Value, path: &mut Vec<String>) {
        let indent = "  ".repeat(path.len() - 1);
        match value {
            Value::Object(map) if !map.is_empty() && key == "-" => {
                let start = self.text.len() + indent.len();
                self.value(value, path);
                self.text.replace_range(start..start + 2, "- ");
            }
            Value::Object(map) if !map.is_empty() => {
                self.text.push_str(&format!("{indent}{key}\n"));
                self.value(value, path);
            }
            Value::Array(items) if !items.is_empty() => {
                self.text.push_str(&format!("{indent}{key}\n"));
                self.value(value, path);
            }
            scalar_like => {
                let origin = self.origin(path, scalar_like);
                self.text.push_str(&format!("{indent}{key} {}  # {origin}\n", scalar(scalar_like)));
            }
        }
    }

    /// `file:line`, or `default`.
    fn origin(&mut self, path: &[String], value: &Value) -> String {
        let layers = &self.parsed.layers;
        let spot = match path {
            [key, name, rest @ ..] if key == "sessions" => {
                let session = self.parsed.project.sessions.iter().find(|session| session.name == *name);
                let own = [key.clone(), name.clone()];
                [own.as_slice(), &[]].into_iter().find_map(|base| find(layers, base, rest, value, session))
            }
            all => find(layers, &[], all, value, None),
        };
        spot.map_or_else(|| "default".to_owned(), |spot| self.lines.at(&spot))
    }
}

/// A key or value on one line: JSON, but for what needs no quotes.
fn scalar(value: &Value) -> String {
    let plain = |text: &str| {
        text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
            && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
                .contains(&text.to_lowercase().as_str())
    };
    match value {
        Value::String(text) if plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The highest file that says something of a path below a base.
fn find(
    layers: &[Layer],
    base: &[String],
    path: &[String],
    value: &Value,
    session: Option<&Session>,
) -> Option<Spot> {
    (0..layers.len()).rev().find_map(|layer| {
        let level = base.iter().try_fold(&layers[layer].tree, |node, key| node.get(key))?;
        let written = match (path, session) {
            ([volumes, index, ..], Some(session)) if volumes == "volumes" => {
                volume(level, &session.volumes.get(index.parse::<usize>().ok()?)?.target)
            }
            _ => spelled(level, path, value),
        }?;
        Some(Spot { layer, path: base.iter().cloned().chain(written).collect() })
    })
}

/// The path under which a level writes what stands at a path of the resolved manifest: in the long form, in the
/// short one that stands for it, as a pair of a list.
fn spelled(level: &Node, path: &[String], value: &Value) -> Option<Vec<String>> {
    let mut node = level;
    let mut taken: Vec<String> = Vec::new();
    for (depth, key) in path.iter().enumerate() {
        node = match &node.kind {
            Kind::Map(_)
                if key == "text" && depth == 1 && path[0] == "prompt" && node.get("file").is_some() =>
            {
                taken.push("file".to_owned());
                return Some(taken);
            }
            Kind::Map(_) => node.get(key)?,
            Kind::List(items) => {
                let named = format!("{key}=");
                let pair = |item: &Node| matches!(&item.kind, Kind::Text(text) if text.starts_with(&named));
                let index = items.iter().position(pair).or_else(|| key.parse().ok())?;
                taken.push(index.to_string());
                return (index < items.len()).then_some(taken);
            }
            Kind::Text(_) => return stands_for(&path[depth..]).then_some(taken),
            _ => return None,
        };
        taken.push(key.clone());
    }
    let says = match (&node.kind, value) {
        (Kind::Null, _) => false,
        // Of another kind of agent, and gone with it.
        (Kind::List(items), Value::Array(resolved)) => items.is_empty() || !resolved.is_empty(),
        _ => true,
    };
    says.then_some(taken)
}

/// Whether text in the place of a map is this key of it.
fn stands_for(rest: &[String]) -> bool {
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    matches!(rest.as_slice(), ["kind" | "path" | "text" | "access"] | ["prompt", "text"])
}
