//! What would be lost with a checkout, in words.

use crate::worktree::lost::Loss;

/// One loss as a line.
pub fn line(loss: &Loss) -> String {
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
