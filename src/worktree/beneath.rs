//! Access below a directory that an agent has written in: `openat2` beneath its root, no link followed, sizes bounded.
//! A pipe, a device or a symlink in a file's place is an error, never a wait and never a way out.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::error::Error;

const RESOLVE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// A directory, and what is beneath it.
#[derive(Debug)]
pub struct Beneath {
    root: OwnedFd,
    path: PathBuf,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// What it is, links not followed.
    pub kind: FileType,
    /// The size of a regular file.
    pub size: u64,
    /// What it takes on the disk.
    pub disk: u64,
    /// Whether its owner may run it.
    pub runs: bool,
    /// Its number on its file system.
    pub inode: u64,
    /// When it was written last, and when anything of it changed: seconds and nanoseconds.
    pub times: [(i64, u32); 2],
}

impl Beneath {
    /// Opens the root. Nothing above it may be in an agent's reach.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(root, flags, Mode::empty());
        let fd = opened.map_err(|errno| Error::io("open", root)(errno.into()))?;
        Ok(Self { root: fd, path: root.to_owned() })
    }

    fn resolve(&self, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        rustix::fs::openat2(&self.root, path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, mode, RESOLVE)
    }

    fn failed(&self, verb: &'static str, path: &Path, errno: Errno) -> Error {
        let found = match errno {
            Errno::LOOP => "a symbolic link",
            Errno::XDEV => "outside it",
            Errno::NOTDIR => "not a directory",
            Errno::ISDIR => "a directory",
            Errno::NXIO => "a pipe or a socket",
            _ => return Error::io(verb, &self.path.join(path))(errno.into()),
        };
        Error::Planted { path: path.to_owned(), found }
    }

    /// What is at a path; `None` where nothing is.
    pub fn kind(&self, path: &Path) -> Result<Option<FileType>, Error> {
        match self.resolve(path, OFlags::PATH, Mode::empty()) {
            Ok(fd) => {
                let stat = rustix::fs::fstat(fd).map_err(|errno| self.failed("look at", path, errno))?;
                Ok(Some(FileType::from_raw_mode(stat.st_mode)))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => Ok(Some(FileType::Symlink)),
            Err(errno) => Err(self.failed("look at", path, errno)),
        }
    }

    /// Opens a regular file for reading; `None` where nothing is.
    pub fn open_file(&self, path: &Path) -> Result<Option<(File, u64)>, Error> {
        let fd = match self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.failed("open", path, errno)),
        };
        let file = File::from(fd);
        let metadata = file.metadata().map_err(Error::io("look at", &self.path.join(path)))?;
        if metadata.is_file() {
            return Ok(Some((file, metadata.len())));
        }
        Err(Error::Planted { path: path.to_owned(), found: "not a regular file" })
    }

    /// Reads a regular file of at most `limit` bytes; `None` where nothing is.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some((file, length)) = self.open_file(path)? else {
            return Ok(None);
        };
        let too_large = || Error::TooLarge { what: path.display().to_string(), limit };
        if length > limit {
            return Err(too_large());
        }
        let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        let read = file.take(limit + 1).read_to_end(&mut content);
        read.map_err(Error::io("read", &self.path.join(path)))?;
        if content.len() as u64 > limit { Err(too_large()) } else { Ok(Some(content)) }
    }

    /// Where a link leads, in its own words; it is not followed. `None` where no link is.
    pub fn read_link(&self, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        let (Some(name), above) = (path.file_name(), path.parent().unwrap_or(Path::new(""))) else {
            return Ok(None);
        };
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        let directory = match self.resolve(above, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.failed("open", above, errno)),
        };
        match rustix::fs::readlinkat(&directory, name, Vec::new()) {
            Ok(target) => Ok(Some(target.into_bytes())),
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(errno) => Err(self.failed("read", path, errno)),
        }
    }

    /// Lists a directory of at most `limit` names, sorted; `None` where nothing is.
    pub fn list(&self, path: &Path, limit: usize) -> Result<Option<Vec<Entry>>, Error> {
        let fd = match self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.failed("list", path, errno)),
        };
        let failed = |errno| self.failed("list", path, errno);
        let mut entries = Vec::new();
        for entry in Dir::read_from(&fd).map_err(failed)? {
            let name = OsStr::from_bytes(entry.map_err(failed)?.file_name().to_bytes()).to_owned();
            if name == "." || name == ".." {
                continue;
            }
            if entries.len() == limit {
                return Err(Error::TooLarge { what: path.display().to_string(), limit: limit as u64 });
            }
            match rustix::fs::statat(&fd, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => {
                    let size = u64::try_from(stat.st_size).unwrap_or(0);
                    let disk = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
                    entries.push(Entry {
                        name,
                        kind: FileType::from_raw_mode(stat.st_mode),
                        size,
                        disk,
                        runs: stat.st_mode & 0o100 != 0,
                        inode: stat.st_ino,
                        times: [
                            (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
                            (stat.st_ctime, u32::try_from(stat.st_ctime_nsec).unwrap_or(0)),
                        ],
                    });
                }
                // Gone since it was listed.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(entries))
    }

    /// Makes a directory and its parents; those that are there already are fine.
    pub fn make_directory(&self, path: &Path) -> Result<(), Error> {
        let mut made = PathBuf::new();
        let mut parent = None;
        for component in path.components() {
            let Component::Normal(name) = component else {
                return Err(Error::Planted { path: path.to_owned(), found: "outside it" });
            };
            made.push(name);
            let created = rustix::fs::mkdirat(parent.as_ref().unwrap_or(&self.root), name, Mode::from(0o755));
            if let Err(errno) = created
                && errno != Errno::EXIST
            {
                return Err(self.failed("create", &made, errno));
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let fd = self.resolve(&made, flags, Mode::empty());
            parent = Some(fd.map_err(|errno| self.failed("open", &made, errno))?);
        }
        Ok(())
    }

    /// Removes a directory or a regular file where it is empty. Anything else stays, and is no error.
    pub fn remove_empty(&self, path: &Path) -> Result<(), Error> {
        let (Some(name), above) = (path.file_name(), path.parent().unwrap_or(Path::new(""))) else {
            return Ok(());
        };
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        let Ok(above) = self.resolve(above, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) else {
            return Ok(());
        };
        let flags = match rustix::fs::statat(&above, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => AtFlags::REMOVEDIR,
                FileType::RegularFile if stat.st_size == 0 => AtFlags::empty(),
                _ => return Ok(()),
            },
            Err(_) => return Ok(()),
        };
        match rustix::fs::unlinkat(&above, name, flags) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(errno) => Err(self.failed("remove", path, errno)),
        }
    }

    /// Makes a regular file and its parents; `None` when one is there already.
    pub fn make_file(&self, path: &Path, mode: u32) -> Result<Option<File>, Error> {
        self.make_directory(path.parent().unwrap_or(Path::new("")))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        match self.resolve(path, flags, Mode::from(mode)) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::EXIST) => match self.kind(path)? {
                Some(FileType::RegularFile) => Ok(None),
                Some(FileType::Symlink) => Err(self.failed("create", path, Errno::LOOP)),
                _ => Err(Error::Planted { path: path.to_owned(), found: "not a regular file" }),
            },
            Err(errno) => Err(self.failed("create", path, errno)),
        }
    }
}
