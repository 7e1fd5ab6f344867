//! Events that found no daemon, fetched from a directory that a hostile agent can write in: nothing is followed,
//! nothing but regular files is opened, and there is a bound on everything.

use super::message::LONGEST;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Files looked at in one go.
const MOST: usize = 10_000;

/// One spooled message.
#[derive(Debug, PartialEq, Eq)]
pub struct Spooled {
    /// The file's name in the spool.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// An open spool.
#[derive(Debug)]
pub struct Spool {
    directory: OwnedFd,
}

impl Spool {
    /// Opens the directory; its path is the host's own.
    pub fn open(path: &Path) -> rustix::io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self { directory: rustix::fs::open(path, flags, Mode::empty())? })
    }

    /// The names of the messages, oldest first.
    pub fn names(&self) -> rustix::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory)?.take(MOST) {
            let entry = entry?;
            // Of what is no file only some file systems tell here; `read` looks again.
            let file = matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown);
            if let Ok(name) = entry.file_name().to_str()
                && file
                && Path::new(name).extension().is_some_and(|extension| extension == "json")
                && !name.starts_with('.')
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads one message; `None` for what is no regular file or too long.
    pub fn read(&self, name: &str) -> std::io::Result<Option<Spooled>> {
        // NONBLOCK: a FIFO would hold the open up for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let Ok(opened) = rustix::fs::openat2(&self.directory, name, flags, Mode::empty(), resolve) else {
            return Ok(None);
        };
        let file = File::from(opened);
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > LONGEST as u64 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(LONGEST as u64).read_to_end(&mut bytes)?;
        Ok(Some(Spooled { name: name.to_owned(), bytes }))
    }

    /// Removes a message that was stored, or a file that is none. A long file with many holes takes its time.
    pub fn remove(&self, name: &str) {
        // What has become a directory meanwhile stays, and is no message the next time.
        let _ = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::write(path.join("2.json"), "two").unwrap();
        std::fs::write(path.join("1.json"), "one").unwrap();
        std::fs::write(path.join(".3.json"), "unfinished").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path.join("link.json")).unwrap();
        std::fs::create_dir(path.join("directory.json")).unwrap();
        File::create(path.join("long.json")).unwrap().set_len(1 << 40).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path.join("fifo.json"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let spool = Spool::open(path).unwrap();
        let names = spool.names().unwrap();
        assert_eq!(names, ["1.json", "2.json", "long.json"]);
        for name in ["directory.json", "fifo.json", "link.json", "long.json"] {
            assert_eq!(spool.read(name).unwrap(), None, "{name}");
        }
        let read: Vec<_> =
            names.iter().filter_map(|name| spool.read(name).unwrap()).map(|it| it.bytes).collect();
        assert_eq!(read, [b"one".to_vec(), b"two".to_vec()]);
        spool.remove("link.json");
        assert!(Path::new("/etc/passwd").exists() && !path.join("link.json").exists());
    }

    #[test]
    fn a_spool_that_is_a_link_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("spool");
        std::os::unix::fs::symlink("/etc", &link).unwrap();
        assert!(Spool::open(&link).is_err());
    }
}
