//! What is known of a session: its container, its events, its record, joined.

use super::condition::{self, Condition, condition};
use super::context::Engine;
use super::remedy::{engine_error, file_error};
use crate::daemon::client::Client;
use crate::daemon::denied::kept;
use crate::daemon::metered;
use crate::daemon::record::{self, Record};
use crate::error::Error;
use crate::home::Home;
use crate::hooks::activity::{Fold, Seen, Told};
use crate::manifest::project::AgentKind;
use crate::plan::observed::{Container, ContainerState, Known};
use crate::proxy::usage::Counts;
use crate::render::identity::conversation_id;
use crate::store::{Event, Reader};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One session's status.
pub struct Status {
    /// The container, where there is one.
    pub container: Option<Container>,
    /// The record, where there is one.
    pub record: Option<Record>,
    /// The session's name.
    pub session: String,
    /// The project's name.
    pub project: String,
    /// The project's root.
    pub root: String,
    /// The session's id.
    pub id: String,
    /// What befell its container.
    pub condition: Condition,
    /// What the agent is doing.
    pub told: Told,
    fold: Fold,
    seen: Seen,
    /// How many of its requests were refused, where there is a record.
    pub denied: Option<u64>,
    /// What it has asked of its model, where there is a record.
    pub usage: Option<Counts>,
    /// Changes of the manifest that are not done yet.
    pub pending: Vec<Value>,
}

impl Status {
    /// The word of the contract for what the container is doing.
    pub fn state(&self) -> &'static str {
        self.condition.state
    }

    /// The exit code, once there is one.
    pub fn exit_code(&self) -> Option<i64> {
        match self.container.as_ref()?.state {
            ContainerState::Exited(code) => Some(code),
            _ => None,
        }
    }

    /// Which conversation it has.
    fn conversation(&self) -> u32 {
        let told = self.container.as_ref().map_or("", |container| container.label("conversation"));
        let kept = self.record.as_ref().map_or(0, |record| record.conversation);
        kept.max(told.parse().unwrap_or(0))
    }

    /// The JSON of the contract.
    pub fn json(&self) -> Value {
        let label = |name: &str| self.container.as_ref().map(|container| container.label(name).to_owned());
        let record = self.record.as_ref();
        json!({
            "project": self.project,
            "root": self.root,
            "session": self.session,
            "id": self.id,
            "agent": label("agent"),
            "backend": "docker",
            "state": self.state(),
            "exit_code": self.exit_code(),
            "error": self.condition.error,
            "output": self.condition.output,
            "activity": self.told.activity.word(),
            "activity_since": self.told.since,
            "waiting_for": self.told.waiting_for,
            "pending": self.pending,
            "container": self.container.as_ref().map(|container| &container.name),
            "image": self.container.as_ref().map(|container| &container.image),
            "branch": record.and_then(|record| record.branch.clone()),
            "checkout": record.and_then(Record::workspace).map(|path| path.display().to_string()),
            "conversation": conversation_id(&self.id, self.conversation()),
            "ports": [],
            "usage": self.usage.map(|it| json!({
                "requests": it.requests,
                "input_tokens": it.input_tokens,
                "output_tokens": it.output_tokens,
            })),
            "denied": self.denied,
        })
    }
}

/// The status of sessions given as `(name, project, root, id)`.
pub fn statuses(
    engine: &Engine,
    sessions: &[(String, String, String, String)],
    records: Vec<Record>,
) -> Result<Vec<Status>, Error> {
    let ids: Vec<String> = sessions.iter().map(|(_, _, _, id)| id.clone()).collect();
    let events = latest(engine, &ids)?;
    let now = Timestamp::now();
    let mut records: BTreeMap<String, Record> =
        records.into_iter().map(|record| (record.id.clone(), record)).collect();
    let status = |(session, project, root, id): &(String, String, String, String)| {
        let container = engine.observed.session(id).cloned();
        let record = records.remove(id);
        let fold = Fold::of(events.get(id).map_or(&[], Vec::as_slice));
        let seen = Seen {
            running: container.as_ref().is_some_and(|it| it.state == ContainerState::Running),
            quiet: container.as_ref().is_some_and(|it| it.label("agent") == AgentKind::Codex.as_str()),
            heard: None,
            now,
        };
        Status {
            condition: condition(&engine.home, id, container.as_ref(), record.as_ref()),
            denied: record.as_ref().map(|record| kept(&engine.home, &record.id)),
            usage: record.as_ref().map(|record| metered::kept(&engine.home, &record.id).total),
            told: fold.told(seen),
            fold,
            seen,
            record,
            container,
            pending: Vec::new(),
            session: session.clone(),
            project: project.clone(),
            root: root.clone(),
            id: id.clone(),
        }
    };
    Ok(sessions.iter().map(status).collect())
}

/// Asks the daemon how many requests were refused, what was asked of models, and who speaks with one; without one, what is
/// kept stands.
pub async fn ask_daemon(engine: &Engine, statuses: &mut [Status]) {
    let recorded = || statuses.iter().filter(|status| status.record.is_some());
    let ids: Vec<String> = recorded().map(|status| status.id.clone()).collect();
    let Ok(mut client) = Client::connect(&engine.home).await else { return };
    let Ok(counts) = client.denied(&ids).await else { return };
    // A daemon of before knows nothing of these.
    let heard = client.heard(&ids).await.unwrap_or_else(|_| vec![None; ids.len()]);
    let ledgers =
        client.usage(&ids).await.map(|all| all.into_iter().map(|ledger| Some(ledger.total)).collect());
    let used: Vec<Option<Counts>> = ledgers.unwrap_or_else(|_| vec![None; ids.len()]);
    let statuses = statuses.iter_mut().filter(|status| status.record.is_some());
    for (status, ((count, heard), used)) in statuses.zip(counts.into_iter().zip(heard).zip(used)) {
        status.denied = Some(count);
        status.usage = used.or(status.usage);
        status.seen.heard = heard.and_then(|heard| Timestamp::from_millisecond(heard).ok());
        status.told = status.fold.told(status.seen);
    }
}

/// What a plan must know of these sessions beside their containers.
pub fn known(engine: &Engine, ids: &[String]) -> Result<BTreeMap<String, Known>, Error> {
    let events = latest(engine, ids)?;
    let mut all = BTreeMap::new();
    for id in ids {
        let record = record::read(&engine.home, id).map_err(file_error)?;
        let container = engine.observed.session(id);
        let lost = record.as_ref().is_some_and(|record| condition::lost(record, container.is_some()));
        let (kept, conversation) =
            record.map(|record| (record.fields, record.conversation)).unwrap_or_default();
        let touched = container.and_then(|container| condition::life(&engine.home, container));
        let touched = touched.map(|life| life.changed).unwrap_or_default();
        let busy = Fold::of(events.get(id).map_or(&[], Vec::as_slice)).is_busy();
        let working = busy && container.is_some_and(Container::runs);
        all.insert(id.clone(), Known { working, kept, conversation, touched, lost });
    }
    Ok(all)
}

/// The newest events of each session, oldest first.
pub fn latest(engine: &Engine, ids: &[String]) -> Result<BTreeMap<String, Vec<Event>>, Error> {
    reader(engine)?.map_or_else(|| Ok(BTreeMap::new()), |reader| newest(&reader, ids))
}

/// The same from a store that is open.
pub fn newest(reader: &Reader, ids: &[String]) -> Result<BTreeMap<String, Vec<Event>>, Error> {
    reader.latest(ids, 50).map_err(|error| Error::failed("could not read the events").because(error))
}

/// The store, where there is one yet.
pub fn reader(engine: &Engine) -> Result<Option<Reader>, Error> {
    reader_of(&engine.home)
}

/// The store of a home, where there is one yet.
pub fn reader_of(home: &Home) -> Result<Option<Reader>, Error> {
    let opened = Reader::open(&home.database());
    opened.map_err(|error| Error::failed("could not open the events").because(error))
}

/// Looks at the engine again.
pub async fn refresh(engine: &mut Engine) -> Result<(), Error> {
    use crate::backend::Backend;
    engine.observed = engine.docker.observe().await.map_err(engine_error)?;
    Ok(())
}
