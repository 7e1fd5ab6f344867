//! Imports of a session's commits: one at a time per session, after a turn, at an end, and when asked.

use super::record::Record;
use super::state::{Served, State};
use crate::worktree::import::{ImportSpec, Imported, import};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long an import is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks for an import; one that waits already is enough.
pub fn ask(served: &Served) {
    // Full: an import waits already. Closed: the session is being forgotten, which imports by itself.
    let _ = served.import.try_send(());
}

/// Imports whenever it is asked for, until the session is stopped.
pub async fn serve(state: Arc<State>, served: Served, mut asked: mpsc::Receiver<()>) {
    loop {
        let more = tokio::select! {
            () = served.stop.cancelled() => return,
            more = asked.recv() => more,
        };
        if more.is_none() {
            return;
        }
        // What came is told by its events.
        let _ = now(&state, &served.record).await;
    }
}

/// Imports now and answers what came, in words.
pub async fn now(state: &Arc<State>, record: &Arc<Record>) -> Result<Vec<String>, String> {
    let Some(spec) = spec(record) else { return Ok(Vec::new()) };
    let lock = state.home.session(&record.id).path().join("import.lock");
    let done = tokio::task::spawn_blocking(move || {
        let lock = crate::fs::append(&lock).map_err(|error| error.to_string())?;
        lock.lock().map_err(|error| error.to_string())?;
        import(&spec).map_err(|error| words(&error))
    });
    // The task itself goes on: an agent that makes it long holds up its own imports alone.
    let outcome = match tokio::time::timeout(PATIENCE, done).await {
        Ok(done) => done.unwrap_or_else(|error| Err(error.to_string())),
        Err(_) => Err(format!("the import takes longer than {} s", PATIENCE.as_secs())),
    };
    match &outcome {
        Ok(imported) => tell(state, record, imported).await,
        Err(error) if state.is_news(&record.id, error) => {
            tracing::warn!(session = record.session, error, "an import failed");
            state.note(record, "reconcile", "import_failed", json!({ "error": error })).await;
        }
        Err(_) => {}
    }
    outcome.map(|imported| lines(&imported))
}

/// The import of a session that has a repository.
fn spec(record: &Record) -> Option<ImportSpec> {
    Some(ImportSpec {
        checkout: record.checkout.clone()?,
        parent: record.parent.clone()?,
        session: record.id.clone(),
        branch: record.branch.clone()?,
    })
}

fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}

async fn tell(state: &Arc<State>, record: &Record, imported: &Imported) {
    if !imported.moved.is_empty() {
        let moved: Vec<_> = imported
            .moved
            .iter()
            .map(|moved| json!({ "ref": moved.name, "old": moved.old, "new": moved.new, "commits": moved.commits }))
            .collect();
        state.note(record, "reconcile", "import", json!({ "moved": moved })).await;
    }
    if !state.is_news(&record.id, &format!("{:?}", imported.conflicts).replace("[]", "")) {
        return;
    }
    for conflict in &imported.conflicts {
        let data = json!({ "ref": conflict.name, "tip": conflict.tip, "reason": conflict.reason, "kept": conflict.kept });
        state.note(record, "reconcile", "import_conflict", data).await;
    }
}

fn lines(imported: &Imported) -> Vec<String> {
    let moved = imported.moved.iter().map(|moved| {
        let plural = if moved.commits == 1 { "" } else { "s" };
        format!("{} is at {} ({} new commit{plural})", moved.name, short(&moved.new), moved.commits)
    });
    let conflicts = imported.conflicts.iter().map(|conflict| {
        let kept = conflict.kept.as_ref().map(|name| format!("; kept as {name}")).unwrap_or_default();
        format!("{} was not moved to {}: {}{kept}", conflict.name, short(&conflict.tip), conflict.reason)
    });
    moved.chain(conflicts).collect()
}

fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}
