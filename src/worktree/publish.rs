//! Moves the session's branch in the user's repository: forward, or off exactly what was published last,
//! never over the user's own commits and never below the user's feet. Every update is compare-and-swap.

use std::path::Path;
use std::time::{Duration, Instant};

use git2::{ErrorCode, Oid, Repository};

use super::error::Error;
use super::locks::{STALE, age};
use super::parent::{in_use, target};

const LOG: &str = "clauderon: import";

/// What became of a branch.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is where it has to be, or the user took it further or away.
    Unchanged,
    /// It moved from there.
    Moved(Option<Oid>),
    /// It could not be moved, for this reason.
    Conflict(String),
}

/// Publishes a tip as `refs/heads/<branch>`; `published` is the ref that remembers what was published last.
pub fn publish(
    repository: &Repository,
    common: &Path,
    branch: &str,
    published: &str,
    tip: Oid,
) -> Result<Outcome, Error> {
    let name = format!("refs/heads/{branch}");
    let current = target(repository, &name)?;
    let last = target(repository, published)?;
    let outcome = decide(repository, current, last, tip)?;
    let outcome = match outcome {
        Outcome::Moved(_) => move_branch(repository, common, branch, current, tip)?,
        other => other,
    };
    let stands = current == Some(tip) || matches!(outcome, Outcome::Moved(_));
    if stands && last != Some(tip) {
        set(repository, published, last, tip).map_err(Error::git(format!("write `{published}`")))?;
    }
    Ok(outcome)
}

fn decide(
    repository: &Repository,
    current: Option<Oid>,
    last: Option<Oid>,
    tip: Oid,
) -> Result<Outcome, Error> {
    let descends = |new: Oid, old: Oid| {
        repository.graph_descendant_of(new, old).map_err(Error::git("compare commits of the branch"))
    };
    let Some(current) = current else {
        let taken_away = last == Some(tip);
        return Ok(if taken_away { Outcome::Unchanged } else { Outcome::Moved(None) });
    };
    if current == tip {
        return Ok(Outcome::Unchanged);
    }
    if last == Some(current) || descends(tip, current)? {
        return Ok(Outcome::Moved(Some(current)));
    }
    if descends(current, tip)? {
        return Ok(Outcome::Unchanged);
    }
    Ok(Outcome::Conflict("the branch has commits that are not this session's".to_owned()))
}

fn move_branch(
    repository: &Repository,
    common: &Path,
    branch: &str,
    current: Option<Oid>,
    tip: Oid,
) -> Result<Outcome, Error> {
    let config = repository.config().map_err(Error::git("read the repository's config"))?;
    let bare = config.get_bool("core.bare").unwrap_or(false);
    if let Some(place) = in_use(common, bare, branch) {
        return Ok(Outcome::Conflict(format!("the branch is checked out (`{}`)", place.display())));
    }
    Ok(match set(repository, &format!("refs/heads/{branch}"), current, tip) {
        Ok(()) => Outcome::Moved(current),
        Err(error) => Outcome::Conflict(error.message().to_owned()),
    })
}

/// Moves a ref from what it was seen at, or makes it where it was not.
pub fn set(repository: &Repository, name: &str, seen: Option<Oid>, new: Oid) -> Result<(), git2::Error> {
    through_lock(repository, name, || match seen {
        Some(seen) => repository.reference_matching(name, new, true, seen, LOG).map(drop),
        None => repository.reference(name, new, false, LOG).map(drop),
    })
}

/// Writes a ref, also where someone who was killed has left its lock behind. A writer holds it for a moment; one that is
/// old is removed, but only of refs that clauderon alone writes.
pub(super) fn through_lock<T>(
    repository: &Repository,
    name: &str,
    write: impl Fn() -> Result<T, git2::Error>,
) -> Result<T, git2::Error> {
    let lock = repository.commondir().join(format!("{name}.lock"));
    let began = Instant::now();
    loop {
        match write() {
            Err(error) if error.code() == ErrorCode::Locked && began.elapsed() < STALE * 2 => {
                if name.starts_with("refs/clauderon/") && age(&lock).is_some_and(|age| age > STALE) {
                    // Where it fails, the next try says so.
                    let _ = std::fs::remove_file(&lock);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other,
        }
    }
}
