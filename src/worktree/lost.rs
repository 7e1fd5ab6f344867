//! What would be lost with a checkout: all that is in it and nowhere else. For when no agent runs in it any more.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository};
use serde::Serialize;

use super::beneath::Beneath;
use super::checkout::Kind;
use super::error::Error;
use super::import::REPLACED;
use super::quarantine::Quarantine;
use super::record::Record;
use super::refs::{Head, Refs};
use super::status::{self, text};
use super::transfer::{Refusal, Transfer};
use super::{linked, parent, verify};

const MAX_COMMITS: usize = 1000;
const MAX_STASH_LOG: u64 = 16 << 20;

/// Something that is in the checkout alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Loss {
    /// A tracked file that differs from the last commit.
    Uncommitted {
        /// Its path in the checkout.
        path: String,
        /// How: `modified`, `added`, `deleted`…
        status: &'static str,
    },
    /// A file that git does not know.
    Untracked {
        /// Its path in the checkout.
        path: String,
    },
    /// An ignored file or directory that is not clauderon's.
    Ignored {
        /// Its path in the checkout.
        path: String,
    },
    /// A commit that the user's repository does not keep.
    Commit {
        /// Its id.
        id: String,
        /// The first line of its message; empty where it cannot be read.
        summary: String,
        /// The branch that it is on, or the full name of another ref, or `HEAD`.
        branch: String,
    },
    /// Stashed changes.
    Stash {
        /// How many stashes.
        entries: usize,
    },
    /// A repository below the checkout, with whatever history it has.
    NestedRepository {
        /// Its path in the checkout.
        path: String,
    },
    /// A file or directory of a workspace that no repository is behind.
    Alone {
        /// Its path in the workspace.
        path: String,
    },
    /// The repository that the checkout was made from is gone: all that is in the checkout may be nowhere else.
    Orphaned {
        /// Where it was.
        repository: PathBuf,
    },
    /// The checkout is not as it was made, so that what it holds cannot be told for sure.
    Tampered {
        /// What was found.
        what: String,
    },
}

/// Lists what would be lost, sorted. A checkout that is not there loses nothing.
pub fn would_be_lost(checkout: &Path, user_repository: &Path, session: &str) -> Result<Vec<Loss>, Error> {
    parent::namespace(session)?;
    if let Ok(Some(record)) = Record::read(checkout)
        && record.kind != Kind::Clone
    {
        return linked::lost::would_be_lost(checkout, &record);
    }
    if std::fs::symlink_metadata(checkout).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Vec::new());
    }
    let root = Beneath::open(checkout)?;
    let Some(record) = Record::read(checkout)? else {
        return Ok(vec![tampered("there is no record beside it")]);
    };
    let mut losses: Vec<Loss> = verify::verify(&root, &record).into_iter().map(tampered).collect();
    let tree = status::walk(&root, &record.excludes);
    let nested = tree.nested.iter().map(|path| text(path));
    losses.extend(nested.map(|path| Loss::NestedRepository { path }));
    losses.extend(tree.odd.iter().cloned().map(tampered));
    match Refs::read(&root) {
        Ok(refs) => {
            let look = Look { root: &root, checkout, record: &record };
            losses.extend(look.at_history(user_repository, &refs, &tree)?);
        }
        Err(error) => losses.push(tampered(error.to_string())),
    }
    losses.sort();
    losses.dedup();
    Ok(losses)
}

/// Lists what would be lost with a workspace that no repository is behind: all but what these exclude lines name.
pub fn alone(workspace: &Path, excludes: &[String]) -> Result<Vec<Loss>, Error> {
    if std::fs::symlink_metadata(workspace).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Vec::new());
    }
    let mut losses = status::alone(&Beneath::open(workspace)?, excludes)?;
    losses.sort();
    Ok(losses)
}

fn tampered(what: impl Into<String>) -> Loss {
    Loss::Tampered { what: what.into() }
}

struct Look<'a> {
    root: &'a Beneath,
    checkout: &'a Path,
    record: &'a Record,
}

impl Look<'_> {
    fn at_history(
        &self,
        user_repository: &Path,
        refs: &Refs,
        tree: &status::Tree,
    ) -> Result<Vec<Loss>, Error> {
        let mut losses = self.stashes(refs)?;
        let user = match parent::open_one(user_repository, Some(&self.record.parent)) {
            Err(Error::NotARepository { .. }) => {
                losses.push(Loss::Orphaned { repository: self.record.parent.clone() });
                return Ok(losses);
            }
            other => other?,
        };
        let mut quarantine = Quarantine::new(self.root, self.checkout)?;
        let unreadable = gather(&user, &mut quarantine, refs)?;
        let head = refs.head_target().filter(|id| !unreadable.contains(id));
        if refs.head == Head::Broken {
            losses.push(tampered("`.git/HEAD` cannot be read"));
        }
        let private = status::repository(self.root, self.checkout, self.record, quarantine.path(), head);
        let private = match private {
            Ok(private) => private,
            Err(error) => {
                losses.push(tampered(error.to_string()));
                return Ok(losses);
            }
        };
        losses.extend(commits(&user, &private, refs, &unreadable)?);
        if tree.odd.is_empty() {
            let status = status::status(self.root, &private, &self.record.excludes, tree);
            losses.extend(status.unwrap_or_else(|error| vec![tampered(error.words())]));
        }
        Ok(losses)
    }

    fn stashes(&self, refs: &Refs) -> Result<Vec<Loss>, Error> {
        if !refs.targets.contains_key("refs/stash") {
            return Ok(Vec::new());
        }
        let log = self.root.read(Path::new(".git/logs/refs/stash"), MAX_STASH_LOG)?.unwrap_or_default();
        let entries = log.split_inclusive(|byte| *byte == b'\n').count().max(1);
        Ok(vec![Loss::Stash { entries }])
    }
}

/// The refs that hold an agent's own commits: all but the stash and what was fetched from elsewhere.
fn tips(refs: &Refs) -> Vec<(&str, Oid)> {
    let own = |name: &str| name != "refs/stash" && !name.starts_with("refs/remotes/");
    let named = refs.targets.iter().filter(|(name, _)| own(name));
    let mut tips: Vec<_> =
        named.map(|(name, id)| (name.strip_prefix("refs/heads/").unwrap_or(name), *id)).collect();
    if let Head::Detached(id) = refs.head {
        tips.push(("HEAD", id));
    }
    tips
}

/// Copies what the tips need; returns those whose objects are missing or broken.
fn gather(user: &Repository, quarantine: &mut Quarantine<'_>, refs: &Refs) -> Result<HashSet<Oid>, Error> {
    let objects = user.odb().map_err(Error::git("open the repository's objects"))?;
    let mut transfer = Transfer::gather(quarantine, &objects);
    let mut unreadable = HashSet::new();
    for (_, id) in tips(refs) {
        match transfer.commit(id) {
            Ok(()) => {}
            Err(Refusal::Failed(error)) => return Err(error),
            Err(_) => {
                unreadable.insert(id);
            }
        }
    }
    Ok(unreadable)
}

/// Commits that no ref of the user's repository keeps.
fn commits(
    user: &Repository,
    private: &Repository,
    refs: &Refs,
    unreadable: &HashSet<Oid>,
) -> Result<Vec<Loss>, Error> {
    let failed = || Error::git("compare the commits");
    let kept = kept(user).map_err(failed())?;
    let (mut seen, mut losses) = (HashSet::new(), Vec::new());
    for (branch, tip) in tips(refs) {
        if kept.contains(&tip) || !seen.insert(tip) {
            continue;
        }
        if unreadable.contains(&tip) {
            losses.push(Loss::Commit {
                id: tip.to_string(),
                summary: String::new(),
                branch: branch.to_owned(),
            });
            continue;
        }
        let mut walk = private.revwalk().map_err(failed())?;
        walk.push(tip).map_err(failed())?;
        for id in &kept {
            walk.hide(*id).map_err(failed())?;
        }
        for id in walk.take(MAX_COMMITS) {
            let id = id.map_err(failed())?;
            if id == tip || seen.insert(id) {
                let commit = private.find_commit(id).map_err(failed())?;
                let summary =
                    String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned();
                losses.push(Loss::Commit { id: id.to_string(), summary, branch: branch.to_owned() });
            }
        }
    }
    Ok(losses)
}

/// The base of a session, and what it replaced.
fn goes_with_its_checkout(name: &str) -> bool {
    let own = name.strip_prefix("refs/clauderon/").and_then(|rest| rest.split_once('/'));
    own.is_some_and(|(_, rest)| rest == "base" || rest.starts_with(REPLACED))
}

fn kept(user: &Repository) -> Result<HashSet<Oid>, git2::Error> {
    let mut kept = HashSet::new();
    for reference in user.references()? {
        let reference = reference?;
        if !reference.name().is_ok_and(goes_with_its_checkout)
            && let Ok(commit) = reference.peel_to_commit()
        {
            kept.insert(commit.id());
        }
    }
    match user.head().and_then(|head| head.peel_to_commit()) {
        Ok(commit) => {
            kept.insert(commit.id());
        }
        Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {}
        Err(error) => return Err(error),
    }
    Ok(kept)
}
