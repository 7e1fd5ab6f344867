//! What can fail around checkouts, each with its remedy.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::Kind;

/// A failure around a checkout.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No repository at or above the path.
    #[error("`{path}` is not in a git repository", path = path.display())]
    NotARepository {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A repository of another user.
    #[error("the repository at `{path}` belongs to another user", path = path.display())]
    NotOwned {
        /// Where it is.
        path: PathBuf,
    },
    /// A repository in a format that libgit2 does not read, such as sha256, reftable or a partial clone.
    #[error("the repository at `{path}` has a format that is not supported", path = path.display())]
    Unsupported {
        /// Where it is.
        path: PathBuf,
        /// Which extension.
        #[source]
        source: git2::Error,
    },
    /// A revision that the repository lacks.
    #[error("the base `{base}` is not a commit of `{path}`", path = path.display())]
    BaseNotFound {
        /// The revision as written.
        base: String,
        /// The repository.
        path: PathBuf,
    },
    /// A branch name that git refuses.
    #[error("`{branch}` is not a valid branch name")]
    BranchName {
        /// The name.
        branch: String,
    },
    /// A branch that holds work which is not this session's.
    #[error("the branch `{branch}` exists with work that is not this session's")]
    BranchTaken {
        /// The name.
        branch: String,
    },
    /// A branch that someone else has checked out, which git keeps in one place at a time.
    #[error("the branch `{branch}` is checked out already (`{place}`)", place = place.display())]
    BranchInUse {
        /// The name.
        branch: String,
        /// The git directory whose `HEAD` is on it.
        place: PathBuf,
    },
    /// A repository without files of its own.
    #[error("the repository at `{path}` is bare: it has no working tree to share", path = path.display())]
    Bare {
        /// Where it is.
        path: PathBuf,
    },
    /// A git directory that cannot be shown to an agent in part.
    #[error("`{path}` is {found}, so that an agent cannot be kept from the rest of the repository", path = path.display())]
    Layout {
        /// What is in the way.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Something in the user's git directory that makes git wait, or read and write elsewhere.
    #[error("`{path}` is {found}", path = path.display())]
    Trap {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A session name that cannot be part of a ref.
    #[error("`{session}` is not a valid session id")]
    SessionName {
        /// The name.
        session: String,
    },
    /// A directory in the way that is no checkout of ours.
    #[error("`{path}` exists and is not a checkout of this session: {reason}", path = path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process holds the checkout.
    #[error("another process is still making the checkout at `{path}`", path = path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// A file to bring along that cannot be.
    #[error("could not bring along `{path}`: {reason}", path = path.display())]
    Copy {
        /// The path as written.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The first checkout of files failed.
    #[error("git could not check out the files: {message}")]
    CheckOut {
        /// The end of what git said.
        message: String,
    },
    /// A checkout that needs the `git` program.
    #[error("the repository's `.gitattributes` names a filter, and there is no `git` program to run it")]
    NeedsGit,
    /// Something below a checkout that is not what it has to be: a symlink, a pipe, a file in a directory's place.
    #[error("`{path}` below the checkout is {found}", path = path.display())]
    Planted {
        /// The path below the checkout.
        path: PathBuf,
        /// What was found there.
        found: &'static str,
    },
    /// Something an agent wrote that is larger than anything honest.
    #[error("`{what}` in the checkout is larger than {limit}")]
    TooLarge {
        /// What is.
        what: String,
        /// The limit that it passed, in bytes or in count.
        limit: u64,
    },
    /// A file-system call failed.
    #[error("could not {verb} `{path}`", path = path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// libgit2 failed.
    #[error("could not {what}")]
    Git {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: git2::Error,
    },
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotARepository { .. } => Some("run `git init` there, or set `repository: false`"),
            Self::NotOwned { .. } => Some("add it with `git config --global --add safe.directory PATH`"),
            Self::Unsupported { .. } => Some(
                "use a full clone with sha1 objects and file refs: `git clone --no-filter --ref-format=files URL`",
            ),
            Self::BaseNotFound { .. } => {
                Some("fetch it first, or set `repository.base` to a revision that is there")
            }
            Self::BranchName { .. } => {
                Some("set `repository.branch` to a name that `git check-ref-format` accepts")
            }
            Self::BranchTaken { .. } => {
                Some("merge and delete the branch, or set `repository.branch` to another name")
            }
            Self::BranchInUse { .. } => {
                Some("check out another branch there, or set `repository.branch` to another name")
            }
            Self::Bare { .. } => Some("use `repository.checkout: worktree` or `clone`"),
            Self::Layout { .. } => Some("use `repository.checkout: clone`"),
            Self::Trap { .. } => Some(
                "an agent with a `worktree` or `shared` checkout of this repository can put it there: look at it, and remove it",
            ),
            Self::Foreign { .. } => Some("move the directory away and run the command again"),
            Self::Busy { .. } => Some("wait for the other command to end and run this one again"),
            Self::Copy { .. } => Some("create the file, or take it out of `repository.copy`"),
            Self::CheckOut { .. } => Some(
                "`git worktree add` in the repository shows whether its filters work, and whether a partial clone reaches its remote",
            ),
            Self::NeedsGit => Some("install git"),
            Self::Planted { .. } => Some("look at what the agent put there, and remove it"),
            Self::SessionName { .. } | Self::TooLarge { .. } | Self::Io { .. } | Self::Git { .. } => None,
        }
    }

    /// The error and what it came from, in one line.
    pub fn words(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }

    /// Names the verb and the path of a failed call.
    pub(crate) fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { verb, path, source }
    }

    /// Names what was tried with libgit2.
    pub(super) fn git(what: impl Into<String>) -> impl FnOnce(git2::Error) -> Self {
        let what = what.into();
        move |source| Self::Git { what, source }
    }
}

impl From<crate::fs::Error> for Error {
    fn from(error: crate::fs::Error) -> Self {
        Self::Io { verb: error.verb, path: error.path, source: error.source }
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        use std::error::Error as _;
        let kind = match error {
            Error::BranchTaken { .. } | Error::BranchInUse { .. } | Error::Foreign { .. } => Kind::Refused,
            _ => Kind::Failed,
        };
        let mut outer = Self::new(kind, error.to_string());
        if let Some(source) = error.source() {
            outer = outer.because(source.to_string());
        }
        match error.hint() {
            Some(hint) => outer.hint(hint),
            None => outer,
        }
    }
}
