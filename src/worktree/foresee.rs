//! What a checkout is, or would be, for those who only look: nothing is made.

use std::path::Path;

use super::checkout::Checkout;
use super::error::Error;
use super::parent;
use super::record::Record;

/// The checkout at a place as its record tells; where there is none yet, as it would be made of this parent.
pub fn foresee(directory: &Path, parent: &Path, session: &str, branch: &str) -> Result<Checkout, Error> {
    if let Some(record) = Record::read(directory)? {
        return Ok(Checkout::of(directory, record));
    }
    let common = parent::common_directory(&parent::open(parent)?)?;
    let borrowed = parent::object_directories(&common)?;
    let mut record = Record::new(session, common, branch);
    record.borrowed = borrowed;
    Ok(Checkout::of(directory, record))
}
