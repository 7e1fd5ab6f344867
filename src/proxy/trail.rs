//! Reads the audit log while the daemon writes it: each line once, across the turning over of its file.

use super::rotate::old;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;
/// What has gone on for so long without an end is no line.
const LONGEST: usize = 1 << 20;

/// A line, as it is read again.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // The fields are those of `audit::Line`.
pub struct Record<'a> {
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    #[serde(borrow)]
    pub project: Cow<'a, str>,
    #[serde(borrow)]
    pub session: Cow<'a, str>,
    #[serde(borrow)]
    pub host: Cow<'a, str>,
    pub port: u16,
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    pub path: Option<String>,
    pub status: u16,
    #[serde(borrow)]
    pub decision: Cow<'a, str>,
    pub credential: Option<String>,
    pub reason: Option<String>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub ms: u64,
}

/// A reader. Where more than two files were filled between two looks, the lines of those that are gone are missing.
#[derive(Debug)]
pub struct Trail {
    path: PathBuf,
    /// The file that is read, and those that follow it.
    current: Option<File>,
    next: VecDeque<File>,
    /// The begin of a line whose end is not there yet.
    rest: Vec<u8>,
}

impl Trail {
    /// Begins with the oldest line that is kept.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), current: None, next: VecDeque::new(), rest: Vec::new() }
    }

    /// Some more whole lines, each without its end; none where there is nothing new.
    pub fn lines(&mut self) -> io::Result<Vec<Vec<u8>>> {
        loop {
            let lines = self.some()?;
            if !lines.is_empty() {
                return Ok(lines);
            }
            if !self.advance()? {
                return Ok(lines);
            }
        }
    }

    /// Whole lines of the file at hand; none at its end.
    fn some(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let Some(file) = &mut self.current else { return Ok(Vec::new()) };
        loop {
            let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut self.rest)?;
            let whole = self.rest.iter().rposition(|byte| *byte == b'\n');
            if let Some(end) = whole {
                let rest = self.rest.split_off(end + 1);
                let lines = std::mem::replace(&mut self.rest, rest);
                let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                return Ok(lines.map(<[u8]>::to_vec).collect());
            }
            if self.rest.len() > LONGEST {
                self.rest.clear();
            }
            if read == 0 {
                return Ok(Vec::new());
            }
        }
    }

    /// Goes on to the next file, if the one at hand was moved aside: nothing is appended to it any more.
    fn advance(&mut self) -> io::Result<bool> {
        if self.next.is_empty() && !self.find()? {
            return Ok(false);
        }
        // What was appended between the last look and the move is read first.
        let lines_left = self.current.as_mut().map(has_more).transpose()?.unwrap_or(false);
        if !lines_left {
            self.current = self.next.pop_front();
            // A line that was torn by a kill has no end.
            self.rest.clear();
        }
        Ok(true)
    }

    /// Looks for the files behind the one at hand.
    fn find(&mut self) -> io::Result<bool> {
        let at_hand = self.current.as_ref().map(inode).transpose()?;
        let newest = open(&self.path)?;
        let newest_number = newest.as_ref().map(inode).transpose()?;
        if newest.is_some() && newest_number == at_hand {
            return Ok(false);
        }
        // Opened second: where it was turned over in between, it is the same as the first. While it is being turned over, it
        // is all that there is.
        if let Some(before) = open(&old(&self.path))? {
            let number = Some(inode(&before)?);
            if number != at_hand && number != newest_number {
                self.next.push_back(before);
            }
        }
        self.next.extend(newest);
        Ok(!self.next.is_empty())
    }
}

fn has_more(file: &mut File) -> io::Result<bool> {
    use std::io::Seek;
    Ok(file.stream_position()? < file.metadata()?.len())
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn inode(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::super::rotate::Rotating;
    use super::*;

    #[test]
    fn a_follower_sees_each_line_once_while_the_file_is_turned_over_under_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let mut file = Rotating::open(&path, 4000).unwrap();
        let most = 20_000;
        let mut trail = Trail::new(&path);
        let (said, heard) = std::sync::mpsc::sync_channel::<usize>(0);
        let writer = std::thread::spawn(move || {
            for number in 0..most {
                file.append(format!("line {number}").into_bytes());
                // A reader that is a file and more behind would miss lines, which are gone.
                if number % 300 == 299 {
                    said.send(number).unwrap();
                }
            }
        });
        let mut seen = Vec::new();
        let mut read = |trail: &mut Trail| {
            loop {
                let lines = trail.lines().unwrap();
                if lines.is_empty() {
                    return seen.len();
                }
                seen.extend(lines.into_iter().map(|line| String::from_utf8(line).unwrap()));
            }
        };
        while let Ok(number) = heard.recv() {
            // The writer goes on meanwhile.
            assert!(read(&mut trail) > number);
        }
        writer.join().unwrap();
        read(&mut trail);
        let expected: Vec<String> = (0..most).map(|number| format!("line {number}")).collect();
        assert!(seen == expected, "{} of {most} lines came", seen.len());
    }

    #[test]
    fn a_line_without_its_end_is_waited_for_and_one_that_never_ends_is_none() {
        use std::io::Write;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let mut trail = Trail::new(&path);
        assert!(trail.lines().unwrap().is_empty(), "no file is no error");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"a\nhal").unwrap();
        assert_eq!(trail.lines().unwrap(), [b"a".to_vec()]);
        assert!(trail.lines().unwrap().is_empty());
        file.write_all(b"f\nto").unwrap();
        assert_eq!(trail.lines().unwrap(), [b"half".to_vec()]);
        crate::fs::rename(&path, &old(&path)).unwrap();
        File::create(&path).unwrap().write_all(b"b\n").unwrap();
        assert_eq!(trail.lines().unwrap(), [b"b".to_vec()]);
    }
}
