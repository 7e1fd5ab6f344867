//! Deletes a tree that somebody hostile wrote: by descriptors, no link followed, and however deep it is, with two of
//! them open. What lies deeper is moved to the top before it is emptied, so that neither a path nor a stack grows.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, openat, renameat_with, unlinkat};
use rustix::io::Errno;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Deletes a tree; directories that their owner closed are opened. One that is not there is no error. Nothing but this
/// may write at its top, which is a directory of ours.
pub fn delete(path: &Path) -> io::Result<()> {
    let top = match rustix::fs::open(path, DIRECTORY, Mode::empty()) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => return std::fs::remove_file(path),
        Err(Errno::ACCESS) => {
            open_up(rustix::fs::CWD, path.as_os_str())?;
            rustix::fs::open(path, DIRECTORY, Mode::empty())?
        }
        Err(errno) => return Err(errno.into()),
    };
    let mut emptying = Emptying { top, pending: Vec::new(), moved: 0 };
    emptying.top()?;
    while let Some(name) = emptying.pending.pop() {
        emptying.empty(&name)?;
    }
    std::fs::remove_dir(path)
}

struct Emptying {
    top: OwnedFd,
    /// Names at the top, each of a directory that is to be emptied.
    pending: Vec<OsString>,
    /// How many directories were moved to the top.
    moved: u64,
}

impl Emptying {
    fn top(&mut self) -> io::Result<()> {
        for (name, kind) in entries(&self.top)? {
            if !removed(self.top.as_fd(), &name, kind)? {
                self.pending.push(name);
            }
        }
        Ok(())
    }

    /// Empties a directory at the top and removes it.
    fn empty(&mut self, name: &OsStr) -> io::Result<()> {
        let directory = match openat(&self.top, name, DIRECTORY, Mode::empty()) {
            Err(Errno::ACCESS) => {
                open_up(self.top.as_fd(), name)?;
                openat(&self.top, name, DIRECTORY, Mode::empty())?
            }
            other => other?,
        };
        for (entry, kind) in entries(&directory)? {
            let gone = match removed(directory.as_fd(), &entry, kind) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    rustix::fs::fchmod(&directory, Mode::RWXU)?;
                    removed(directory.as_fd(), &entry, kind)?
                }
                other => other?,
            };
            if !gone {
                self.lift(&directory, &entry)?;
            }
        }
        drop(directory);
        match unlinkat(&self.top, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOENT) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Moves a directory to the top, where it is emptied later.
    fn lift(&mut self, from: &OwnedFd, name: &OsStr) -> io::Result<()> {
        loop {
            let place = OsString::from(format!("lifted-{}", self.moved));
            self.moved += 1;
            match renameat_with(from, name, &self.top, &place, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    self.pending.push(place);
                    return Ok(());
                }
                // Left by one that was killed.
                Err(Errno::EXIST) => {}
                Err(Errno::NOENT) => return Ok(()),
                // A directory that is moved is written: its `..` changes.
                Err(Errno::ACCESS | Errno::PERM) if opened(from, name)? => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Opens what keeps a directory from being moved; `false` where nothing is closed.
fn opened(from: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    let mode = |at: BorrowedFd<'_>, name: &OsStr| {
        rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| Mode::from_raw_mode(stat.st_mode))
    };
    let closed = !mode(from.as_fd(), name)?.contains(Mode::RWXU)
        || !Mode::from_raw_mode(rustix::fs::fstat(from)?.st_mode).contains(Mode::RWXU);
    if closed {
        rustix::fs::fchmod(from, Mode::RWXU)?;
        open_up(from.as_fd(), name)?;
    }
    Ok(closed)
}

/// Removes an entry; `false` for a directory that is not empty.
fn removed(directory: BorrowedFd<'_>, name: &OsStr, kind: FileType) -> io::Result<bool> {
    let flags = if kind == FileType::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    match unlinkat(directory, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        // What it is has changed since it was listed, or was not told.
        Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(Errno::NOTDIR) => removed(directory, name, FileType::RegularFile),
        Err(errno) => Err(errno.into()),
    }
}

fn entries(directory: &OwnedFd) -> io::Result<Vec<(OsString, FileType)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            found.push((name.to_owned(), entry.file_type()));
        }
    }
    Ok(found)
}

/// Gives the owner all rights to a directory; a link in its place is not followed.
fn open_up(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = openat(at, name, flags, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}
