//! Pure. A fault named by its path through the manifest, before it is placed in the text.

use super::diagnostic::Fault;
use super::tree::Node;

/// What is wrong with a value, wherever that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Wrong {
    /// A fault without a remedy.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A fault at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The keys and indexes that lead to it.
    pub path: Vec<String>,
    /// Whether the last key itself is at fault, not its value.
    pub at_key: bool,
    /// What is wrong.
    pub wrong: Wrong,
    /// The path of the other party, where two are at odds, and what it is.
    pub other: Option<Box<(Vec<String>, String)>>,
}

impl Finding {
    /// A fault of a value.
    pub fn new(path: Vec<String>, message: impl Into<String>) -> Self {
        Self { path, at_key: false, wrong: Wrong::new(message), other: None }
    }

    /// A fault of a key.
    pub fn key(path: Vec<String>, wrong: Wrong) -> Self {
        Self { path, at_key: true, wrong, other: None }
    }

    /// A fault of a value, from what is known of the value alone.
    pub fn value(path: Vec<String>, wrong: Wrong) -> Self {
        Self { path, at_key: false, wrong, other: None }
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.wrong = self.wrong.help(help);
        self
    }

    /// Adds the other party.
    #[must_use]
    pub fn other(mut self, path: Vec<String>, label: impl Into<String>) -> Self {
        self.other = Some(Box::new((path, label.into())));
        self
    }

    /// Finds its place.
    pub fn place(self, tree: &Node) -> Fault {
        let span = match self.path.split_last() {
            Some((key, parent)) if self.at_key => tree.key_place(parent, key),
            _ => tree.place(&self.path),
        };
        let fault = Fault { span, message: self.wrong.message, help: self.wrong.help, other: None };
        match self.other {
            Some(other) => fault.other(tree.named_place(&other.0), other.1),
            None => fault,
        }
    }
}
