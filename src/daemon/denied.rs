//! Tells of refusals: the first at once, then few, however many there are. Each is counted at once, and kept soon.

use super::record::Record;
use super::state::{Served, State};
use crate::fs;
use crate::home::Home;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The least time from one telling to the next.
const QUIET: Duration = Duration::from_secs(1);
/// In the long run, there is one event in this time.
const PACE: Duration = Duration::from_secs(5);
/// As many events may be ahead of that pace.
const AHEAD: u32 = 20;

/// Tells of a session's refusals until it is stopped.
pub async fn serve(state: Arc<State>, served: Served) {
    let denials = state.denials(&served.record.id);
    // When the pace would have been kept.
    let mut even = Instant::now();
    loop {
        tokio::select! {
            () = served.stop.cancelled() => break,
            () = denials.news() => {}
        }
        let count = u32::try_from(tell(&state, &served.record).await).unwrap_or(u32::MAX);
        even = even.max(Instant::now()) + PACE * count;
        loop {
            tokio::select! {
                () = served.stop.cancelled() => break,
                () = tokio::time::sleep(QUIET) => keep(&state, &served.record.id),
            }
            if even <= Instant::now() + PACE * AHEAD {
                break;
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
