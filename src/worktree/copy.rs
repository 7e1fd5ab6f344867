//! Ignored files of the user's working tree that a checkout is to have too.

use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::beneath::Beneath;
use super::error::Error;

/// More files than this in one entry are no file to bring along but a mistake.
const MAX_FILES: usize = 100_000;

/// Copies files and directories from one tree into another. Symlinks inside a directory are left out, one that is
/// named is refused, and a file that the target has already stays as it is.
pub fn bring(from: &Path, to: &Path, paths: &[PathBuf]) -> Result<(), Error> {
    if paths.is_empty() {
        return Ok(());
    }
    let (from, to) = (Beneath::open(from)?, Beneath::open(to)?);
    for path in paths {
        let refused = |reason: &str| Error::Copy { path: path.clone(), reason: reason.to_owned() };
        if path.components().next().is_some_and(|first| first.as_os_str() == ".git") {
            return Err(refused("it is git's own"));
        }
        match from.kind(path) {
            Ok(Some(FileType::RegularFile)) => file(&from, &to, path)?,
            Ok(Some(FileType::Directory)) => directory(&from, &to, path)?,
            Ok(None) => return Err(refused("it does not exist")),
            Ok(Some(_)) => return Err(refused("it is neither a file nor a directory")),
            Err(error) => return Err(refused(&error.to_string())),
        }
    }
    Ok(())
}

fn directory(from: &Beneath, to: &Beneath, path: &Path) -> Result<(), Error> {
    let mut pending = vec![path.to_owned()];
    let mut count = 0;
    while let Some(directory) = pending.pop() {
        for entry in from.list(&directory, MAX_FILES)?.unwrap_or_default() {
            let inner = directory.join(&entry.name);
            count += 1;
            match entry.kind {
                _ if count > MAX_FILES => {
                    let reason = format!("it has more than {MAX_FILES} files");
                    return Err(Error::Copy { path: path.to_owned(), reason });
                }
                FileType::Directory => pending.push(inner),
                FileType::RegularFile => file(from, to, &inner)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn file(from: &Beneath, to: &Beneath, path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let Some((mut source, _)) = from.open_file(path)? else {
        return Ok(());
    };
    let mode = source.metadata().map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
    if let Some(mut target) = to.make_file(path, mode)? {
        std::io::copy(&mut source, &mut target).map_err(Error::io("copy", path))?;
    }
    Ok(())
}
