//! What the live view is drawn from: the engine, the store of events, and what the daemon knows. At rest nothing is read
//! again: the store tells when it has grown, the engine when a container has ended.

use super::board::{Row, plain};
use crate::backend::{self, Backend};
use crate::cli::condition::{Condition, condition};
use crate::cli::context::Engine;
use crate::cli::remedy::engine_error;
use crate::cli::{events, ground, status};
use crate::daemon::client::Client;
use crate::daemon::record::Record;
use crate::error::Error;
use crate::hooks::activity::{Fold, Seen};
use crate::manifest::project::AgentKind;
use crate::plan::observed::{Container, ContainerState};
use crate::store::{Event, Filter};
use crate::watch::growth::Growth;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Which sessions are shown.
#[derive(Clone, Debug)]
pub enum Scope {
    /// These, by id.
    Ids(Vec<String>),
    /// Those of the project at this root.
    Root(String),
    /// All of this user's.
    All,
}

/// Where the live view comes from.
pub struct Source {
    engine: Engine,
    scope: Scope,
    growth: Growth,
    filter: Filter,
    sessions: BTreeMap<String, Session>,
    away: bool,
}

/// What is known of a session.
struct Session {
    name: String,
    project: String,
    root: String,
    branch: String,
    condition: Condition,
    fold: Fold,
    seen: Seen,
    tool: String,
    /// Tokens that its model has counted.
    tokens: u64,
}

impl Source {
    /// Looks for the first time.
    pub async fn begin(engine: Engine, scope: Scope) -> Result<Self, Error> {
        let growth = Growth::of_store(&engine.home.database());
        let newest = status::reader(&engine)?.and_then(|reader| reader.last_seq().ok()).unwrap_or(0);
        let filter = Filter { ids: None, after: newest, limit: 1000 };
        let mut source = Self { engine, scope, growth, filter, sessions: BTreeMap::new(), away: false };
        source.take_in()?;
        source.ask().await;
        Ok(source)
    }

    /// Returns once the store has grown.
    pub async fn grown(&mut self) {
        self.growth.grown().await;
    }

    /// Looks at the engine again. One that is away changes nothing.
    pub async fn observe(&mut self) -> Result<(), Error> {
        match self.engine.docker.observe().await {
            Ok(observed) => {
                (self.engine.observed, self.away) = (observed, false);
                self.take_in()
            }
            Err(backend::Error::Unreachable { .. }) => {
                self.away = true;
                Ok(())
            }
            Err(error) => Err(engine_error(error)),
        }
    }

    /// Whether the engine does not answer.
    pub fn is_away(&self) -> bool {
        self.away
    }

    /// Takes in what the engine and the records say.
    fn take_in(&mut self) -> Result<(), Error> {
        let records: BTreeMap<String, Record> = ground::records(&self.engine.home)?
            .into_iter()
            .map(|record| (record.id.clone(), record))
            .collect();
        let owner = &self.engine.owner;
        let ours = |container: &&Container| container.label("owner") == owner && !container.helps();
        let shown = |id: &str, root: &str| match &self.scope {
            Scope::Ids(ids) => ids.iter().any(|it| it == id),
            Scope::Root(of) => of == root,
            Scope::All => true,
        };
        let of_containers = self.engine.observed.containers.iter().filter(ours);
        let mut ids: Vec<String> = of_containers
            .filter(|container| shown(container.label("id"), container.label("root")))
            .map(|container| container.label("id").to_owned())
            .collect();
        let active = records.values().filter(|record| record.active);
        ids.extend(active.filter(|it| shown(&it.id, &it.root.display().to_string())).map(|it| it.id.clone()));
        self.sessions.retain(|id, _| ids.contains(id));
        let new: Vec<String> = ids.iter().filter(|id| !self.sessions.contains_key(*id)).cloned().collect();
        let mut latest = status::latest(&self.engine, &new)?;
        for id in ids {
            let container = self.engine.observed.session(&id);
            let record = records.get(&id);
            let before = self.sessions.remove(&id);
            let told = latest.remove(&id).unwrap_or_default();
            let session = session(&self.engine, &id, container, record);
            let session = match before {
                Some(before) => Session {
                    fold: before.fold,
                    tool: before.tool,
                    tokens: before.tokens,
                    seen: Seen { heard: before.seen.heard, ..session.seen },
                    ..session
                },
                None => Session { fold: Fold::of(&told), tool: tool(&told).unwrap_or_default(), ..session },
            };
            self.sessions.insert(id, session);
        }
        Ok(())
    }

    /// Reads what is new in the store, and answers it in words.
    pub fn hear(&mut self) -> Result<Vec<String>, Error> {
        let Some(reader) = status::reader(&self.engine)? else { return Ok(Vec::new()) };
        let mut lines = Vec::new();
        loop {
            let read = reader.events(&self.filter);
            let events = read.map_err(|error| Error::failed("could not read the events").because(error))?;
            let Some(last) = events.last() else { return Ok(lines) };
            self.filter.after = last.seq;
            for event in &events {
                let Some(session) = self.sessions.get_mut(&event.id) else { continue };
                session.fold.hear(event);
                if let Some(tool) = tool(std::slice::from_ref(event)) {
                    session.tool = tool;
                }
                lines.push(events::brief(event));
            }
        }
    }

    /// Asks the daemon who speaks with a model, and how much. Without one, nothing is heard.
    pub async fn ask(&mut self) {
        let ids: Vec<String> = self.sessions.keys().cloned().collect();
        let Ok(mut client) = Client::connect(&self.engine.home).await else { return };
        let Ok(heard) = client.heard(&ids).await else { return };
        for (session, heard) in self.sessions.values_mut().zip(heard) {
            session.seen.heard = heard.and_then(|heard| Timestamp::from_millisecond(heard).ok());
        }
        let Ok(ledgers) = client.usage(&ids).await else { return };
        for (session, ledger) in self.sessions.values_mut().zip(ledgers) {
            session.tokens = ledger.total.tokens();
        }
    }

    /// What is shown now.
    pub fn rows(&self) -> Vec<Row> {
        let now = Timestamp::now();
        let several = !matches!(self.scope, Scope::Ids(_) | Scope::Root(_));
        let mut rows: Vec<Row> =
            self.sessions.iter().map(|(id, session)| row(id, session, several, now)).collect();
        rows.sort_by(|left, right| (&left.project, &left.session).cmp(&(&right.project, &right.session)));
        rows
    }
}

fn session(engine: &Engine, id: &str, container: Option<&Container>, record: Option<&Record>) -> Session {
    let label = |name: &str| container.map_or("", |container| container.label(name)).to_owned();
    let of =
        |told: String, kept: Option<String>| if told.is_empty() { kept.unwrap_or_default() } else { told };
    Session {
        name: of(label("session"), record.map(|record| record.session.clone())),
        project: of(label("project"), record.map(|record| record.project.clone())),
        root: of(label("root"), record.map(|record| record.root.display().to_string())),
        branch: record.and_then(|record| record.branch.clone()).unwrap_or_default(),
        condition: condition(&engine.home, id, container, record),
        fold: Fold::default(),
        seen: Seen {
            running: container.is_some_and(|it| it.state == ContainerState::Running),
            quiet: label("agent") == AgentKind::Codex.as_str(),
            heard: None,
            now: Timestamp::now(),
        },
        tool: String::new(),
        tokens: 0,
    }
}

fn row(id: &str, session: &Session, several: bool, now: Timestamp) -> Row {
    let told = session.fold.told(Seen { now, ..session.seen });
    let since = told.since.as_ref().and_then(|since| since.parse::<Timestamp>().ok());
    Row {
        id: id.to_owned(),
        session: session.name.clone(),
        project: several.then(|| session.project.clone()),
        root: session.root.clone(),
        state: session.condition.state.to_owned(),
        seconds: since.map_or(0, |since| now.duration_since(since).as_secs()),
        told,
        doing: session.condition.error.as_deref().map_or_else(|| session.tool.clone(), plain),
        branch: session.branch.clone(),
        tokens: (session.tokens > 0).then_some(session.tokens),
        changes: String::new(),
    }
}

/// The newest tool that was used, and on what.
fn tool(events: &[Event]) -> Option<String> {
    let used = events.iter().rev().find(|event| event.source == "hook" && event.kind == "PreToolUse")?;
    let input = &used.data["tool_input"];
    let on = ["command", "file_path", "pattern", "url", "description"]
        .iter()
        .find_map(|name| input[*name].as_str());
    let name = used.data["tool_name"].as_str().unwrap_or_default();
    let line = format!("{name} {}", on.unwrap_or_default().lines().next().unwrap_or_default());
    Some(plain(&line).chars().take(120).collect())
}
