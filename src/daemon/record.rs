//! What the daemon must know of a session: a file in the session's directory, so that a daemon that is started again
//! finds every session.

use crate::credential::lending::Lending;
use crate::fs;
use crate::home::Home;
use crate::manifest::project::notify::Notify;
use crate::manifest::project::{Budget, Checkout, Host, Timeout};
use crate::proxy::policy::{self, Policy};
use crate::proxy::rules::Rules;
use crate::render::fields::Fields;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What is kept of a session. No secret is in it; the hook token has a file of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The session's id.
    pub id: String,
    /// The project's name.
    pub project: String,
    /// The project's root.
    pub root: PathBuf,
    /// The session's name.
    pub session: String,
    /// The container's name.
    pub container: String,
    /// A path in the user's repository, where the session has one.
    pub parent: Option<PathBuf>,
    /// The session's branch.
    pub branch: Option<String>,
    /// The session's own directory for `/workspace`.
    pub checkout: Option<PathBuf>,
    /// How the checkout was made. Of a `shared` one, `checkout` names a place beside its record where nothing is.
    #[serde(default)]
    pub kind: Checkout,
    /// Patterns of what clauderon and the agent write for themselves into the checkout.
    #[serde(default)]
    pub excludes: Vec<String>,
    /// `proxy`: what may be done where.
    #[serde(default)]
    pub rules: Rules,
    /// `proxy.hosts`: the certificates that are believed for a name, as PEM.
    #[serde(default)]
    pub authorities: BTreeMap<String, String>,
    /// `credentials`: what is lent, without any value.
    #[serde(default)]
    pub credentials: Vec<Lending>,
    /// `budget`: what it may ask of its model.
    #[serde(default)]
    pub budget: Budget,
    /// `timeout`: how long it may last.
    #[serde(default)]
    pub timeout: Timeout,
    /// `notify`: what is run on this machine when it needs a person.
    #[serde(default)]
    pub notify: Notify,
    /// The fields that are no part of a container, as they hold; empty where an older release wrote the record.
    #[serde(default)]
    pub fields: Fields,
    /// Which conversation the session has, counted from 1; 0 where an older release wrote the record.
    #[serde(default)]
    pub conversation: u32,
    /// Whether there is a container, so that the daemon serves its socket.
    pub active: bool,
}

impl Record {
    /// What is mounted at `/workspace`.
    pub fn workspace(&self) -> Option<&Path> {
        let shared = self.parent.as_deref().filter(|_| self.kind == Checkout::Shared);
        shared.or(self.checkout.as_deref())
    }

    /// Where the checkout was made, once it is not there any more. Of a shared one that is the user's working tree.
    pub fn lost(&self) -> Option<&Path> {
        self.checkout.as_ref()?;
        self.workspace().filter(|place| !fs::exists(place))
    }

    /// What the proxy is to know of destinations.
    pub fn policy(&self) -> Policy {
        let host = |(name, host): (&String, &Host)| {
            let authority = self.authorities.get(name).cloned();
            (name.clone(), policy::Host { address: host.address.clone(), authority, model: false })
        };
        Policy { hosts: self.rules.hosts.iter().map(host).collect() }
    }

    /// Whether another record says the same of everything but the rules, what is lent, the limits, and what a plan alone
    /// looks at.
    pub fn differs_in_rules_alone(&self, other: &Self) -> bool {
        let Self { rules, authorities, credentials, budget, timeout, notify, fields, conversation, .. } =
            self.clone();
        let same = Self {
            rules,
            authorities,
            credentials,
            budget,
            timeout,
            notify,
            fields,
            conversation,
            ..other.clone()
        };
        same == *self
    }
}

/// The longest id: a UUID with its dashes.
const LONGEST_ID: usize = 36;

/// Whether a text can be a session's id: hexadecimal digits and dashes, as in a UUID. It names a directory.
pub fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(allowed)
}

/// Reads a session's record; `None` where there is none.
pub fn read(home: &Home, id: &str) -> Result<Option<Record>, fs::Error> {
    // What is no id names no session, and no file is opened for it.
    if !is_id(id) {
        return Ok(None);
    }
    let record = read_at(&home.session(id).record())?;
    Ok(record.filter(|record| {
        let own = record.id == id;
        if !own {
            tracing::error!(id, of = record.id, "a session's record is another's");
        }
        own
    }))
}

fn read_at(path: &Path) -> Result<Option<Record>, fs::Error> {
    if !fs::exists(path) {
        return Ok(None);
    }
    let text = fs::read_to_string(path)?;
    match serde_json::from_str(&text) {
        Ok(record) => Ok(Some(record)),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "a session's record cannot be read");
            Ok(None)
        }
    }
}

/// Has nobody else change a session's record, as long as what is answered is held: who reads it and writes it again
/// holds it for that moment.
pub fn hold(home: &Home, id: &str) -> Result<File, fs::Error> {
    let session = home.session(id);
    fs::create_private_dir(session.path())?;
    fs::lock(&session.record_lock())
}

/// Writes a record.
pub fn write(home: &Home, record: &Record) -> Result<(), fs::Error> {
    let session = home.session(&record.id);
    fs::create_private_dir(session.path())?;
    let text = serde_json::to_vec_pretty(record).unwrap_or_default();
    fs::replace(&session.record(), &text, 0o600)
}

/// All records.
pub fn all(home: &Home) -> Result<Vec<Record>, fs::Error> {
    let mut records = Vec::new();
    for id in fs::list(&home.sessions())? {
        records.extend(read(home, &id)?);
    }
    Ok(records)
}
