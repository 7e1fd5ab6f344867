//! Waits until a file has grown that others write to without end, such as the store of events. Nothing is looked at while
//! nothing is written; and now and then, for where the system tells nothing.

use super::places::{Stamps, stamps};
use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often the file is looked at beside what the system tells.
const BACKSTOP: Duration = Duration::from_secs(2);
/// The same where the system has no watch left.
const POLL: Duration = Duration::from_millis(250);
/// More that comes within this time is told with the first.
const TOGETHER: Duration = Duration::from_millis(20);

/// A file, and those beside it whose names begin with its own.
pub struct Growth {
    files: BTreeSet<PathBuf>,
    seen: Stamps,
    news: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
}

impl Growth {
    /// Watches the store at a path, with the log that is written before it. From here on, no change is missed.
    pub fn of_store(path: &Path) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let files = BTreeSet::from([path.to_owned(), PathBuf::from(log)]);
        let news = Arc::default();
        let watcher = watcher(&files, path.parent().unwrap_or(path), &news).ok();
        Self { seen: stamps(&files), files, news, watcher }
    }

    /// Returns once something was written.
    pub async fn grown(&mut self) {
        let every = if self.watcher.is_some() { BACKSTOP } else { POLL };
        while tokio::time::timeout(every, self.news.notified()).await.is_err() {
            if stamps(&self.files) != self.seen {
                break;
            }
        }
        tokio::time::sleep(TOGETHER).await;
        self.seen = stamps(&self.files);
    }
}

fn watcher(
    files: &BTreeSet<PathBuf>,
    directory: &Path,
    news: &Arc<Notify>,
) -> notify::Result<RecommendedWatcher> {
    let (of_files, news) = (files.clone(), Arc::clone(news));
    let mut watcher = notify::recommended_watcher(move |told: notify::Result<Event>| {
        let concerns = |event: &Event| {
            let ours = event.paths.iter().any(|path| of_files.contains(path));
            // Root's SQLite gives the log to its owner whenever it opens it: whoever reads would tell himself.
            let reads =
                matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)));
            !reads && (ours || event.need_rescan())
        };
        // What cannot be told may be anything.
        if told.map_or(true, |event| concerns(&event)) {
            news.notify_one();
        }
    })?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{New, Reader, Writer};
    use serde_json::json;

    async fn tells(growth: &mut Growth) -> bool {
        tokio::time::timeout(Duration::from_millis(1500), growth.grown()).await.is_ok()
    }

    #[tokio::test]
    async fn a_store_tells_of_what_is_written_and_not_of_who_reads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let (writer, _) = Writer::open(&path).unwrap();
        let mut growth = Growth::of_store(&path);
        for number in 0..3 {
            let event = New {
                time: String::new(),
                project: String::new(),
                id: "a".to_owned(),
                session: "a".to_owned(),
                source: "hook",
                kind: "Stop".to_owned(),
                data: json!({ "number": number }),
            };
            writer.store(event).await.unwrap();
            assert!(tells(&mut growth).await, "event {number}");
        }
        // A commit is several writes, and the system may tell of the last of them late.
        for _ in 0..3 {
            if !tells(&mut growth).await {
                break;
            }
        }
        Reader::open(&path).unwrap().unwrap().last_seq().unwrap();
        assert!(!tells(&mut growth).await, "who reads is told");
    }
}
