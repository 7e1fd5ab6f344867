//! Pure. What a session is lent, resolved.

use super::proxy::Rule;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A credential that is lent to a session: its value never enters the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// Where its value comes from; `None` is searched for.
    pub from: Option<Source>,
    /// Where it belongs; `None` is known of its name.
    pub target: Option<Target>,
    /// What a request must be for it to be lent.
    pub rule: Rule,
    /// Variables of the container that hold its placeholder.
    pub environment: Vec<String>,
    /// Where the manifest says so, such as `clauderon.yaml:12`; empty where the agent implies it.
    pub place: String,
}

/// Where an own credential belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host's name, in lower case.
    pub host: String,
    /// The host's port; the scheme is always `https`.
    pub port: u16,
    /// The header.
    pub header: String,
    /// The header's value, with `{}` for the credential's.
    pub value: String,
}

/// Where a credential's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A variable of the environment of whoever runs `up`.
    Env(String),
    /// A file, absolute, and a JSON pointer into it; an empty pointer is the whole file.
    File {
        /// The file.
        path: PathBuf,
        /// The pointer.
        pointer: String,
        /// Whether it is the path that a person agreed to, and no link that came later is followed: of all that a manifest
        /// names. Where an agent's login is searched for, a link may be anew at any time.
        #[serde(default)]
        fixed: bool,
    },
    /// A reference of 1Password, `op://…`.
    Op(String),
    /// A command of the user's own.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Seconds that it may take.
        timeout: u64,
    },
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File { path, pointer, .. } if pointer.is_empty() => write!(f, "file:{}", path.display()),
            Self::File { path, pointer, .. } => write!(f, "file:{}#{pointer}", path.display()),
            Self::Op(reference) => f.write_str(reference),
            Self::Command { argv, .. } => {
                write!(f, "the command `{}`", argv.first().map_or("", String::as_str))
            }
        }
    }
}
