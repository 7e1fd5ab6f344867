//! Mount points below a checkout, made as the caller, following no link that an agent planted.

use std::path::{Path, PathBuf};

use super::beneath::Beneath;
use super::checkout::{Checkout, Kind};
use super::error::Error;
use super::record::Record;

/// Makes directories and empty files below a root, so that an engine does not make them as root.
/// What is there already is fine; a symlink or a file in the way is an error that names it.
pub fn prepare(root: &Path, directories: &[&str], files: &[&str]) -> Result<(), Error> {
    let beneath = Beneath::open(root)?;
    for directory in directories {
        beneath.make_directory(Path::new(directory))?;
    }
    for file in files {
        beneath.make_file(Path::new(file), 0o644)?;
    }
    Ok(())
}

/// The same in a checkout. In a working tree of the user's, what is not there is written down before it is made.
pub fn within(place: &Path, checkout: &Checkout, directories: &[&str], files: &[&str]) -> Result<(), Error> {
    if checkout.kind == Kind::Shared
        && let Some(mut record) = Record::read(place)?
    {
        let beneath = Beneath::open(&checkout.directory)?;
        let missing = |path: &PathBuf| matches!(beneath.kind(path), Ok(None));
        let points = directories.iter().chain(files).flat_map(|point| ways(point)).filter(missing);
        for path in points {
            if !record.made.contains(&path) {
                record.made.push(path);
            }
        }
        record.write(place)?;
    }
    prepare(&checkout.directory, directories, files)
}

/// A path and the directories on the way to it, the upper ones first.
fn ways(path: &str) -> Vec<PathBuf> {
    let mut ways: Vec<PathBuf> = Path::new(path).ancestors().map(Path::to_owned).collect();
    ways.retain(|way| !way.as_os_str().is_empty());
    ways.reverse();
    ways
}
