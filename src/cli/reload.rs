//! What an edit of a manifest's files does by itself: what only takes away holds at once; all else is told, and waits for
//! `up`. An invalid edit does nothing.

mod narrowing;

use super::authorities::Certificates;
use super::named::Named;
use super::remedy::file_error;
use super::{consent, context, report, up};
use crate::daemon::client::Client;
use crate::daemon::record::{self, Record};
use crate::error::Error;
use crate::home::Home;
use crate::manifest::project::{Host, Project, Session, Source};
use crate::manifest::source;
use crate::plan::action::{Effect, Plan};
use crate::render::identity::{owner, session_id};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The type of the event that an edit is not valid.
const INVALID: &str = "manifest_invalid";
/// The type of the event that it is mended.
const VALID: &str = "manifest_valid";
/// The type of the event that an edit waits for `up`.
const PENDING: &str = "pending";

/// What came of a look.
#[derive(Default)]
struct Told {
    /// What is to be said, for people.
    said: Vec<String>,
    /// What waits for `up`.
    pending: Vec<String>,
}

/// What was seen of a manifest.
#[derive(PartialEq)]
enum Seen {
    /// What it declares, and what tells the certificates that it names from others.
    Valid(Box<Project>, BTreeMap<PathBuf, String>),
    /// What is wrong with it.
    Invalid(String),
    /// It takes variables that are not ours to know, or that nobody agreed to: its content.
    Closed(String),
}

/// One manifest, looked at again and again.
pub struct Reload {
    /// What names it.
    pub named: Named,
    home: Home,
    engine: String,
    /// Whether the environment is that of the user.
    knows_variables: bool,
    last: Option<Seen>,
    /// What was taken away and is not told yet.
    owed: Vec<(Record, String)>,
    pending: Vec<String>,
    /// What kept the last look from its end.
    trouble: Option<String>,
    /// Every file that counted when it was last looked at.
    pub files: BTreeSet<PathBuf>,
}

impl Reload {
    /// A manifest that was not looked at yet, seen from a process that has the user's environment or not.
    pub fn new(named: Named, home: Home, engine: String, knows_variables: bool) -> Self {
        let files = named.possible().collect();
        let (last, trouble) = (None, None);
        Self { named, home, engine, knows_variables, last, owed: vec![], pending: vec![], trouble, files }
    }

    /// The same, and this is what an `up` has gone by.
    #[must_use]
    pub fn after(mut self, project: &Project) -> Self {
        self.last = seen(project.clone()).ok();
        self
    }

    /// Whether the last look did not come to its end.
    pub fn is_due(&self) -> bool {
        self.last.is_none()
    }

    /// Sessions of the manifest's directory that are up.
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        let all = record::all(&self.home).map_err(file_error)?;
        Ok(all.into_iter().filter(|record| record.active && record.root == self.named.root).collect())
    }

    /// Reads the manifest, does what is to be done at once, and answers what is to be said.
    pub async fn look(&mut self) -> Vec<String> {
        let noted = source::Noted::new(self.named.possible().collect());
        let seen = self.read(&noted).unwrap_or_else(|error| Seen::Invalid(report::text(&error)));
        self.files = noted.into_inner();
        // Though nothing was edited: an `up` that began before an edit may have written what was there then.
        let narrowed = match &seen {
            Seen::Valid(project, _) => self.narrow(project).await,
            _ => Ok(Vec::new()),
        };
        if self.last.as_ref() == Some(&seen) && narrowed.is_ok() {
            return narrowed.unwrap_or_default();
        }
        let before = self.last.replace(seen);
        let told = match narrowed {
            Ok(said) => self.tell(before.as_ref(), said).await,
            Err(error) => Err(error),
        };
        match told {
            Ok(told) => {
                self.trouble = None;
                self.pending = told.pending;
                told.said
            }
            Err(error) => {
                // The next look begins anew.
                self.last = None;
                let said = format!("an edit is not done yet: {}", report::text(&error));
                let news = self.trouble.as_ref() != Some(&said);
                self.trouble = Some(said.clone());
                if news { vec![said] } else { Vec::new() }
            }
        }
    }

    /// Tells what is new beside what was narrowed.
    async fn tell(&self, before: Option<&Seen>, mut said: Vec<String>) -> Result<Told, Error> {
        match &self.last {
            Some(Seen::Invalid(why)) => self.invalid(why).await,
            Some(Seen::Closed(content)) if before.is_none() && *content == self.named.content => {
                Ok(Told::default())
            }
            Some(Seen::Closed(_)) => self.closed().await,
            Some(Seen::Valid(project, _)) => {
                let known = match before {
                    Some(Seen::Valid(project, _)) => Some(&**project),
                    _ => None,
                };
                let was_invalid = matches!(before, Some(Seen::Invalid(_)));
                let told = self.valid(project, known, was_invalid).await?;
                said.extend(told.said);
                Ok(Told { said, ..told })
            }
            None => Ok(Told::default()),
        }
    }

    /// An invalid manifest: what runs stays as it is.
    async fn invalid(&self, why: &str) -> Result<Told, Error> {
        let first = plain(why);
        for record in self.records()? {
            self.note(&record, INVALID, json!({ "message": first })).await;
        }
        let said = format!("{why}\nnothing has changed: the edit is not valid; what runs stays as it is");
        Ok(Told { said: vec![said], pending: self.pending.clone() })
    }

    /// A manifest whose variables are the user's.
    async fn closed(&self) -> Result<Told, Error> {
        let message = if self.knows_variables {
            "an edit of a manifest that takes variables which nobody agreed to: it waits for `up`"
        } else {
            "an edit of a manifest that takes variables, which the daemon does not have: it waits for `up`"
        };
        for record in self.records()? {
            self.note(&record, PENDING, json!({ "message": message })).await;
        }
        Ok(Told { said: vec![message.to_owned()], pending: Vec::new() })
    }

    /// A valid manifest: what waits for `up` is told.
    async fn valid(
        &self,
        project: &Project,
        known: Option<&Project>,
        was_invalid: bool,
    ) -> Result<Told, Error> {
        let mut said = Vec::new();
        let ours = self.ours(project)?;
        if was_invalid {
            said.push("the manifest is valid again".to_owned());
            for record in &ours {
                self.note(record, VALID, json!({ "message": "the manifest is valid again" })).await;
            }
        }
        let pending = self.pending(project, known).await?;
        let lines: Vec<String> = pending.iter().map(|(_, line)| line.clone()).collect();
        if lines != self.pending {
            for record in &ours {
                let own = pending.iter().filter(|(session, _)| *session == record.session);
                let own: Vec<&str> = own.map(|(_, line)| line.as_str()).collect();
                if !own.is_empty() {
                    self.note(record, PENDING, json!({ "message": own.join("; ") })).await;
                }
            }
            said.extend(lines.iter().map(|line| format!("pending: {line}")));
            if !lines.is_empty() {
                said.push("`clauderon up` does what is pending".to_owned());
            } else if !self.pending.is_empty() {
                said.push("nothing is pending any more".to_owned());
            }
        }
        Ok(Told { said, pending: lines })
    }

    /// What the next `up` would do for an edit, by the sessions' names.
    async fn pending(
        &self,
        project: &Project,
        known: Option<&Project>,
    ) -> Result<Vec<(String, String)>, Error> {
        let engine = context::look(self.home.clone(), &self.engine).await?;
        let plan = up::changes(project, &engine).await?;
        let mut lines = edits(plan, known);
        let owner = owner(rustix::process::getuid().as_raw(), self.home.path());
        let mut certificates = Certificates::default();
        for session in &project.sessions {
            let record = record::read(&self.home, &session_id(&owner, project, &session.name));
            if let Some(record) = record.map_err(file_error)? {
                lines.extend(
                    believed(&mut certificates, session, &record)?.map(|line| (session.name.clone(), line)),
                );
            }
        }
        Ok(lines)
    }

    /// Stores an event. Where no daemon is there to do it, the terminal still says it.
    async fn note(&self, record: &Record, kind: &str, data: serde_json::Value) {
        let told = match Client::connect(&self.home).await {
            Ok(mut client) => client.note(&record.id, kind, data).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::warn!(session = record.session, kind, %error, "an event was lost");
        }
    }

    fn read(&self, noted: &source::Noted) -> Result<Seen, Error> {
        let files = self.named.select()?;
        let user = self.named.user.as_deref();
        let all = || files.iter().map(PathBuf::as_path).chain(user);
        if !self.knows_variables && all().any(source::takes_variables) {
            return Ok(Seen::Closed(self.named.content()));
        }
        let project = context::project_noting(&files, user, noted)?;
        if !consent::knows_variables(&self.home, &project) {
            return Ok(Seen::Closed(self.named.content()));
        }
        for session in &project.sessions {
            noted.borrow_mut().extend(session.hosts.values().filter_map(|host| host.ca.clone()));
            for credential in session.credentials.values() {
                if let Some(Source::File { path, .. }) = &credential.from {
                    noted.borrow_mut().insert(path.clone());
                }
            }
        }
        seen(project)
    }
}

/// The changes of a plan that come from an edit: not that a container is stopped, nor that one was never made.
fn edits(plan: Plan, known: Option<&Project>) -> Vec<(String, String)> {
    let is_new = |name: &String| {
        known.is_some_and(|project| !project.sessions.iter().any(|session| session.name == *name))
    };
    let sessions = plan.sessions.into_iter().filter(|session| match session.effect {
        Effect::Create => is_new(&session.session),
        _ => session.reasons.iter().any(|reason| reason.effect.is_some()),
    });
    let sessions = sessions.map(|session| (session.session.clone(), session.to_string()));
    let deferred = plan.deferred.into_iter().map(|deferred| (deferred.session.clone(), deferred.to_string()));
    let notes = plan.notes.into_iter().map(|note| (String::new(), note));
    sessions.chain(deferred).chain(notes).collect()
}

/// Certificates that a `ca` names now and that are not believed.
fn believed(
    certificates: &mut Certificates,
    session: &Session,
    record: &Record,
) -> Result<Option<String>, Error> {
    let now = certificates.of(session)?;
    let same = |name: &&String| {
        let ca = |hosts: &BTreeMap<String, Host>| hosts.get(*name).and_then(|host| host.ca.clone());
        ca(&session.hosts) == ca(&record.rules.hosts)
    };
    let differing = now.iter().filter(|(name, text)| record.authorities.get(*name) != Some(text));
    let names: Vec<String> =
        differing.map(|(name, _)| name).filter(same).map(|name| format!("`{name}`")).collect();
    let line = format!("live {}: the certificates of {} have changed", session.name, names.join(", "));
    Ok((!names.is_empty()).then_some(line))
}

/// The first line of a message that says something, without colour.
fn plain(text: &str) -> String {
    let mut rest = text.lines().next().unwrap_or_default();
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

fn seen(project: Project) -> Result<Seen, Error> {
    let prints = Certificates::default().prints(&project.sessions)?;
    Ok(Seen::Valid(Box::new(project), prints))
}
