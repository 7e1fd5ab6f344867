//! What a checkout is, or would be, for those who only look: nothing is made.

use std::path::{Path, PathBuf};

use super::checkout::Checkout;
use super::error::Error;
use super::parent;
use super::record::Record;

/// A repository, as far as a checkout of it depends on it.
#[derive(Clone, Debug)]
pub struct Borrowed {
    common: PathBuf,
    objects: Vec<PathBuf>,
}

/// What a checkout of a repository would borrow.
pub fn borrowed(parent: &Path) -> Result<Borrowed, Error> {
    let common = parent::common_directory(&parent::open(parent)?)?;
    let objects = parent::object_directories(&common)?;
    Ok(Borrowed { common, objects })
}

/// The checkout at a place as its record tells; where there is none yet, as it would be made of this repository.
pub fn foresee(directory: &Path, parent: &Borrowed, session: &str, branch: &str) -> Result<Checkout, Error> {
    if let Some(record) = Record::read(directory)? {
        return Ok(Checkout::of(directory, record));
    }
    let mut record = Record::new(session, parent.common.clone(), branch);
    record.borrowed.clone_from(&parent.objects);
    Ok(Checkout::of(directory, record))
}
