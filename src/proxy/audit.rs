//! The audit log: one JSON line a request or tunnel, appended by one write each, never a body, never a query.

use crate::fs;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;

/// The log is turned over at this size; one old one is kept.
const LARGEST: u64 = 64 << 20;
/// A longer text of the caller's is cut: one session must not wash the others' lines out of the log.
const LONGEST: usize = 512;

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
    /// The path of a request, without its query.
    pub path: Option<String>,
    /// The status that the container was answered.
    pub status: u16,
    /// `pass`, `inject`, `tunnel` or `deny`.
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

/// The bytes of a tunnel, counted while they flow.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicU64>);

impl Count {
    /// Some more.
    pub fn add(&self, bytes: &[u8]) {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

/// A line that is being lived. It is written when it is dropped: a caller that goes away early leaves its line too.
#[derive(Debug)]
pub struct Entry {
    /// What is known so far.
    pub line: Line,
    /// Bytes from the container.
    pub bytes_in: Count,
    /// Bytes to the container.
    pub bytes_out: Count,
    /// The session's place that it takes, given back at its end.
    pub place: Option<OwnedSemaphorePermit>,
    start: Instant,
    audit: Arc<Audit>,
    dismissed: bool,
}

impl Entry {
    /// Begins a line; its reason says that it was broken off until something better is known.
    pub fn begin(audit: Arc<Audit>, mut line: Line) -> Self {
        line.time = format!("{:.3}", jiff::Timestamp::now());
        line.reason = Some("the session went away".to_owned());
        let (bytes_in, bytes_out) = (Count::default(), Count::default());
        Self { line, bytes_in, bytes_out, place: None, start: Instant::now(), audit, dismissed: false }
    }

    /// Ends it unwritten: others tell what there is to tell.
    pub fn dismiss(mut self) {
        self.dismissed = true;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.dismissed {
            return;
        }
        let line = &mut self.line;
        line.ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        line.bytes_in = self.bytes_in.0.load(Ordering::Relaxed);
        line.bytes_out = self.bytes_out.0.load(Ordering::Relaxed);
        let texts = [Some(&mut line.method), line.path.as_mut(), line.reason.as_mut()];
        for text in texts.into_iter().flatten().filter(|text| text.len() > LONGEST) {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push('…');
        }
        self.audit.write(&self.line);
    }
}
