//! Thin wrappers over `std::fs` whose errors name the verb and the path.
#![allow(clippy::disallowed_methods)] // This is the wrapper that the ban points to.

use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A file-system call that failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {verb} `{path}`", path = path.display())]
pub struct Error {
    /// What was tried, such as `read`.
    pub verb: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

fn named<T>(result: io::Result<T>, verb: &'static str, path: &Path) -> Result<T, Error> {
    result.map_err(|source| Error { verb, path: path.to_owned(), source })
}

/// Reads a whole file as text.
pub fn read_to_string(path: &Path) -> Result<String, Error> {
    named(std::fs::read_to_string(path), "read", path)
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    named(std::fs::read(path), "read", path)
}

/// Makes a directory and its parents, each new one with mode 0700.
pub fn create_private_dir(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    named(std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path), "create", path)
}

/// Closes a directory of ours to all others, whoever made it and however wide.
pub fn close_to_others(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    named(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)), "close to others", path)
}

/// Replaces a file as a whole, so that a reader sees the old content or the new, with the given mode.
/// Writes nothing when the content is there already.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    named(replaced(path, content, mode), "write", path)
}

fn replaced(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    draft(path, content, mode)?.persist(path)?;
    Ok(())
}

/// How the name of a file begins that will be another as a whole; the process that writes it follows.
const DRAFT: &str = ".clauderon-draft-";

/// A file beside another that is to take its place. What writers left here that were killed is taken away.
fn draft(path: &Path, content: &[u8], mode: u32) -> io::Result<tempfile::NamedTempFile> {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let directory = path.parent().unwrap_or(Path::new("."));
    sweep(directory);
    let prefix = format!("{DRAFT}{}-", std::process::id());
    let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(directory)?;
    file.write_all(content)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    Ok(file)
}

/// Removes drafts whose writers are no more.
fn sweep(directory: &Path) {
    let is_left = |name: &str| {
        let writer = name.strip_prefix(DRAFT)?.split_once('-')?.0.parse().ok();
        let writer = rustix::process::Pid::from_raw(writer?)?;
        let lives = rustix::process::test_kill_process(writer) != Err(rustix::io::Errno::SRCH);
        (!lives).then_some(())
    };
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_str().and_then(is_left).is_some() {
            // In nobody's way where it fails.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Where a path leads now: links are followed as far as there is anything, what is not there yet stays as it is written.
pub fn real(path: &Path) -> PathBuf {
    let led = path.ancestors().find_map(|there| {
        let rest = path.strip_prefix(there).ok()?;
        let real = there.canonicalize().ok()?;
        Some(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
    });
    // What is no text cannot be written down; no such path is opened by what it was written as either.
    led.filter(|led| led.to_str().is_some()).unwrap_or_else(|| path.to_owned())
}

/// Opens a file for reading by the path that it really has: a link that has come since, in whichever part of it,
/// is refused (`ELOOP`) and nothing is waited for. What is opened is what was agreed to.
pub fn open_real(path: &Path) -> io::Result<std::fs::File> {
    opened_real(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY).map(Into::into)
}

/// Replaces a file by the path that it really has, as `replace` does; no link that has come since is followed.
pub fn replace_real(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    let written = || -> io::Result<()> {
        let parts = path.parent().zip(path.file_name());
        let (directory, name) = parts.ok_or(io::ErrorKind::InvalidInput)?;
        let directory = opened_real(directory, OFlags::PATH | OFlags::DIRECTORY)?;
        // By its descriptor: whatever becomes of the path, it is written in this directory.
        let held = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        replaced(&held.join(name), content, mode)
    };
    named(written(), "write", path)
}

fn opened_real(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    Ok(rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?)
}

/// Makes a file with the given mode, whole or not at all; `false` where there is something already.
pub fn create_new(path: &Path, content: &[u8], mode: u32) -> Result<bool, Error> {
    let written = || -> io::Result<bool> {
        match draft(path, content, mode)?.persist_noclobber(path) {
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|_| true).map_err(|failed| failed.error),
        }
    };
    named(written(), "write", path)
}

/// Reads a small regular file of text that someone else wrote: no link, no pipe, nothing over the limit.
pub fn read_small(path: &Path, limit: u64) -> Option<String> {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let mut text = String::new();
    let fits = metadata.is_file() && metadata.len() <= limit;
    fits.then(|| file.take(limit).read_to_string(&mut text).ok()).flatten().map(|_| text)
}

/// Reads a regular file, links to it followed: no pipe or device is waited for, and what is over the limit is an error.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    let read = || -> io::Result<Vec<u8>> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut content = Vec::new();
        file.take(limit + 1).read_to_end(&mut content)?;
        let fits = u64::try_from(content.len()).is_ok_and(|length| length <= limit);
        if fits { Ok(content) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    };
    named(read(), "read", path)
}

/// Removes a file; one that is not there is no error.
pub fn remove_file(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => named(Err(error), "remove", path),
        _ => Ok(()),
    }
}

/// Removes a directory with all in it, following no links; one that is not there is no error.
pub fn remove_dir_all(path: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => named(Err(error), "remove", path),
        _ => Ok(()),
    }
}

/// Renames a file or a directory.
pub fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    named(std::fs::rename(from, to), "move", from)
}

/// Makes an empty file with mode 0600 where there is none.
pub fn touch_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    named(opened, "create", path).map(drop)
}

/// The names in a directory, sorted; none where there is no directory.
pub fn list(path: &Path) -> Result<Vec<String>, Error> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => named(other, "list", path)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(named(entry, "list", path)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Whether there is anything at a path, a link included.
pub fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Opens a file of mode 0600 for appending.
pub fn append(path: &Path) -> Result<std::fs::File, Error> {
    use std::os::unix::fs::OpenOptionsExt;
    named(std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path), "open", path)
}

/// Waits for the lock that a file is, and holds it until what is answered goes. For moments only: who waits, waits
/// without a bound.
pub fn lock(path: &Path) -> Result<std::fs::File, Error> {
    let file = append(path)?;
    named(file.lock(), "lock", path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_draft_is_swept_once_its_writer_is_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let names = [std::process::id(), dead.id()].map(|writer| format!("{DRAFT}{writer}-a"));
        for name in names.iter().chain(&[".clauderon-draft-x".to_owned(), ".clauderon-draft--1-a".to_owned()])
        {
            std::fs::write(directory.path().join(name), "half").unwrap();
        }
        replace(&directory.path().join("file"), b"whole", 0o600).unwrap();
        let expected = [
            ".clauderon-draft--1-a".to_owned(),
            names[0].clone(),
            ".clauderon-draft-x".to_owned(),
            "file".to_owned(),
        ];
        assert_eq!(list(directory.path()).unwrap(), expected);
    }

    #[test]
    fn what_was_agreed_to_is_what_is_opened_and_written() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (inside, outside) = (root.join("inside"), root.join("outside"));
        for directory in [&inside, &outside] {
            std::fs::create_dir(directory).unwrap();
            replace(&directory.join("key"), b"secret", 0o600).unwrap();
        }
        symlink("inside", root.join("way")).unwrap();
        assert_eq!(real(&root.join("way/key")), inside.join("key"));
        assert_eq!(real(&root.join("way/none/yet")), inside.join("none/yet"));
        assert!(open_real(&inside.join("key")).is_ok());
        assert!(open_real(&root.join("way/key")).is_err());
        // The file becomes a link, then a directory on the way to it.
        remove_file(&inside.join("key")).unwrap();
        symlink(outside.join("key"), inside.join("key")).unwrap();
        assert_eq!(open_real(&inside.join("key")).unwrap_err().raw_os_error(), Some(40));
        remove_dir_all(&inside).unwrap();
        symlink("outside", &inside).unwrap();
        assert!(open_real(&inside.join("key")).is_err());
        assert!(replace_real(&inside.join("key"), b"new", 0o600).is_err());
        assert_eq!(read(&outside.join("key")).unwrap(), b"secret");
        replace_real(&outside.join("key"), b"new", 0o600).unwrap();
        assert_eq!(read(&outside.join("key")).unwrap(), b"new");
    }
}
