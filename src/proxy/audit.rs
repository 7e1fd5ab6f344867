//! The audit log: one JSON line a request or tunnel, appended by one write each, never a body, never a query.

use crate::fs;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The log is turned over at this size; one old one is kept.
const LARGEST: u64 = 64 << 20;

/// One line.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Line {
    /// When it began, RFC 3339.
    pub time: String,
    /// The project.
    pub project: String,
    /// The session.
    pub session: String,
    /// The destination's name.
    pub host: String,
    /// The destination's port.
    pub port: u16,
    /// The method.
    pub method: String,
    /// The path of a plain request.
    pub path: Option<String>,
    /// The status that the container was answered.
    pub status: u16,
    /// `pass`, `tunnel` or `deny`.
    pub decision: &'static str,
    /// The credential that was lent.
    pub credential: Option<String>,
    /// Why it was refused or failed.
    pub reason: Option<String>,
    /// Bytes from the container.
    pub bytes_in: u64,
    /// Bytes to the container.
    pub bytes_out: u64,
    /// How long it took.
    pub ms: u64,
}

/// The log.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    file: Mutex<File>,
}

impl Audit {
    /// Opens the log for appending.
    pub fn open(path: &Path) -> Result<Self, fs::Error> {
        Ok(Self { path: path.to_owned(), file: Mutex::new(fs::append(path)?) })
    }

    /// Appends a line. A disk that is full is said in the daemon's log.
    pub fn write(&self, line: &Line) {
        let mut text = serde_json::to_vec(line).unwrap_or_default();
        text.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(&text) {
            tracing::error!(%error, "the audit log could not be written");
        }
        if file.metadata().is_ok_and(|metadata| metadata.len() > LARGEST) {
            let turned = fs::rename(&self.path, &self.path.with_extension("jsonl.1"));
            match turned.and_then(|()| fs::append(&self.path)) {
                Ok(new) => *file = new,
                Err(error) => tracing::error!(%error, "the audit log could not be turned over"),
            }
        }
    }
}
