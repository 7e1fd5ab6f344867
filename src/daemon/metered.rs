//! Writes down what a session asks of its model, and tells when its budget is spent and when it may go on.

use super::record::Record;
use super::state::{Served, State};
use crate::fs;
use crate::home::Home;
use crate::hooks::activity::{BUDGET_RAISED, BUDGET_SPENT};
use crate::proxy::ledger::Ledger;
use crate::proxy::meter::{Meter, News};
use crate::proxy::usage::Counts;
use std::path::PathBuf;
use std::sync::Arc;

/// The largest file that is read.
const LARGEST: u64 = 1 << 18;

/// Keeps a session's count until it is stopped: at once, and as often as one write follows the other.
pub async fn serve(state: Arc<State>, served: Served) {
    let meter = state.meter(&served.record.id);
    loop {
        tokio::select! {
            () = served.stop.cancelled() => break,
            () = meter.news() => {}
            () = midnight(&meter) => meter.look(),
        }
        tell(&state, &meter, &served.record).await;
    }
    tell(&state, &meter, &served.record).await;
}

/// Comes where a session waits for its next day.
async fn midnight(meter: &Meter) {
    match meter.until_midnight() {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}

async fn tell(state: &State, meter: &Arc<Meter>, record: &Record) {
    for news in meter.take() {
        let (kind, data) = match news {
            News::Spent(data) => (BUDGET_SPENT, data),
            News::Raised(data) => (BUDGET_RAISED, data),
        };
        state.note(record, "proxy", kind, data).await;
    }
    keep(state, meter, &record.id).await;
}

/// Keeps a session's count for a daemon to come.
async fn keep(state: &State, meter: &Arc<Meter>, id: &str) {
    let _alone = meter.keeping.lock().await;
    let (path, ledger, id) = (path(&state.home, id), meter.ledger(), id.to_owned());
    let _ = tokio::task::spawn_blocking(move || write(path, &ledger, &id)).await;
}

/// The same at the end, when nobody else does.
pub fn keep_last(state: &State, id: &str) {
    write(path(&state.home, id), &state.meter(id).ledger(), id);
}

fn path(home: &Home, id: &str) -> (PathBuf, PathBuf) {
    (home.session(id).path().to_owned(), home.session(id).usage())
}

/// A session that was removed as a whole has none; of one that has asked for nothing there is nothing to keep.
fn write((session, path): (PathBuf, PathBuf), ledger: &Ledger, id: &str) {
    let counted = ledger.total != Counts::default() || fs::exists(&path);
    let text = serde_json::to_vec(ledger).unwrap_or_default();
    if counted
        && fs::exists(&session)
        && let Err(error) = fs::replace(&path, &text, 0o600)
    {
        tracing::error!(id, %error, "what a session has asked of its model was not kept");
    }
}

/// What was kept of a session.
pub fn kept(home: &Home, id: &str) -> Ledger {
    let text = fs::read_small(&home.session(id).usage(), LARGEST);
    let mut ledger: Ledger = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    ledger.turn(jiff::ZonedDateTime::now().date());
    ledger
}
