//! Pure. One event, as it is stored and as it is shown.

use serde_json::{Value, json};

/// An event that has no number yet.
#[derive(Clone, Debug, PartialEq)]
pub struct New {
    /// When it was received, RFC 3339 in UTC.
    pub time: String,
    /// The project's name.
    pub project: String,
    /// The session's id.
    pub id: String,
    /// The session's name.
    pub session: String,
    /// `hook`, `backend`, `reconcile` or `proxy`.
    pub source: &'static str,
    /// What happened, such as `Stop`.
    pub kind: String,
    /// What was said of it.
    pub data: Value,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number: the order of receipt.
    pub seq: i64,
    /// When it was received, RFC 3339 in UTC.
    pub time: String,
    /// The project's name.
    pub project: String,
    /// The session's id.
    pub id: String,
    /// The session's name.
    pub session: String,
    /// `hook`, `backend`, `reconcile` or `proxy`.
    pub source: String,
    /// What happened, such as `Stop`.
    pub kind: String,
    /// What was said of it.
    pub data: Value,
}

impl Event {
    /// An event that is about to be stored, with this data; its number is not known yet.
    pub fn of(new: &New, data: Value) -> Self {
        Self {
            seq: 0,
            time: new.time.clone(),
            project: new.project.clone(),
            id: new.id.clone(),
            session: new.session.clone(),
            source: new.source.to_owned(),
            kind: new.kind.clone(),
            data,
        }
    }

    /// The JSON of the contract.
    pub fn json(&self) -> Value {
        json!({
            "seq": self.seq,
            "time": self.time,
            "project": self.project,
            "session": self.session,
            "source": self.source,
            "type": self.kind,
            "data": self.data,
        })
    }

    /// When it was received, whole seconds since 1970; 0 for a time that is none.
    pub fn seconds(&self) -> i64 {
        self.time.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second)
    }
}
