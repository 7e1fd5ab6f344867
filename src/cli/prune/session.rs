//! What a session of a project that is gone has left in this home: checkout, transcripts, state.

use crate::cli::loss;
use crate::daemon::record::Record;
use crate::fs;
use crate::home::{Home, SessionHome};
use crate::plan::prune::{Condition, Kind, Thing};
use crate::worktree::lost::Loss;
use crate::worktree::remove::remove_directory;
use crate::worktree::size::usage;
use std::path::{Path, PathBuf};

/// The things, each with what would be lost with it.
pub fn things(home: &Home, record: &Record) -> Vec<(Thing, Vec<Loss>)> {
    let session = home.session(&record.id);
    let mut things = Vec::new();
    if let Some(checkout) = loss::place(record) {
        let (condition, losses) = condition(home, record);
        things.push((thing(record, Kind::Checkout, &[checkout], condition), losses));
    }
    let transcripts = transcripts(&session);
    let paths: Vec<&Path> = transcripts.iter().map(PathBuf::as_path).collect();
    if !paths.is_empty() {
        things.push((thing(record, Kind::Transcripts, &paths, Condition::Free), Vec::new()));
    }
    let rest = rest(&session);
    if !rest.is_empty() || things.is_empty() {
        let paths: Vec<&Path> = rest.iter().map(PathBuf::as_path).collect();
        let state = Thing {
            name: session.path().display().to_string(),
            ..thing(record, Kind::State, &paths, Condition::Free)
        };
        things.push((state, Vec::new()));
    }
    things
}

fn thing(record: &Record, kind: Kind, paths: &[&Path], condition: Condition) -> Thing {
    let name = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
    Thing {
        kind,
        handle: name.clone(),
        name,
        id: record.id.clone(),
        session: record.session.clone(),
        bytes: Some(paths.iter().map(|path| size(path)).sum()),
        condition,
    }
}

fn size(path: &Path) -> u64 {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => usage(path).bytes,
        Ok(found) => found.len(),
        Err(_) => 0,
    }
}

fn condition(home: &Home, record: &Record) -> (Condition, Vec<Loss>) {
    if let Some(why) = loss::foreign(home, record) {
        return (Condition::Unknown(why), Vec::new());
    }
    match loss::losses(record) {
        Ok(losses) if losses.is_empty() => (Condition::Free, losses),
        Ok(losses) => (Condition::Holds(losses.len()), losses),
        Err(error) => (Condition::Unjudged(error.words()), Vec::new()),
    }
}

/// The directories that hold what an agent wrote down of its conversations.
fn transcripts(session: &SessionHome) -> Vec<PathBuf> {
    let written = |path: &Path| usage(path).entries > 0;
    let claude = session.claude_projects();
    // Codex keeps them beside its settings.
    let codex = session.codex();
    let mut found = Vec::new();
    found.extend(written(&claude).then_some(claude));
    found.extend(written(&codex.join("sessions")).then_some(codex));
    found
}

/// What is there beside the checkout, the transcripts and the record.
fn rest(session: &SessionHome) -> Vec<PathBuf> {
    let kept = transcripts(session);
    let checkout = session.checkout();
    let others = [
        checkout.with_extension("json"),
        checkout.with_extension("lock"),
        session.record(),
        session.record_lock(),
        checkout,
    ];
    let names = fs::list(session.path()).unwrap_or_default();
    let paths = names.iter().map(|name| session.path().join(name));
    paths.filter(|path| !kept.contains(path) && !others.contains(path)).collect()
}

/// Removes the transcripts of a session.
pub fn remove_transcripts(home: &Home, id: &str) -> Result<(), crate::worktree::error::Error> {
    transcripts(&home.session(id)).iter().try_for_each(|path| remove_directory(path))
}

/// Removes the state of a session.
pub fn remove_state(home: &Home, record: &Record) -> Result<(), crate::worktree::error::Error> {
    let session = home.session(&record.id);
    for path in rest(&session) {
        if std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            remove_directory(&path)?;
        } else {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Removes the record of a session of which nothing else is left.
pub fn finish(home: &Home, record: &Record) -> Result<(), crate::worktree::error::Error> {
    let session = home.session(&record.id);
    let checkout = session.checkout();
    if !rest(&session).is_empty()
        || loss::place(record).is_some()
        || fs::exists(&checkout)
        || !transcripts(&session).is_empty()
    {
        return Ok(());
    }
    // The record last: until then what is left is found again.
    for name in fs::list(session.path())?.iter().filter(|name| *name != "session.json") {
        fs::remove_file(&session.path().join(name))?;
    }
    fs::remove_file(&session.record())?;
    Ok(fs::remove_dir_all(session.path())?)
}
