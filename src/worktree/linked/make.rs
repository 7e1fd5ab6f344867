//! Makes a checkout that is part of the user's repository. The registration is built beside its place and moved there
//! whole; one that is there already was left by a run that was killed, or outlived its files: its `HEAD` is kept.

use std::path::{Path, PathBuf};

use git2::{Oid, Repository};

use super::super::beneath::Beneath;
use super::super::create::{CheckoutSpec, bring};
use super::super::error::Error;
use super::super::record::{Record, scratch_prefix};
use super::super::refs::Head;
use super::super::{delete, files, parent, publish};
use super::shown::{CLOSED, WRITABLE};
use super::{commondir, gitdir, guard, pointer, registration};

/// What a container has for itself at `/workspace`; a repository there could not be shown at its own path.
const INSIDE: &str = "/workspace";

/// Makes a worktree.
pub fn worktree(spec: &CheckoutSpec, repository: &Repository, record: &Record) -> Result<(), Error> {
    let head = begin(spec, repository, record)?;
    let beside = spec.directory.parent().unwrap_or(Path::new("."));
    let scratch = tempfile::Builder::new().prefix(&scratch_prefix(&spec.directory)).tempdir_in(beside);
    let scratch = scratch.map_err(Error::io("create a directory in", beside))?;
    let tree = scratch.path().join("tree");
    make_directory(&tree)?;
    let own = registration(&record.parent, &record.session);
    write(&tree.join(".git"), &pointer(&own))?;
    register(spec, record, &head)?;
    if commit(repository, &head)?.is_some() {
        // The config is the repository's own.
        let objects = record.borrowed.first().map(PathBuf::as_path);
        files::check_out(&tree, &files::Lender { objects, settings: Vec::new() })?;
    }
    bring(spec, repository, &tree)?;
    record.write(&spec.directory)?;
    std::fs::rename(&tree, &spec.directory).map_err(Error::io("create", &spec.directory))
}

/// Gives the session a `HEAD` and an index of its own for the user's working tree.
pub fn shared(spec: &CheckoutSpec, repository: &Repository, record: &mut Record) -> Result<(), Error> {
    let bare = || Error::Bare { path: spec.parent.clone() };
    let tree = repository.workdir().ok_or_else(bare)?;
    let tree = tree.canonicalize().map_err(Error::io("find", tree))?;
    let git = tree.join(".git");
    let kind = std::fs::symlink_metadata(&git).map_err(Error::io("look at", &git))?;
    if kind.is_symlink() {
        return Err(Error::Layout { path: git, found: "a symbolic link" });
    }
    record.has_git_directory = kind.is_dir();
    record.working_tree = Some(tree);
    let head = begin(spec, repository, record)?;
    let own = registration(&record.parent, &record.session);
    write(&guard(&spec.directory).join("pointer"), &pointer(&own))?;
    register(spec, record, &head)?;
    index(repository, &own.join("index"))?;
    record.write(&spec.directory)
}

/// The index as the user has it, so that what is staged is the same at first.
fn index(repository: &Repository, to: &Path) -> Result<(), Error> {
    let failed = || Error::git("copy the index");
    let mut index = git2::Index::open(to).map_err(failed())?;
    let entries = repository.index().map_err(failed())?;
    for entry in entries.iter() {
        index.add(&entry).map_err(failed())?;
    }
    index.write().map_err(failed())
}

/// Prepares the repository for being shown, and its branch; answers what `HEAD` is to say.
fn begin(spec: &CheckoutSpec, repository: &Repository, record: &Record) -> Result<String, Error> {
    let own = registration(&record.parent, &record.session);
    let bare = repository.is_bare();
    if let Some(place) = parent::in_use(&record.parent, bare, &record.branch).filter(|place| *place != own) {
        return Err(Error::BranchInUse { branch: record.branch.clone(), place });
    }
    open_up(&record.parent)?;
    let guard = guard(&spec.directory);
    for name in ["logs", "head-logs"] {
        make_directory(&guard.join(name))?;
    }
    write(&guard.join("config"), &record.config)?;
    let start = record.base.as_deref().and_then(|base| Oid::from_str(base).ok());
    if let Some(start) = start {
        branch(repository, record, start)?;
    }
    let earlier = earlier(&own, repository)?;
    Ok(earlier.unwrap_or_else(|| format!("ref: refs/heads/{}", record.branch)))
}

/// Makes what is to be mounted, and refuses what is not what it seems.
fn open_up(common: &Path) -> Result<(), Error> {
    if common.starts_with(INSIDE) {
        return Err(Error::Layout { path: common.to_owned(), found: "where a container has its own" });
    }
    for name in ["objects", "refs"].iter().chain(&WRITABLE).chain(&[CLOSED, "logs", "worktrees"]) {
        let path = common.join(name);
        make_directory(&path)?;
        let found = std::fs::symlink_metadata(&path).map_err(Error::io("look at", &path))?;
        if !found.is_dir() {
            return Err(Error::Layout { path, found: "a symbolic link" });
        }
    }
    Ok(())
}

/// The session's branch, remembered as its own before it is made.
fn branch(repository: &Repository, record: &Record, start: Oid) -> Result<(), Error> {
    let namespace = parent::namespace(&record.session)?;
    let published = parent::published(&namespace, &record.branch);
    let name = format!("refs/heads/{}", record.branch);
    for (name, replaced) in [(published, true), (name, false)] {
        let seen = parent::target(repository, &name)?;
        if seen.is_none() || (replaced && seen != Some(start)) {
            publish::set(repository, &name, seen, start).map_err(Error::git(format!("write `{name}`")))?;
        }
    }
    Ok(())
}

/// Where an earlier registration's `HEAD` is: commits may hang on it alone.
fn earlier(own: &Path, repository: &Repository) -> Result<Option<String>, Error> {
    if std::fs::symlink_metadata(own).is_err() {
        return Ok(None);
    }
    let head = Head::read(&Beneath::open(own)?, Path::new("HEAD")).unwrap_or(Head::Broken);
    Ok(match head {
        Head::On(name) => Some(format!("ref: {name}")),
        Head::Detached(id) if repository.find_commit(id).is_ok() => Some(id.to_string()),
        Head::Detached(_) | Head::Broken => None,
    })
}

/// The commit that a `HEAD` leads to.
fn commit(repository: &Repository, head: &str) -> Result<Option<Oid>, Error> {
    match head.strip_prefix("ref: ") {
        Some(name) => parent::target(repository, name),
        None => Ok(Oid::from_str(head).ok()),
    }
}

fn register(spec: &CheckoutSpec, record: &Record, head: &str) -> Result<(), Error> {
    let own = registration(&record.parent, &record.session);
    let built = own.with_extension("new");
    delete::delete(&built).map_err(Error::io("remove", &built))?;
    make_directory(&built.join("logs"))?;
    write(&built.join("HEAD"), &format!("{head}\n"))?;
    write(&built.join("commondir"), &commondir(record))?;
    write(&built.join("gitdir"), &gitdir(&spec.directory))?;
    write(&built.join("config.worktree"), "")?;
    write(&built.join("locked"), "a session of clauderon works in it")?;
    delete::delete(&own).map_err(Error::io("remove", &own))?;
    std::fs::rename(&built, &own).map_err(Error::io("create", &own))
}

fn make_directory(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(Error::io("create", path))
}

fn write(path: &Path, content: &str) -> Result<(), Error> {
    std::fs::write(path, content).map_err(Error::io("write", path))
}
