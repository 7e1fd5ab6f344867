//! What the daemon's parts share: the store, the sessions that it serves, and the way events are recorded.

use super::lives::Lives;
use super::notify::{self, Notices};
use super::record::Record;
use super::turns::{self, Turns};
use crate::credential::keeper::Keeper;
use crate::home::Home;
use crate::plan::restart::Millis;
use crate::proxy::caller::{Caller, Installation};
use crate::proxy::denials::Denials;
use crate::proxy::meter::Meter;
use crate::store::{Event, New, Writer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the daemon's parts share.
pub struct State {
    /// Where everything is.
    pub home: Home,
    /// The store.
    pub store: Writer,
    /// The proxy.
    pub proxy: Arc<Installation>,
    /// The values of credentials.
    pub keeper: Arc<Keeper>,
    /// What befell the sessions' containers.
    pub lives: Lives,
    /// What the agents are doing.
    pub turns: Arc<Turns>,
    /// What is run on this machine when one needs a person.
    pub notices: Arc<Notices>,
    /// Ends everything.
    pub shutdown: CancellationToken,
    /// Every task, joined at the end.
    pub tasks: TaskTracker,
    /// The port of the hook endpoint, where there is one.
    pub http_port: Option<u16>,
    /// Since when.
    pub since: String,
    sessions: Mutex<BTreeMap<String, Served>>,
    told: Mutex<BTreeMap<String, String>>,
    imports: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    denials: Mutex<BTreeMap<String, Arc<Denials>>>,
    meters: Mutex<BTreeMap<String, Arc<Meter>>>,
    heard: Mutex<BTreeMap<String, Millis>>,
    ending: Mutex<BTreeSet<String>>,
    /// Told where it may have changed how long a session may last.
    pub timed: Notify,
    engine_away: Mutex<Option<(String, bool)>>,
}

/// One session that is served.
#[derive(Clone)]
pub struct Served {
    /// What is known of it.
    pub record: Arc<Record>,
    /// The session as the proxy knows it.
    pub caller: Arc<Caller>,
    /// Its hook token.
    pub token: Arc<str>,
    /// Ends its tasks.
    pub stop: CancellationToken,
    /// Its places at the hook endpoint.
    pub places: Arc<Semaphore>,
    /// Held by the one who empties its spool: two would store an event twice.
    pub spool: Arc<tokio::sync::Mutex<()>>,
    /// Asks for an import.
    pub import: tokio::sync::mpsc::Sender<()>,
}

impl State {
    /// A state that serves nothing yet.
    pub fn new(
        home: Home,
        store: Writer,
        proxy: Arc<Installation>,
        keeper: Arc<Keeper>,
        http_port: Option<u16>,
    ) -> Self {
        Self {
            lives: Lives::new(home.clone()),
            turns: Arc::default(),
            notices: Arc::default(),
            home,
            store,
            proxy,
            keeper,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            http_port,
            since: now(),
            sessions: Mutex::default(),
            told: Mutex::default(),
            imports: Mutex::default(),
            denials: Mutex::default(),
            meters: Mutex::default(),
            heard: Mutex::default(),
            ending: Mutex::default(),
            timed: Notify::new(),
            engine_away: Mutex::default(),
        }
    }

    /// The sessions that are served, by id.
    pub fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Served>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when the engine is away, where it is, and whether that was told.
    pub fn engine_away(&self) -> MutexGuard<'_, Option<(String, bool)>> {
        self.engine_away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held by the one import of a session that goes on, whoever asked for it.
    pub fn importing(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut imports = self.imports.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(imports.entry(id.to_owned()).or_default())
    }

    /// A session's refusals, which go on from the number that was kept.
    pub fn denials(&self, id: &str) -> Arc<Denials> {
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = || Arc::new(Denials::after(super::denied::kept(&self.home, id)));
        Arc::clone(denials.entry(id.to_owned()).or_insert_with(begun))
    }

    /// What a session asks of its model, which goes on from what was kept.
    pub fn meter(&self, id: &str) -> Arc<Meter> {
        let begun = || Arc::new(Meter::after(super::metered::kept(&self.home, id)));
        Arc::clone(self.meters().entry(id.to_owned()).or_insert_with(begun))
    }

    /// Counts a session no longer: what is kept of it may go with its directory.
    pub fn forget_meter(&self, id: &str) {
        self.meters().remove(id);
    }

    /// There was a sign of a session's agent.
    pub fn hear(&self, id: &str, at: Millis) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let last = heard.entry(id.to_owned()).or_insert(at);
        *last = at.max(*last);
    }

    /// When there was one last, since the daemon began.
    pub fn heard(&self, id: &str) -> Millis {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or(0)
    }

    /// A session whose time is over is being stopped from now on, or no longer.
    pub fn set_ending(&self, id: &str, ends: bool) {
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if ends {
            ending.insert(id.to_owned());
        } else {
            ending.remove(id);
            self.timed.notify_one();
        }
    }

    /// Whether it is.
    pub fn is_ending(&self, id: &str) -> bool {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    fn meters(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Meter>>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this trouble of a session's import is another than the last that was told; it is told once.
    pub fn is_news(&self, id: &str, trouble: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before =
            if trouble.is_empty() { told.remove(id) } else { told.insert(id.to_owned(), trouble.to_owned()) };
        !trouble.is_empty() && before.as_deref() != Some(trouble)
    }

    /// Stores an event of a session.
    pub async fn record(
        &self,
        record: &Record,
        source: &'static str,
        kind: &str,
        data: Value,
    ) -> Result<(), crate::store::Error> {
        let (time, gist) = (now(), turns::gist(&data));
        let (project, id) = (record.project.clone(), record.id.clone());
        let (session, kind) = (record.session.clone(), kind.to_owned());
        let new = New { time, project, id, session, source, kind, data };
        let mut event = Event::of(&new, gist);
        event.seq = self.store.store(new).await?;
        if let Some((before, told)) = turns::heard(&self.turns, &self.home, &event).await {
            notify::heard(self, record, &event, &before, &told);
        }
        Ok(())
    }

    /// Stores an event whose loss is logged and no more.
    pub async fn note(&self, record: &Record, source: &'static str, kind: &str, data: Value) {
        if let Err(error) = self.record(record, source, kind, data).await {
            tracing::error!(session = record.session, %error, "an event was lost");
        }
    }
}

/// Now, RFC 3339 in UTC with milliseconds.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
