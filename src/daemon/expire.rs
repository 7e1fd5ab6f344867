//! Stops sessions that have lasted as long as they may, as `stop` does it. Nothing ticks where no session has a limit.

use super::state::{Served, State};
use super::timeout::{Limit, deadline};
use super::{import, lives, session};
use crate::apply::GRACE;
use crate::backend::Backend;
use crate::backend::docker::Docker;
use crate::home::Home;
use crate::hooks::activity::Fold;
use crate::plan::restart::Millis;
use crate::store::Reader;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The type of the event that a session was stopped since it has lasted as long as it may.
const TIMEOUT: &str = "timeout";
/// When a stop that failed is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// Events from which it is told whether an agent rests.
const EVENTS: usize = 50;

/// Waits until sessions have lasted as long as they may, and answers which and why.
pub async fn over(state: &Arc<State>) -> Vec<(Served, Limit)> {
    loop {
        let now = lives::now();
        let (due, next) = look(state, now);
        let mut over = Vec::new();
        for (served, limit) in due {
            if matches!(limit, Limit::Run(_)) || rests(state, &served, limit, now).await {
                over.push((served, limit));
            }
        }
        if !over.is_empty() {
            return over;
        }
        let pause = next.map(|next| Duration::from_millis(u64::try_from(next - now).unwrap_or(0)));
        match pause {
            None => state.timed.notified().await,
            // It is woken by each change too.
            Some(pause) => drop(tokio::time::timeout(pause, state.timed.notified()).await),
        }
    }
}

/// The sessions whose time is over as far as is known, and when the next one's is.
fn look(state: &State, now: Millis) -> (Vec<(Served, Limit)>, Option<Millis>) {
    let all: Vec<Served> = state.sessions().values().cloned().collect();
    let (mut due, mut next): (Vec<_>, Option<Millis>) = (Vec::new(), None);
    for served in all {
        let id = &served.record.id;
        let life = state.lives.get(id);
        let heard = state.heard(id).max(served.caller.heard().unwrap_or(0));
        let Some((at, limit)) = deadline(served.record.timeout, &life, heard) else { continue };
        if state.is_ending(id) {
            continue;
        }
        if at <= now {
            due.push((served, limit));
        } else {
            next = Some(next.map_or(at, |next| next.min(at)));
        }
    }
    (due, next)
}

/// Whether an agent has rested so long: the daemon may be younger than its last sign, and in a turn it may be silent.
async fn rests(state: &State, served: &Served, limit: Limit, now: Millis) -> bool {
    let (home, id) = (state.home.clone(), served.record.id.clone());
    let last = tokio::task::spawn_blocking(move || last(&home, &id)).await.ok().flatten();
    let Limit::Idle(seconds) = limit else { return true };
    let Some((heard, rests)) = last else { return true };
    let idle = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(Millis::MAX);
    if rests && heard.saturating_add(idle) <= now {
        return true;
    }
    state.hear(&served.record.id, if rests { heard } else { now });
    false
}

/// When there was an event of the agent last, and whether it rests since.
fn last(home: &Home, id: &str) -> Option<(Millis, bool)> {
    let reader = Reader::open(&home.database()).ok()??;
    let ids = [id.to_owned()];
    let events = reader.latest(&ids, EVENTS).ok()?.remove(id)?;
    let heard = events.iter().rev().find(|event| event.source == "hook")?;
    let at: jiff::Timestamp = heard.time.parse().ok()?;
    Some((at.as_millisecond(), !Fold::of(&events).is_busy()))
}

/// Stops them, each by itself.
pub fn stop(state: &Arc<State>, docker: &Docker, over: Vec<(Served, Limit)>) {
    for (served, limit) in over {
        let id = served.record.id.clone();
        state.set_ending(&id, true);
        let (of_state, docker) = (Arc::clone(state), docker.clone());
        state.tasks.spawn(async move {
            if !end(&of_state, &docker, &served, limit).await {
                tokio::select! {
                    () = of_state.shutdown.cancelled() => {}
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
            of_state.set_ending(&id, false);
        });
    }
}

async fn end(state: &Arc<State>, docker: &Docker, served: &Served, limit: Limit) -> bool {
    let (id, words) = (&served.record.id, limit.words());
    // Before the engine tells of it: it is not started again.
    let life = state.lives.change(id, |life| {
        life.timed_out(&words, lives::now());
        life.clone()
    });
    if let Err(error) = docker.stop(&life.container, GRACE).await {
        tracing::warn!(session = served.record.session, %error, "a session whose time is over was not stopped");
        return false;
    }
    session::drain(state, served).await;
    // What came is told by its events.
    let _ = import::now(state, &served.record).await;
    let message = format!("stopped: {words}; `clauderon start` goes on with the conversation");
    state.note(&served.record, "reconcile", TIMEOUT, json!({ "message": message })).await;
    true
}
