//! What a checkout is, or would be, for those who only look: nothing is made.

use std::path::{Path, PathBuf};

use super::checkout::{Checkout, Kind};
use super::error::Error;
use super::parent;
use super::record::Record;

/// A repository, as far as a checkout of it depends on it.
#[derive(Clone, Debug)]
pub struct Borrowed {
    common: PathBuf,
    objects: Vec<PathBuf>,
    working_tree: Option<PathBuf>,
}

/// What a checkout of a repository would borrow.
pub fn borrowed(parent: &Path) -> Result<Borrowed, Error> {
    let repository = parent::open(parent)?;
    let common = parent::common_directory(&repository)?;
    let objects = parent::object_directories(&common)?;
    let working_tree = repository.workdir().and_then(|tree| tree.canonicalize().ok());
    Ok(Borrowed { common, objects, working_tree })
}

/// The checkout at a place as its record tells; where there is none yet, as it would be made of this repository.
pub fn foresee(
    directory: &Path,
    parent: &Borrowed,
    session: &str,
    (kind, branch): (Kind, &str),
) -> Result<Checkout, Error> {
    if let Some(record) = Record::read(directory)? {
        return Ok(Checkout::of(directory, record));
    }
    let mut record = Record::new(session, parent.common.clone(), branch);
    record.borrowed.clone_from(&parent.objects);
    record.kind = kind;
    if kind == Kind::Shared {
        record.has_git_directory =
            parent.working_tree.as_ref().is_some_and(|tree| tree.join(".git").is_dir());
        record.working_tree.clone_from(&parent.working_tree);
    }
    Ok(Checkout::of(directory, record))
}
