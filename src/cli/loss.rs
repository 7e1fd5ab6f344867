//! Removing a checkout, and what would be lost with it, in words.

use crate::daemon::record::Record;
use crate::worktree::lost::Loss;
use crate::{fs, worktree};

/// One loss as a line.
fn line(loss: &Loss) -> String {
    match loss {
        Loss::Uncommitted { path, status } => format!("`{path}` ({status}, not committed)"),
        Loss::Untracked { path } => format!("`{path}` (untracked)"),
        Loss::Ignored { path } => format!("`{path}` (ignored by git, but not clauderon's)"),
        Loss::Commit { id, summary, branch } => {
            format!("commit {} on {branch}: {summary}", id.get(..10).unwrap_or(id))
        }
        Loss::Stash { entries } => format!("{entries} stashed changes"),
        Loss::NestedRepository { path } => format!("the repository `{path}` inside it"),
        Loss::Tampered { what } => format!("it was tampered with: {what}"),
    }
}

/// What the removal of a session's checkout would lose, one line each.
pub fn losses(record: &Record) -> Result<Vec<String>, worktree::error::Error> {
    let Some(checkout) = record.checkout.as_deref() else { return Ok(Vec::new()) };
    match record.parent.as_deref() {
        Some(parent) => {
            let losses = worktree::lost::would_be_lost(checkout, parent, &record.id)?;
            Ok(losses.iter().map(line).collect())
        }
        // Without a repository nothing of the workspace is anywhere else.
        None => {
            let names = fs::list(checkout).unwrap_or_default();
            let of_agent = |name: &&String| !OWN_ENTRIES.contains(&name.as_str());
            Ok(names
                .iter()
                .filter(of_agent)
                .map(|name| format!("`{name}` (no repository holds it)"))
                .collect())
        }
    }
}

/// What clauderon and the agents make for themselves at the top of a workspace.
const OWN_ENTRIES: [&str; 8] =
    [".clauderon", ".claude", ".claude.json", ".codex", ".cargo", ".cache", ".local", ".npm"];

/// Removes a session's checkout.
pub fn remove_checkout(record: &Record) -> Result<(), worktree::error::Error> {
    match (record.checkout.as_deref(), record.parent.as_deref()) {
        (Some(checkout), Some(parent)) => worktree::remove::remove(checkout, parent, &record.id),
        (Some(checkout), None) => fs::remove_dir_all(checkout)
            .map_err(|error| worktree::error::Error::io("remove", checkout)(error.source)),
        _ => Ok(()),
    }
}
