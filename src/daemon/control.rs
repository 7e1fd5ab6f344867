//! Pure. What the command line and the daemon say to each other: one JSON object a line, one answer a question.

use crate::proxy::ledger::Ledger;
use crate::secret::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// A value on its way over the control socket: the one place where a secret is put into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed(pub Secret<String>);

impl Serialize for Handed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Handed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|value| Self(Secret::new(value)))
    }
}

/// A question to the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Request {
    /// Read these sessions' records again and serve their sockets.
    Watch {
        /// The sessions' ids.
        ids: Vec<String>,
    },
    /// Serve these sessions' sockets no longer.
    Forget {
        /// The sessions' ids.
        ids: Vec<String>,
    },
    /// Know that the user wants these sessions to run, or not to.
    Want {
        /// The sessions' ids.
        ids: Vec<String>,
        /// Whether they are to run.
        run: bool,
    },
    /// Hold these values of variables for a session, in memory alone.
    Lend {
        /// The session's id.
        id: String,
        /// Values by variable.
        values: BTreeMap<String, Handed>,
    },
    /// Import a session's commits now.
    Import {
        /// The session's id.
        id: String,
    },
    /// Store an event of a session that an edit of its manifest has caused.
    Note {
        /// The session's id.
        id: String,
        /// What happened.
        kind: String,
        /// What is said of it.
        data: serde_json::Value,
    },
    /// Say how many requests of these sessions were refused.
    Denied {
        /// The sessions' ids.
        ids: Vec<String>,
    },
    /// Say when these sessions last spoke with their models.
    Heard {
        /// The sessions' ids.
        ids: Vec<String>,
    },
    /// Say what these sessions have asked of their models.
    Usage {
        /// The sessions' ids.
        ids: Vec<String>,
    },
    /// Say who you are.
    Status,
    /// End.
    Stop,
}

impl Request {
    /// The ids that it names.
    pub fn ids(&self) -> &[String] {
        match self {
            Self::Watch { ids }
            | Self::Forget { ids }
            | Self::Denied { ids }
            | Self::Heard { ids }
            | Self::Usage { ids }
            | Self::Want { ids, .. } => ids,
            Self::Import { id } | Self::Lend { id, .. } | Self::Note { id, .. } => std::slice::from_ref(id),
            Self::Status | Self::Stop => &[],
        }
    }
}

/// The daemon's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// It is done.
    Done,
    /// What an import brought, in words.
    Imported(Vec<String>),
    /// How many requests of each session were refused, in the order asked for.
    Denied(Vec<u64>),
    /// When each session last spoke with its model, milliseconds since 1970, in the order asked for.
    Heard(Vec<Option<i64>>),
    /// What each session has asked of its model, in the order asked for.
    Usage(Vec<Ledger>),
    /// Who it is.
    Status(Status),
    /// It could not be done.
    Failed(String),
}

/// Who the daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// How many sessions it serves.
    pub sessions: usize,
    /// The port of 127.0.0.1 that serves hooks, where there is one.
    pub http_port: Option<u16>,
    /// Since when the engine is away, RFC 3339, where it is.
    #[serde(default)]
    pub engine_away: Option<String>,
}
