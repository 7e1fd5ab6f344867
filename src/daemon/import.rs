//! Imports of a session's commits: one at a time per session, after a turn, at an end, and when asked. However often
//! an agent asks, one waits at most, and most of the time is left to others.

use super::record::Record;
use super::state::{Served, State};
use crate::manifest::project::Checkout;
use crate::worktree::import::{ImportSpec, Imported, import};
use crate::worktree::parent;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedMutexGuard, mpsc};

/// How long an import is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// The least time from one import that an agent asked for to the next.
const QUIET: Duration = Duration::from_millis(200);

/// Asks for an import; one that waits already is enough.
pub fn ask(served: &Served) {
    // Full: an import waits already. Closed: the session is being forgotten, which imports by itself.
    let _ = served.import.try_send(());
}

/// Imports whenever it is asked for, until the session is stopped.
pub async fn serve(state: Arc<State>, served: Served, asked: mpsc::Receiver<()>) {
    let mut turns = Turns { asked, quiet: QUIET, begun: None };
    loop {
        let more = tokio::select! {
            () = served.stop.cancelled() => return,
            more = turns.next() => more,
        };
        if !more {
            return;
        }
        // What came is told by its events.
        let _ = now(&state, &served.record).await;
    }
}

/// An agent can ask without end: a turn is for all that was asked since the last one began, and four times as long as
/// one took nothing is done for it.
struct Turns {
    asked: mpsc::Receiver<()>,
    quiet: Duration,
    begun: Option<Instant>,
}

impl Turns {
    /// Waits for the next turn; the one before is over when this is called. `false`: nobody can ask any more.
    async fn next(&mut self) -> bool {
        if let Some(begun) = self.begun.take() {
            tokio::time::sleep(self.quiet.max(begun.elapsed() * 4).min(PATIENCE)).await;
        }
        let more = self.asked.recv().await.is_some();
        self.begun = Some(Instant::now());
        more
    }
}

/// Imports now and answers what came, in words.
pub async fn now(state: &Arc<State>, record: &Arc<Record>) -> Result<Vec<String>, String> {
    let Some(spec) = spec(record) else { return Ok(without(record)) };
    let deadline = Instant::now() + PATIENCE;
    let late = |_| Err(format!("the import takes longer than {} s", PATIENCE.as_secs()));
    let alone = state.importing(&record.id).lock_owned();
    let outcome = match tokio::time::timeout_at(deadline.into(), alone).await {
        Ok(alone) => {
            let done = run(state, record, spec, alone);
            tokio::time::timeout_at(deadline.into(), done).await.unwrap_or_else(late)
        }
        Err(elapsed) => late(elapsed),
    };
    match &outcome {
        Ok(imported) => {
            tell(state, record, imported).await;
            tell_deleted(state, record).await;
        }
        Err(error) if state.is_news(&record.id, error) => {
            tracing::warn!(session = record.session, error, "an import failed");
            state.note(record, "reconcile", "import_failed", json!({ "error": error })).await;
        }
        Err(_) => {}
    }
    outcome.map(|imported| lines(&imported))
}

/// Imports on a thread that goes on though nobody waits for it any more, and is alone as long as it does: an agent that
/// makes it long holds up its own imports and no thread but one.
async fn run(
    state: &State,
    record: &Record,
    spec: ImportSpec,
    alone: OwnedMutexGuard<()>,
) -> Result<Imported, String> {
    let lock = state.home.session(&record.id).path().join("import.lock");
    let done = tokio::task::spawn_blocking(move || {
        let _alone = alone;
        // Another daemon's import, of one that was killed, may go on still.
        let lock = crate::fs::append(&lock).map_err(|error| error.to_string())?;
        lock.lock().map_err(|error| error.to_string())?;
        import(&spec).map_err(|error| words(&error))
    });
    done.await.unwrap_or_else(|error| Err(error.to_string()))
}

/// What there is to say of a session whose commits are not imported.
fn without(record: &Record) -> Vec<String> {
    let branch = record.branch.iter().filter(|_| record.kind != Checkout::Clone);
    branch
        .map(|it| format!("nothing to import: its agent commits to `{it}` in your repository itself"))
        .collect()
}

/// The import of a session that has a repository of its own.
fn spec(record: &Record) -> Option<ImportSpec> {
    if record.kind != Checkout::Clone {
        return None;
    }
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

/// A branch that the user has deleted is told once; it is theirs to delete.
async fn tell_deleted(state: &State, record: &Record) {
    let Some(spec) = spec(record) else { return };
    let looked = tokio::task::spawn_blocking(move || (is_deleted(&spec), spec.branch)).await;
    let Ok((Some(deleted), branch)) = looked else { return };
    let told = state.lives.change(&record.id, |life| std::mem::replace(&mut life.branch_deleted, deleted));
    if deleted && !told {
        let message =
            format!("the branch `{branch}` was deleted in the repository; the next commit makes it again");
        state.note(record, "reconcile", super::drift::DRIFT, json!({ "message": message })).await;
    }
}

/// Whether a session's branch was published and is no more; nothing where the repository does not tell.
fn is_deleted(spec: &ImportSpec) -> Option<bool> {
    let repository = parent::open(&spec.parent).ok()?;
    let published = parent::published(&parent::namespace(&spec.session).ok()?, &spec.branch);
    let was = parent::target(&repository, &published).ok()?.is_some();
    let is = parent::target(&repository, &format!("refs/heads/{}", spec.branch)).ok()?.is_some();
    Some(was && !is)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks as often as it can for a second; answers how many turns of the given length it got.
    async fn flood(quiet: Duration, work: Duration) -> usize {
        let (sender, asked) = mpsc::channel(1);
        let mut turns = Turns { asked, quiet, begun: None };
        let flood = async move {
            let end = Instant::now() + Duration::from_secs(1);
            while Instant::now() < end {
                let _ = sender.try_send(());
                tokio::task::yield_now().await;
            }
        };
        let work = async move {
            let mut count = 0;
            while turns.next().await {
                count += 1;
                tokio::time::sleep(work).await;
            }
            count
        };
        tokio::join!(flood, work).1
    }

    #[tokio::test]
    async fn a_flood_of_questions_is_one_import_a_while() {
        let turns = flood(Duration::from_millis(200), Duration::from_millis(1)).await;
        assert!((2..=7).contains(&turns), "{turns} in a second");
    }

    #[tokio::test]
    async fn a_long_import_is_not_repeated_at_once() {
        let turns = flood(Duration::ZERO, Duration::from_millis(100)).await;
        assert!((2..=4).contains(&turns), "{turns} in a second, 100 ms each");
    }

    #[tokio::test]
    async fn what_is_asked_while_one_goes_on_is_not_lost() {
        let (sender, asked) = mpsc::channel(1);
        let mut turns = Turns { asked, quiet: Duration::from_millis(1), begun: None };
        sender.try_send(()).unwrap();
        assert!(turns.next().await);
        for _ in 0..100 {
            let _ = sender.try_send(());
        }
        assert!(turns.next().await, "the questions of the first turn are one more");
        drop(sender);
        assert!(!turns.next().await);
    }
}
