//! Removes a checkout, and of its refs in the user's repository those that keep nothing.

use std::path::Path;

use git2::Repository;

use super::checkout::Kind;
use super::delete::delete;
use super::error::Error;
use super::import::REPLACED;
use super::locks::{self, Moving};
use super::publish::through_lock;
use super::record::{Record, beside, moving, scratch_prefix, sweep};
use super::{linked, parent};

/// Removes a checkout, following no link. What it holds is gone: ask `lost::would_be_lost` first.
/// A checkout that is not there is no error.
pub fn remove(checkout: &Path, user_repository: &Path, session: &str) -> Result<(), Error> {
    let namespace = parent::namespace(session)?;
    // A record that cannot be read is of a clone, or of nobody, and tells of no other place.
    let record = Record::read(checkout).ok().flatten();
    if let Some(record) = record.as_ref().filter(|record| record.kind != Kind::Clone) {
        linked::remove::before(record)?;
    }
    let recorded = record.map(|record| record.parent);
    take_away(checkout)?;
    match parent::open_one(user_repository, recorded.as_deref()) {
        Ok(repository) => {
            linked::remove::unregister(&repository, checkout, session)?;
            locks::sweep(&repository, &namespace);
            Moving::recover(&moving(checkout), &repository)?;
            remove_refs(&repository, &namespace).map_err(Error::git(format!("clean up `{namespace}`")))
        }
        Err(Error::NotARepository { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a directory of a session's, of whatever hostile shape, following no link. It goes as a whole or, where that
/// is interrupted, lies beside its place until the next removal.
pub fn remove_directory(directory: &Path) -> Result<(), Error> {
    take_away(directory)
}

/// Moves the directory out of its place first, so that a kill half-way leaves no half checkout there.
fn take_away(checkout: &Path) -> Result<(), Error> {
    let parent = checkout.parent().unwrap_or(Path::new("."));
    if std::fs::symlink_metadata(checkout).is_ok() {
        let scratch = tempfile::Builder::new().prefix(&scratch_prefix(checkout)).tempdir_in(parent);
        let scratch = scratch.map_err(Error::io("create a directory in", parent))?.keep();
        std::fs::rename(checkout, scratch.join("tree")).map_err(Error::io("remove", checkout))?;
        delete(&scratch).map_err(Error::io("remove", &scratch))?;
    }
    sweep(checkout);
    crate::fs::remove_file(&beside(checkout, ".json"))?;
    crate::fs::remove_file(&beside(checkout, ".lock"))?;
    Ok(())
}

fn remove_refs(repository: &Repository, namespace: &str) -> Result<(), git2::Error> {
    for reference in repository.references_glob(&format!("{namespace}*"))? {
        let reference = reference?;
        let (Ok(name), Some(id)) = (reference.name().map(str::to_owned), reference.target()) else {
            continue;
        };
        let keeps_something =
            match name.strip_prefix(namespace).and_then(|rest| rest.strip_prefix("published/")) {
                // Says that the branch is an agent's work, so that a later session can go on with it.
                Some(branch) => repository.refname_to_id(&format!("refs/heads/{branch}")).is_ok(),
                None if name.starts_with(&format!("{namespace}{REPLACED}")) => false,
                None => name != format!("{namespace}base") && !reachable(repository, id)?,
            };
        if !keeps_something {
            delete_ref(repository, &name)?;
        }
    }
    sweep_published(repository)
}

/// Forgets the branches of removed sessions that the user deleted since.
fn sweep_published(repository: &Repository) -> Result<(), git2::Error> {
    for reference in repository.references_glob("refs/clauderon/*/published/*")? {
        let reference = reference?;
        let Ok(name) = reference.name().map(str::to_owned) else {
            continue;
        };
        let Some((session, branch)) = name.split_once("/published/") else {
            continue;
        };
        let exists = |name: String| repository.refname_to_id(&name).is_ok();
        if !exists(format!("{session}/base")) && !exists(format!("refs/heads/{branch}")) {
            delete_ref(repository, &name)?;
        }
    }
    Ok(())
}

fn delete_ref(repository: &Repository, name: &str) -> Result<(), git2::Error> {
    through_lock(repository, name, || repository.find_reference(name)?.delete())
}

/// Whether a branch of the user's holds the commit.
fn reachable(repository: &Repository, id: git2::Oid) -> Result<bool, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(id)?;
    walk.hide_glob("refs/heads/*")?;
    Ok(walk.next().is_none())
}
