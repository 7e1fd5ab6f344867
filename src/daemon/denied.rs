//! Tells of refusals: the first at once, then few, however many there are. Each is counted.

use super::record::Record;
use super::state::{Served, State};
use crate::fs;
use crate::home::Home;
use std::sync::Arc;
use std::time::Duration;

/// The least time from one event to the next; several that were told at once are waited for together.
const QUIET: Duration = Duration::from_secs(5);

/// Tells of a session's refusals until it is stopped.
pub async fn serve(state: Arc<State>, served: Served) {
    let denials = state.denials(&served.record.id);
    loop {
        tokio::select! {
            () = served.stop.cancelled() => break,
            () = denials.news() => {}
        }
        for _ in 0..tell(&state, &served.record).await {
            tokio::select! {
                () = served.stop.cancelled() => break,
                () = tokio::time::sleep(QUIET) => keep(&state, &served.record.id),
            }
        }
    }
    tell(&state, &served.record).await;
}

/// Stores what was not told yet, and answers how many events that were.
pub async fn tell(state: &State, record: &Record) -> usize {
    let told = state.denials(&record.id).take();
    let count = told.len();
    for data in told {
        state.note(record, "proxy", "denied", data).await;
    }
    keep(state, &record.id);
    count
}

/// Keeps a session's number for a daemon to come.
pub fn keep(state: &State, id: &str) {
    let total = state.denials(id).total();
    let path = state.home.session(id).denied();
    // A session that was removed as a whole has none; one that was refused nothing needs none.
    if (total > 0 || fs::exists(&path))
        && let Err(error) = fs::replace(&path, total.to_string().as_bytes(), 0o600)
    {
        tracing::debug!(id, %error, "the number of refusals was not kept");
    }
}

/// The number that was kept of a session.
pub fn kept(home: &Home, id: &str) -> u64 {
    let text = fs::read_small(&home.session(id).denied(), 32);
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
