//! The user's repository: opening it, where its objects are, which of its branches are checked out.
//! It is the user's own and trusted, but for what `sound` looks at and the `HEAD` of a worktree.

use std::path::{Path, PathBuf};

use git2::{ErrorClass, ErrorCode, Oid, Repository};

use super::beneath::Beneath;
use super::error::Error;
use super::sound;

/// git itself follows alternates no deeper.
const ALTERNATES_DEPTH: usize = 5;
const MAX_HEAD_BYTES: u64 = 4096;

/// Opens the repository that a path is in.
pub fn open(path: &Path) -> Result<Repository, Error> {
    let found = Repository::discover(path).map_err(|error| match (error.code(), error.class()) {
        (ErrorCode::NotFound, _) => Error::NotARepository { path: path.to_owned() },
        (ErrorCode::Owner, _) => Error::NotOwned { path: path.to_owned() },
        (_, ErrorClass::Repository) => Error::Unsupported { path: path.to_owned(), source: error },
        _ => Error::git(format!("open the repository at `{}`", path.display()))(error),
    })?;
    sound::check(&common_directory(&found)?)?;
    Ok(found)
}

/// Opens the repository that a path is in or, where there is none any more, the one that a record of a checkout names:
/// a linked worktree that a project lay in may be gone, and the repository still there.
pub fn open_one(path: &Path, recorded: Option<&Path>) -> Result<Repository, Error> {
    let there = path.symlink_metadata().is_ok();
    match (if there { open(path) } else { Err(Error::NotARepository { path: path.to_owned() }) }, recorded) {
        (Err(Error::NotARepository { .. }), Some(common)) if common.is_dir() => open(common),
        (other, _) => other,
    }
}

/// The canonical git directory that all worktrees of the repository share.
pub fn common_directory(repository: &Repository) -> Result<PathBuf, Error> {
    let path = repository.commondir();
    path.canonicalize().map_err(Error::io("find", path))
}

/// The object directory of a common git directory, then those that it borrows from in turn.
pub fn object_directories(common: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut level = vec![common.join("objects")];
    for _ in 0..=ALTERNATES_DEPTH {
        let mut next = Vec::new();
        for path in level {
            let path = path.canonicalize().map_err(Error::io("find", &path))?;
            if !found.contains(&path) {
                next.extend(alternates(&path));
                found.push(path);
            }
        }
        level = next;
    }
    Ok(found)
}

fn alternates(objects: &Path) -> Vec<PathBuf> {
    let content = std::fs::read_to_string(objects.join("info/alternates")).unwrap_or_default();
    let lines = content.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| objects.join(line)).filter(|path| path.is_dir()).collect()
}

/// Where the branch is in use by the user, if it is: checked out, or being rebased or bisected.
pub fn in_use(common: &Path, bare: bool, branch: &str) -> Option<PathBuf> {
    let linked = std::fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
    let main = (!bare).then(|| common.to_owned());
    main.into_iter().chain(linked.map(|entry| entry.path())).find(|directory| uses(directory, branch))
}

fn uses(directory: &Path, branch: &str) -> bool {
    let full = format!("refs/heads/{branch}");
    // One of these directories may be an agent's.
    let Ok(beneath) = Beneath::open(directory) else { return false };
    let says = |file: &str, expected: &str| {
        let content = beneath.read(Path::new(file), MAX_HEAD_BYTES);
        content.is_ok_and(|found| found.is_some_and(|it| it.trim_ascii_end() == expected.as_bytes()))
    };
    says("HEAD", &format!("ref: {full}"))
        || says("rebase-merge/head-name", &full)
        || says("rebase-apply/head-name", &full)
        || says("BISECT_START", branch)
}

/// What a ref of the repository points at; `None` where there is none.
pub fn target(repository: &Repository, name: &str) -> Result<Option<Oid>, Error> {
    match repository.refname_to_id(name) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(Error::git(format!("read `{name}`"))(error)),
    }
}

/// The refs of a session in its parent all begin so.
pub fn namespace(session: &str) -> Result<String, Error> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if session.is_empty() || session.len() > 128 || !session.bytes().all(valid) {
        return Err(Error::SessionName { session: session.to_owned() });
    }
    Ok(format!("refs/clauderon/{session}/"))
}

/// The ref that remembers where a session's branch was published last.
pub fn published(namespace: &str, branch: &str) -> String {
    format!("{namespace}published/{branch}")
}

/// Whether the tip of a branch is this session's work, or that of one whose checkout was removed, or builds on it.
pub fn is_published(repository: &Repository, own: &str, branch: &str, tip: Oid) -> Result<bool, Error> {
    let found = || -> Result<bool, git2::Error> {
        for reference in repository.references_glob(&published("refs/clauderon/*/", branch))? {
            let reference = reference?;
            let (Ok(name), Some(id)) = (reference.name(), reference.target()) else {
                continue;
            };
            let namespace = name.strip_suffix(&published("", branch)).unwrap_or_default();
            let free = namespace == own || repository.refname_to_id(&format!("{namespace}base")).is_err();
            if free && (id == tip || repository.graph_descendant_of(tip, id)?) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    found().map_err(Error::git(format!("look at the branch `{branch}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_would_leave_its_namespace_is_refused() {
        for session in ["", "..", "a/b", "a.lock", "a b", "a\0"] {
            assert!(namespace(session).is_err(), "{session:?}");
        }
        assert_eq!(namespace("0192-ab").expect("valid"), "refs/clauderon/0192-ab/");
    }
}
