//! A file of lines that is turned over when it is full: one old one is kept, so that both together are bounded.

use crate::fs;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where the old file is.
pub(super) fn old(path: &Path) -> PathBuf {
    path.with_added_extension("1")
}

/// A file that is appended to. It supposes that nobody else writes there.
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    file: File,
    /// How long it is.
    length: u64,
    /// The length beyond which it is turned over.
    largest: u64,
    /// The last line may have no end: a write broke off, or whoever wrote was killed.
    torn: bool,
}

impl Rotating {
    /// Opens it, with mode 0600 however it was found.
    pub fn open(path: &Path, largest: u64) -> Result<Self, fs::Error> {
        let file = fs::append(path)?;
        let _ = file.set_permissions(std::fs::Permissions::from_mode(0o600));
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let torn = length > 0 && last_byte(path) != Some(b'\n');
        Ok(Self { path: path.to_owned(), file, length, largest, torn })
    }

    /// Appends lines by one write. One that was torn before is ended first, so that it spoils no other.
    pub fn append(&mut self, mut line: Vec<u8>) {
        line.push(b'\n');
        if self.length > 0 && self.length + line.len() as u64 > self.largest {
            self.turn();
        }
        if self.torn {
            line.insert(0, b'\n');
        }
        let written = self.file.write_all(&line);
        self.torn = written.is_err();
        match written {
            Ok(()) => self.length += line.len() as u64,
            Err(error) => {
                self.length = self.file.metadata().map_or(self.length, |metadata| metadata.len());
                tracing::error!(%error, "the audit log could not be written");
            }
        }
    }

    /// Moves it aside and begins anew. Killed in between, the next start makes the new one.
    fn turn(&mut self) {
        let turned = fs::rename(&self.path, &old(&self.path)).and_then(|()| fs::append(&self.path));
        match turned {
            Ok(file) => (self.file, self.length, self.torn) = (file, 0, false),
            Err(error) => {
                // Tried again when as much has come, not at every line.
                self.length = 0;
                tracing::error!(%error, "the audit log could not be turned over");
            }
        }
    }
}

fn last_byte(path: &Path) -> Option<u8> {
    let mut file = File::open(path).ok()?;
    file.seek(SeekFrom::End(-1)).ok()?;
    let mut byte = [0];
    file.read_exact(&mut byte).ok()?;
    Some(byte[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn two_files_are_all_that_there_ever_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let mut file = Rotating::open(&path, 100).unwrap();
        for number in 0..50 {
            file.append(format!("line {number:02} .").into_bytes());
            for path in [&path, &old(&path)] {
                assert!(!path.exists() || read(path).len() <= 100);
            }
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
        assert_eq!(read(&old(&path)).lines().next(), Some("line 30 ."));
        assert_eq!(read(&path).lines().last(), Some("line 49 ."));
        assert_eq!(std::fs::metadata(old(&path)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_was_torn_by_a_kill_spoils_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        fs::replace(&path, b"whole\nhal", 0o644).unwrap();
        let mut file = Rotating::open(&path, 100).unwrap();
        file.append(b"next".to_vec());
        assert_eq!(read(&path), "whole\nhal\nnext\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn one_that_was_moved_aside_when_the_writer_was_killed_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        fs::replace(&old(&path), b"before\n", 0o600).unwrap();
        Rotating::open(&path, 100).unwrap().append(b"after".to_vec());
        assert_eq!((read(&old(&path)), read(&path)), ("before\n".to_owned(), "after\n".to_owned()));
    }
}
