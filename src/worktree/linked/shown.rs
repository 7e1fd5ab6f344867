//! Pure. What of the user's git directory a container sees, and what of that it can write. The directory as a whole is
//! read-only, so that nothing can be put into it; a mount for each file would end when the user's git replaces the file.

use std::path::{Path, PathBuf};

use super::super::checkout::Shown;
use super::super::record::Record;
use super::{guard, registration};

/// What git has to write. `refs` itself is not: a stash would be the user's own, and `refs/clauderon` is ours.
pub const WRITABLE: [&str; 5] = ["objects", "refs/heads", "refs/tags", "refs/remotes", "refs/notes"];
/// Of that, what is not for writing: it leads git to objects elsewhere.
pub const CLOSED: &str = "objects/info";
/// What the session's own git directory holds that says where things are.
const FIXED: [&str; 4] = ["commondir", "gitdir", "config.worktree", "locked"];

/// What is mounted beside the checkout itself.
pub fn shown(directory: &Path, record: &Record) -> Vec<Shown> {
    let (common, guard) = (&record.parent, guard(directory));
    let mut shown = vec![itself(common.clone(), true)];
    shown.extend(WRITABLE.map(|name| itself(common.join(name), false)));
    shown.push(itself(common.join(CLOSED), true));
    // git follows links when it writes a log, and so would the user's: the session has logs of its own.
    shown.push(at(guard.join("logs"), common.join("logs"), false));
    // A config may hold credentials.
    shown.push(at(guard.join("config"), common.join("config"), true));
    let own = registration(common, &record.session);
    let place = if record.has_git_directory { PathBuf::from(".git") } else { own.clone() };
    shown.push(at(own.clone(), place.clone(), false));
    shown.extend(FIXED.map(|name| at(own.join(name), place.join(name), true)));
    shown.push(at(guard.join("head-logs"), place.join("logs"), false));
    if !record.has_git_directory {
        let pointer = match record.working_tree {
            Some(_) => guard.join("pointer"),
            None => directory.join(".git"),
        };
        shown.push(at(pointer, PathBuf::from(".git"), true));
    }
    shown
}

fn itself(path: PathBuf, read_only: bool) -> Shown {
    at(path.clone(), path, read_only)
}

fn at(source: PathBuf, target: PathBuf, read_only: bool) -> Shown {
    Shown { source, target, read_only }
}
