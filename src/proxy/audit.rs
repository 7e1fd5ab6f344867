//! The audit log: one JSON line a request or tunnel, appended by one write each, never a body, never a query.
//! `trail.rs` reads it.

use super::denials::{Denials, Rule};
use super::redact;
use super::rotate::Rotating;
use crate::fs;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

/// The log is turned over at this size; one old one is kept.
const LARGEST: u64 = 64 << 20;
/// About how much is written at once.
const LARGEST_WRITE: usize = 64 << 10;

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

/// The log. It has one writer: who holds the daemon's lock.
#[derive(Debug)]
pub struct Audit {
    file: Mutex<Rotating>,
    waiting: Mutex<Vec<Ended>>,
}

/// What is over and not yet written.
#[derive(Debug)]
struct Ended {
    line: Line,
    rule: Option<Rule>,
    denials: Arc<Denials>,
}

impl Audit {
    /// Opens the log for appending.
    pub fn open(path: &Path) -> Result<Self, fs::Error> {
        Self::bounded(path, LARGEST)
    }

    /// The same, turned over at another size.
    pub fn bounded(path: &Path, largest: u64) -> Result<Self, fs::Error> {
        Ok(Self { file: Mutex::new(Rotating::open(path, largest)?), waiting: Mutex::default() })
    }

    /// Appends a line without what looks like a secret. A disk that is full is said in the daemon's log.
    pub fn write(&self, line: Line) {
        self.write_all(vec![Ended { line, rule: None, denials: Arc::default() }]);
    }

    /// Writes what is over and was not yet written.
    pub fn flush(&self) {
        let ended = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.write_all(ended);
    }

    /// Has a line written as soon as the last of its answer is on its way: nobody waits for the disk, and what ends at
    /// once is written at once.
    fn later(self: &Arc<Self>, ended: Ended) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(ended);
        if waiting.len() > 1 {
            return;
        }
        drop(waiting);
        match Handle::try_current() {
            Ok(runtime) => {
                let audit = Arc::clone(self);
                runtime.spawn(async move { audit.flush() });
            }
            Err(_) => self.flush(),
        }
    }

    fn write_all(&self, all: Vec<Ended>) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = Vec::new();
        for Ended { mut line, rule, denials } in all {
            redact::clean(&mut line);
            if text.len() > LARGEST_WRITE {
                file.append(std::mem::take(&mut text));
            }
            if !text.is_empty() {
                text.push(b'\n');
            }
            text.extend(serde_json::to_vec(&line).unwrap_or_default());
            if line.decision == "deny" {
                denials.add(&line, rule.as_ref());
            }
        }
        if !text.is_empty() {
            file.append(text);
        }
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.flush();
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
    /// The rule that it broke, where it was one.
    pub rule: Option<Rule>,
    start: Instant,
    audit: Arc<Audit>,
    denials: Arc<Denials>,
    dismissed: bool,
}

impl Entry {
    /// Begins a line; its reason says that it was broken off until something better is known.
    pub fn begin(audit: Arc<Audit>, denials: Arc<Denials>, mut line: Line) -> Self {
        line.time = format!("{:.3}", jiff::Timestamp::now());
        line.reason = Some("the session went away".to_owned());
        let (bytes_in, bytes_out) = (Count::default(), Count::default());
        let (place, rule, start) = (None, None, Instant::now());
        Self { line, bytes_in, bytes_out, place, rule, start, audit, denials, dismissed: false }
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
        let (line, rule) = (std::mem::take(line), self.rule.take());
        self.audit.later(Ended { line, rule, denials: Arc::clone(&self.denials) });
    }
}
