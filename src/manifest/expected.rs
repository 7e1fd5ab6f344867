//! Pure. What a value could have been, collected from all forms that the schema knows, and said in one sentence.

use std::collections::BTreeSet;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::check::parent_schema;
use super::diagnostic::quoted;
use super::finding::Wrong;
use super::suggest::{known_as, nearest};

/// What a value could have been.
#[derive(Default)]
pub(super) struct Expected {
    words: Vec<String>,
    types: BTreeSet<JsonTypeName>,
}

/// The types in the order in which a sentence names them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum JsonTypeName {
    Text,
    Whole,
    Number,
    Switch,
    List,
    Map,
}

impl JsonTypeName {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "integer" => Self::Whole,
            "number" => Self::Number,
            "boolean" => Self::Switch,
            "array" => Self::List,
            "object" => Self::Map,
            _ => return None,
        })
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["text"],
            Self::Whole => &["a whole number"],
            Self::Number => &["a number"],
            Self::Switch => &["`true`", "`false`"],
            Self::List => &["a list"],
            Self::Map => &["a map"],
        }
    }
}

impl Expected {
    /// Adds what an error at the value itself would have taken.
    pub(super) fn add(&mut self, error: &ValidationError<'_>, here: &str) {
        if error.instance_path().as_str() != here {
            return;
        }
        match error.kind() {
            ValidationErrorKind::Constant { expected_value } => match expected_value.as_ref() {
                Value::String(word) => self.words.push(word.clone()),
                other => self.words.push(other.to_string()),
            },
            ValidationErrorKind::Type { kind } => {
                let schema = parent_schema(error);
                if schema.and_then(|schema| schema.get("const")).is_none() {
                    self.add_types(kind);
                }
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                context.iter().flatten().for_each(|error| self.add(error, here));
            }
            _ => {}
        }
    }

    /// Adds types.
    pub(super) fn add_types(&mut self, kind: &TypeKind) {
        match kind {
            TypeKind::Single(kind) => self.types.extend(JsonTypeName::of(kind.as_str())),
            TypeKind::Multiple(kinds) => {
                self.types.extend(kinds.iter().filter_map(|kind| JsonTypeName::of(kind.as_str())));
            }
        }
    }

    /// Whether there are words among what is expected.
    pub(super) fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// Whether a text is nearly one of the words.
    pub(super) fn has_near(&self, found: &Value) -> bool {
        let words = self.words.iter().map(String::as_str);
        found.as_str().is_some_and(|text| nearest(text, words).is_some())
    }

    /// The fault in words.
    pub(super) fn words(mut self, found: &Value) -> Wrong {
        self.words.dedup();
        if let (Value::String(written), false) = (found, self.words.is_empty()) {
            return not_one_of(written, &self.words);
        }
        let mut expected: Vec<String> = self.words.iter().map(|word| format!("`{word}`")).collect();
        expected.extend(self.types.iter().flat_map(|kind| kind.words()).map(|word| (*word).to_owned()));
        let only = |kind| self.types.len() == 1 && self.types.contains(&kind);
        let described = if only(JsonTypeName::Whole) && found.is_f64() {
            format!("the fraction {found}")
        } else {
            described(found)
        };
        let wrong = Wrong::new(format!("expected {}, found {described}", enumerated(&expected)));
        match found {
            Value::Number(_) if self.types.contains(&JsonTypeName::Text) => {
                wrong.help("quote it to make it text")
            }
            Value::Bool(_) if self.words.is_empty() && self.types.contains(&JsonTypeName::Text) => {
                wrong.help("quote it to make it text")
            }
            Value::String(text) if self.types.contains(&JsonTypeName::Switch) => match text.as_str() {
                "true" | "false" => wrong.help("leave the quotes out"),
                "yes" | "on" => wrong.help("did you mean `true`?"),
                "no" | "off" => wrong.help("did you mean `false`?"),
                _ => wrong,
            },
            Value::String(text) if only(JsonTypeName::Number) && text.parse::<f64>().is_ok() => {
                wrong.help("leave the quotes out")
            }
            _ => wrong,
        }
    }
}

/// A word that is none of the known ones.
fn not_one_of(written: &str, words: &[String]) -> Wrong {
    let known: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let wrong = Wrong::new(match known.as_slice() {
        [only] => format!("{} is not {only}", quoted(written)),
        _ => format!("{} is not one of {}", quoted(written), known.join(", ")),
    });
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match nearest(written, words.iter().copied()).or_else(|| known_as(written, &words)) {
        Some(word) => wrong.help(format!("did you mean `{word}`?")),
        None => wrong,
    }
}

/// `a, b or c`.
fn enumerated(words: &[String]) -> String {
    match words {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        _ => words.concat(),
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(_) => "a number".to_owned(),
        Value::String(text) => format!("the text {}", quoted(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}
