//! What would be lost with a checkout that is part of the user's repository. Its commits are there, but for those on no
//! branch; a shared working tree stays, a worktree goes with its files.

use std::path::Path;

use git2::{Oid, Repository};

use super::super::beneath::Beneath;
use super::super::checkout::Kind;
use super::super::error::Error;
use super::super::lost::Loss;
use super::super::record::{Record, scratch_prefix};
use super::super::refs::Head;
use super::super::{parent, status};
use super::{registration, whole};

const MAX_COMMITS: usize = 1000;
const MAX_INDEX_BYTES: u64 = 512 << 20;

/// Lists what would be lost, sorted.
pub fn would_be_lost(directory: &Path, record: &Record) -> Result<Vec<Loss>, Error> {
    let own = registration(&record.parent, &record.session);
    let has_files = record.kind == Kind::Worktree && std::fs::symlink_metadata(directory).is_ok();
    let mut losses = Vec::new();
    if has_files && let Err(what) = whole(directory, record) {
        losses.push(Loss::Tampered { what });
    }
    let user = parent::open(&record.parent)?;
    let registered = std::fs::symlink_metadata(&own).is_ok().then(|| Beneath::open(&own)).transpose()?;
    let head = match &registered {
        Some(own) => Head::read(own, Path::new("HEAD")),
        None => Ok(Head::Broken),
    };
    let head = match head {
        Ok(Head::Detached(id)) => {
            losses.extend(on_no_branch(&user, id));
            Some(id)
        }
        Ok(Head::On(name)) => parent::target(&user, &name)?,
        Ok(Head::Broken) => None,
        Err(error) => {
            losses.push(Loss::Tampered { what: error.to_string() });
            None
        }
    };
    if has_files {
        let index = registered.map(|own| own.read(Path::new("index"), MAX_INDEX_BYTES)).transpose();
        match index {
            Ok(index) => losses.extend(files(directory, record, head, index.flatten().as_deref())?),
            Err(error) => losses.push(Loss::Tampered { what: error.to_string() }),
        }
    }
    losses.sort();
    losses.dedup();
    Ok(losses)
}

/// The commits that are on this `HEAD` alone.
fn on_no_branch(user: &Repository, head: Oid) -> Vec<Loss> {
    let walk = || -> Result<Vec<Loss>, git2::Error> {
        let mut walk = user.revwalk()?;
        walk.push(head)?;
        walk.hide_glob("refs/*")?;
        let mut losses = Vec::new();
        for id in walk.take(MAX_COMMITS) {
            let commit = user.find_commit(id?)?;
            let summary = String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned();
            losses.push(Loss::Commit { id: commit.id().to_string(), summary, branch: "HEAD".to_owned() });
        }
        Ok(losses)
    };
    let unreadable =
        |_| vec![Loss::Commit { id: head.to_string(), summary: String::new(), branch: "HEAD".to_owned() }];
    walk().unwrap_or_else(unreadable)
}

fn files(
    directory: &Path,
    record: &Record,
    head: Option<Oid>,
    index: Option<&[u8]>,
) -> Result<Vec<Loss>, Error> {
    let root = Beneath::open(directory)?;
    let tree = status::walk(&root, &record.excludes);
    let nested = tree.nested.iter().map(|path| path.to_string_lossy().into_owned());
    let mut losses: Vec<Loss> = nested.map(|path| Loss::NestedRepository { path }).collect();
    losses.extend(tree.odd.iter().map(|what| Loss::Tampered { what: what.clone() }));
    if !tree.odd.is_empty() {
        return Ok(losses);
    }
    let beside = directory.parent().unwrap_or(Path::new("."));
    let scratch = tempfile::Builder::new().prefix(&scratch_prefix(directory)).tempdir_in(beside);
    let scratch = scratch.map_err(Error::io("create a directory in", beside))?;
    let found = status::private(directory, record, scratch.path(), head, index)
        .and_then(|private| status::status(&root, &private, &record.excludes, &tree));
    losses.extend(found.unwrap_or_else(|error| vec![Loss::Tampered { what: error.to_string() }]));
    Ok(losses)
}
