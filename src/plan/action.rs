//! Pure. The vocabulary of a plan.

use super::images::Fetch;
use crate::manifest::effect;
use serde::Serialize;

/// What `up` or `down` will do, per session in the order of the manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// The images that are got first; known in a dry run alone, since else they are there already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Fetch>,
    /// The sessions that anything is done for.
    pub sessions: Vec<SessionPlan>,
    /// Changes that leave what is there alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<Deferred>,
    /// Things worth saying that change nothing, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What is done for one session, in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionPlan {
    /// The session's name.
    pub session: String,
    /// The session's id.
    pub id: String,
    /// The steps, one after the other.
    pub steps: Vec<Step>,
    /// What is done as a whole.
    pub effect: Effect,
    /// Why: each field that differs.
    pub reasons: Vec<Reason>,
    /// Whether it waits, since the agent works.
    pub waits: bool,
    /// Which conversation it has afterwards, counted from 1.
    pub conversation: u32,
}

/// Changes of a session that count for a new conversation or a new checkout only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deferred {
    /// The session's name.
    pub session: String,
    /// The session's id.
    pub id: String,
    /// What differs.
    pub reason: Reason,
}

/// One step: at most one change to the backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "op", content = "target")]
pub enum Step {
    /// Wait until the agent is in the middle of nothing.
    AwaitIdle,
    /// Have the daemon go by what the manifest says now.
    Serve,
    /// Make the checkout, or adopt the one that is there.
    Checkout,
    /// Write the files that the container is shown, and let the daemon watch the session.
    Prepare,
    /// Make the container of this name.
    Create(String),
    /// Give the container of the first name its own, the second.
    Rename(String, String),
    /// Start the container of this name.
    Start(String),
    /// Ask the container of this name to end, and wait.
    Stop(String),
    /// Bring what the agent committed into the user's repository.
    Import,
    /// Remove the container of this name.
    Remove(String),
}

/// What becomes of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It comes to be.
    Create,
    /// It is started as it is.
    Start,
    /// What changed holds at once; the agent is not disturbed.
    Live,
    /// Its agent is started again in the same container: same conversation.
    Restart,
    /// Its container is replaced: same checkout, same conversation.
    Recreate,
    /// Its container is removed.
    Destroy,
}

/// Why something is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The manifest's field, or what was observed.
    pub field: String,
    /// What it is now.
    pub old: Option<String>,
    /// What it is to be.
    pub new: Option<String>,
    /// What a change of it does, where it is a field.
    #[serde(skip)]
    pub effect: Option<effect::Effect>,
}

impl Plan {
    /// Whether nothing is to be done for any session.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

impl Reason {
    /// A reason that has no two values to show.
    pub fn observed(what: &str) -> Self {
        Self { field: what.to_owned(), old: None, new: None, effect: None }
    }
}
