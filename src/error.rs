//! The one error that reaches the command line: its kind decides the exit code, its hints the remedy.

use std::fmt;

/// What sort of failure it is; the command line turns it into an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was tried and failed: exit code 1.
    Failed,
    /// A wrong command line or an invalid manifest: exit code 2.
    Usage,
    /// Refused, since something would be lost or needs a yes: exit code 3.
    Refused,
    /// The time given ran out: exit code 4.
    TimedOut,
}

/// A failure with its cause and what a person can do about it.
#[derive(Debug)]
pub struct Error {
    /// What sort.
    pub kind: Kind,
    /// What failed: lower case, names in backticks, no full stop.
    pub message: String,
    /// What it came from.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// Remedies, one sentence each.
    pub hints: Vec<String>,
}

impl Error {
    /// A failure of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, hints: Vec::new() }
    }

    /// Something that was tried and failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
