//! Mount points below a checkout, made as the caller, following no link that an agent planted.

use std::path::Path;

use super::beneath::Beneath;
use super::error::Error;

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
