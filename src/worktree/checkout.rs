//! A checkout as a container sees it: what it borrows, what is pinned, what is read-only.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::linked;
use super::record::Record;

/// Bind-mounted on themselves: what is a mount point cannot be renamed, and so nothing below can be swapped.
const PINNED: [&str; 3] = [".git", ".git/objects", ".git/objects/info"];

/// Everything that can point git elsewhere, or have it run something.
/// `commondir` is there so that it can be mounted: an agent that could make one would choose the config.
const READ_ONLY: [&str; 5] =
    [".git/config", ".git/commondir", ".git/hooks", ".git/info", ".git/objects/info/alternates"];

/// What a checkout is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A repository of the session's own.
    #[default]
    Clone,
    /// A worktree of the user's repository.
    Worktree,
    /// The user's own working tree, with a `HEAD` and an index of the session's own.
    Shared,
}

/// Something of the host that a container is to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What, on the host.
    pub source: PathBuf,
    /// Where: an absolute path, or one below the checkout.
    pub target: PathBuf,
    /// Whether nothing can be written there.
    pub read_only: bool,
}

/// A checkout of a session's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// What it is.
    pub kind: Kind,
    /// Where it is: the directory that the agent works in.
    pub directory: PathBuf,
    /// The branch that it started on.
    pub branch: String,
    /// The commit that it started at; `None` where the user's repository has no commit yet.
    pub base: Option<String>,
    /// Object directories of the host that git needs, each to be mounted read-only at its own path.
    pub borrowed: Vec<PathBuf>,
    /// Paths below `directory` to be bind-mounted on themselves, writable, in this order.
    pub pinned: Vec<PathBuf>,
    /// Paths below `directory` to be bind-mounted on themselves read-only, after the pinned ones.
    pub read_only: Vec<PathBuf>,
    /// What else is to be mounted, in this order where one is below another.
    pub shown: Vec<Shown>,
}

impl Checkout {
    /// Opens a checkout that was made earlier, from the record beside it; its content is not looked at.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let foreign = |reason: &str| Error::Foreign { path: directory.to_owned(), reason: reason.to_owned() };
        let record = Record::read(directory)?.ok_or_else(|| foreign("there is no record beside it"))?;
        if record.kind != Kind::Clone {
            linked::whole(directory, &record).map_err(|reason| foreign(&reason))?;
            return Ok(Self::of(directory, record));
        }
        let is_directory =
            std::fs::symlink_metadata(directory.join(".git")).is_ok_and(|found| found.is_dir());
        if !is_directory {
            return Err(foreign("it has no `.git` directory"));
        }
        Ok(Self::of(directory, record))
    }

    pub(super) fn of(directory: &Path, record: Record) -> Self {
        let below = |paths: &[&str]| paths.iter().map(|path| directory.join(path)).collect();
        if record.kind != Kind::Clone {
            return linked::checkout(directory, record);
        }
        Self {
            kind: Kind::Clone,
            directory: directory.to_owned(),
            branch: record.branch,
            base: record.base,
            borrowed: record.borrowed,
            pinned: below(&PINNED),
            read_only: below(&READ_ONLY),
            shown: Vec::new(),
        }
    }

    /// Whether there is a checkout already that belongs to this place.
    pub fn is_at(directory: &Path) -> bool {
        let is_shared = |record: Record| record.kind == Kind::Shared;
        std::fs::symlink_metadata(directory).is_ok()
            || Record::read(directory).ok().flatten().is_some_and(is_shared)
    }
}
