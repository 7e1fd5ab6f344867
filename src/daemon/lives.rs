//! The lives of all sessions: one file each, written by the daemon alone and read by anybody.

use super::life::{Life, ended_by_engine};
use crate::fs;
use crate::home::Home;
use crate::plan::restart::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The largest file that is read.
const LARGEST: u64 = 1 << 18;

/// The lives of the sessions that were asked for since the daemon began.
pub struct Lives {
    home: Home,
    known: Mutex<BTreeMap<String, Life>>,
    /// Sessions that are being started: nothing of them is due.
    starting: Mutex<BTreeSet<String>>,
    changed: Notify,
}

impl Lives {
    /// The lives of a home.
    pub fn new(home: Home) -> Self {
        Self { home, known: Mutex::default(), starting: Mutex::default(), changed: Notify::new() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Life>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn starting(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session's life as it is known now.
    pub fn get(&self, id: &str) -> Life {
        let mut known = self.known();
        known.entry(id.to_owned()).or_insert_with(|| read(&self.home, id).unwrap_or_default()).clone()
    }

    /// Changes a session's life, and keeps what comes of it.
    pub fn change<T>(&self, id: &str, change: impl FnOnce(&mut Life) -> T) -> T {
        let mut known = self.known();
        let life = known.entry(id.to_owned()).or_insert_with(|| read(&self.home, id).unwrap_or_default());
        let before = life.clone();
        let answer = change(life);
        if *life != before {
            self.keep(id, life);
            self.changed.notify_one();
        }
        answer
    }

    /// A session without a directory is none any more, and has nothing to be kept.
    fn keep(&self, id: &str, life: &Life) {
        let session = self.home.session(id);
        let text = serde_json::to_vec(life).unwrap_or_default();
        if fs::exists(session.path())
            && let Err(error) = fs::replace(&session.life(), &text, 0o600)
        {
            tracing::error!(id, %error, "what befell a session's container was not kept");
        }
    }

    /// The engine has hung up: the sessions that it ended as it went, if it did not only hang up.
    pub fn ended_by_engine(&self) -> Vec<String> {
        ended_by_engine(&self.known(), now())
    }

    /// Forgets a session: its container is gone because the user wanted it so.
    pub fn forget(&self, id: &str) {
        self.known().remove(id);
        if let Err(error) = fs::remove_file(&self.home.session(id).life()) {
            tracing::debug!(id, %error, "a session's life is still kept");
        }
        self.changed.notify_one();
    }

    /// The session whose container this is.
    pub fn of_container(&self, container: &str) -> Option<String> {
        let known = self.known();
        known.iter().find(|(_, life)| life.container == container).map(|(id, _)| id.clone())
    }

    /// A session is being started from now on, or no longer.
    pub fn set_starting(&self, id: &str, starts: bool) {
        if starts {
            self.starting().insert(id.to_owned());
        } else {
            self.starting().remove(id);
            self.changed.notify_one();
        }
    }

    /// Waits until sessions are due, and answers which. Nothing ticks where nothing waits.
    pub async fn due(&self) -> Vec<String> {
        loop {
            let now = now();
            let waiting = self.waiting(now);
            let due: Vec<String> =
                waiting.iter().filter(|(_, at)| *at <= now).map(|(id, _)| id.clone()).collect();
            if !due.is_empty() {
                return due;
            }
            match waiting.iter().map(|(_, at)| at - now).min() {
                None => self.changed.notified().await,
                Some(pause) => {
                    let pause = Duration::from_millis(u64::try_from(pause).unwrap_or(0));
                    // It is woken by each change too.
                    let _ = tokio::time::timeout(pause, self.changed.notified()).await;
                }
            }
        }
    }

    fn waiting(&self, now: Millis) -> Vec<(String, Millis)> {
        let (known, starting) = (self.known(), self.starting());
        let waits = known.iter().filter(|(id, _)| !starting.contains(*id));
        waits.filter_map(|(id, life)| Some((id.clone(), life.due(now)?))).collect()
    }
}

/// A session's life as it was kept last.
pub fn read(home: &Home, id: &str) -> Option<Life> {
    serde_json::from_str(&fs::read_small(&home.session(id).life(), LARGEST)?).ok()
}

/// Milliseconds since 1970.
pub fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}
