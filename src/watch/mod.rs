//! Waits until files have changed, however they are written: in place, by a rename, through links, by git. Their
//! directories are watched, each by itself and none with what lies below it; and they are looked at now and then, for
//! where the system tells nothing.

pub mod growth;
pub mod places;

use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use places::{Stamps, entries, git_is_busy, stamps};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often files are looked at beside what the system tells: a network mount tells nothing.
const BACKSTOP: Duration = Duration::from_secs(2);
/// The same where the system has no watch left.
const POLL: Duration = Duration::from_millis(500);
/// Changes are over when there was none for so long.
const QUIET: Duration = Duration::from_millis(100);
/// Changes that go on are not waited for longer than this.
const LONGEST: Duration = Duration::from_secs(2);
/// Nor is git, which stops in the middle of a rebase until somebody goes on.
const LONGEST_GIT: Duration = Duration::from_secs(30);

/// Files that are watched.
pub struct Files {
    entries: BTreeSet<PathBuf>,
    seen: Stamps,
    news: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    trouble: Option<String>,
}

impl Files {
    /// Watches files by their absolute paths, whether they are there or not. From here on, no change is missed.
    pub fn arm(files: &BTreeSet<PathBuf>) -> Self {
        Self::armed(entries(files), watcher)
    }

    /// Watches what is in a directory, whatever it is called, as long as it is replaced and not written in place.
    pub fn arm_directory(directory: &Path) -> Self {
        Self::armed(BTreeSet::from([directory.to_owned()]), within)
    }

    fn armed(
        entries: BTreeSet<PathBuf>,
        watch: impl Fn(&BTreeSet<PathBuf>, &Arc<Notify>) -> notify::Result<RecommendedWatcher>,
    ) -> Self {
        let (news, seen) = (Arc::default(), stamps(&entries));
        let (watcher, trouble) = match watch(&entries, &news) {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(trouble(&error))),
        };
        Self { entries, seen, news, watcher, trouble }
    }

    /// Why the system does not tell of changes, so that the files are looked at again and again.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Returns once something has changed and nothing changes any more. `directory` lies in the repository whose git is
    /// waited for.
    pub async fn changed(&mut self, directory: &Path) {
        let every = if self.watcher.is_some() { BACKSTOP } else { POLL };
        while tokio::time::timeout(every, self.news.notified()).await.is_err() {
            if stamps(&self.entries) != self.seen {
                break;
            }
        }
        self.settle(directory).await;
    }

    async fn settle(&self, directory: &Path) {
        let begun = Instant::now();
        let mut before = stamps(&self.entries);
        loop {
            let told = tokio::time::timeout(QUIET, self.news.notified()).await.is_ok();
            let now = stamps(&self.entries);
            let busy = git_is_busy(directory);
            let longest = if busy { LONGEST_GIT } else { LONGEST };
            if (!told && now == before && !busy) || begun.elapsed() >= longest {
                return;
            }
            before = now;
        }
    }
}

/// Watches the directories of entries.
fn watcher(entries: &BTreeSet<PathBuf>, news: &Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let directories: BTreeSet<PathBuf> =
        entries.iter().filter_map(|entry| Some(entry.parent()?.to_owned())).collect();
    let (of_entries, of_directories) = (entries.clone(), directories.clone());
    watching(&directories, news, move |path| of_entries.contains(path) || of_directories.contains(path))
}

/// Watches directories and whatever is in them.
fn within(directories: &BTreeSet<PathBuf>, news: &Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    watching(directories, news, |_| true)
}

fn watching(
    directories: &BTreeSet<PathBuf>,
    news: &Arc<Notify>,
    ours: impl Fn(&PathBuf) -> bool + Send + 'static,
) -> notify::Result<RecommendedWatcher> {
    let news = Arc::clone(news);
    let mut watcher = notify::recommended_watcher(move |told: notify::Result<Event>| {
        let concerns = |event: &Event| {
            !matches!(event.kind, EventKind::Access(_))
                && (event.need_rescan() || event.paths.is_empty() || event.paths.iter().any(&ours))
        };
        // What cannot be told may be anything.
        if told.map_or(true, |event| concerns(&event)) {
            news.notify_one();
        }
    })?;
    for directory in directories {
        match watcher.watch(directory, RecursiveMode::NonRecursive) {
            // It went while it was looked at: the backstop sees it come again.
            Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => {}
            other => other?,
        }
    }
    Ok(watcher)
}

fn trouble(error: &notify::Error) -> String {
    let limit = match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        // EMFILE and ENOSPC: what inotify says of its limits.
        ErrorKind::Io(error) => matches!(error.raw_os_error(), Some(24 | 28)),
        _ => false,
    };
    let remedy = if limit {
        "; `sysctl fs.inotify.max_user_watches fs.inotify.max_user_instances` shows the limits"
    } else {
        ""
    };
    format!("the system tells of no changes ({error}): files are looked at twice a second{remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a change is told within a time that is far below that of the backstop.
    async fn tells(files: &mut Files, directory: &Path) -> bool {
        tokio::time::timeout(Duration::from_millis(1500), files.changed(directory)).await.is_ok()
    }

    fn write(path: &Path, text: &str) {
        // In place, as a shell does.
        use std::io::Write;
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[tokio::test]
    async fn a_change_is_told_however_it_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("elsewhere")).unwrap();
        write(&root.join("elsewhere/target"), "a");
        write(&root.join("file"), "a");
        std::os::unix::fs::symlink("elsewhere/target", root.join("link")).unwrap();
        let watched = BTreeSet::from(["file", "link", "missing", "later/file"].map(|name| root.join(name)));
        let ways: [(&str, &dyn Fn()); 8] = [
            ("in place", &|| write(&root.join("file"), "b")),
            ("by a rename", &|| crate::fs::replace(&root.join("file"), b"c", 0o600).unwrap()),
            ("again by a rename", &|| crate::fs::replace(&root.join("file"), b"d", 0o600).unwrap()),
            ("behind a link", &|| write(&root.join("elsewhere/target"), "b")),
            ("renamed behind a link", &|| {
                crate::fs::replace(&root.join("elsewhere/target"), b"c", 0o600).unwrap();
            }),
            ("a link that is set anew", &|| {
                std::os::unix::fs::symlink("file", root.join("new")).unwrap();
                std::fs::rename(root.join("new"), root.join("link")).unwrap();
            }),
            ("made", &|| write(&root.join("missing"), "a")),
            ("removed", &|| std::fs::remove_file(root.join("file")).unwrap()),
        ];
        for (name, change) in ways {
            let mut files = Files::arm(&watched);
            assert_eq!(files.trouble(), None);
            change();
            assert!(tells(&mut files, &root).await, "{name}");
        }
        let mut files = Files::arm(&watched);
        write(&root.join("other"), "a");
        write(&root.join("elsewhere/other"), "a");
        crate::fs::read(&root.join("missing")).unwrap();
        assert!(!tells(&mut files, &root).await, "what is no file of ours is told");
        std::fs::create_dir(root.join("later")).unwrap();
        assert!(tells(&mut files, &root).await, "a directory on the way is made");
        let mut files = Files::arm(&watched);
        write(&root.join("later/file"), "a");
        assert!(tells(&mut files, &root).await, "a file in it");
    }

    #[tokio::test]
    async fn whatever_is_replaced_in_a_directory_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let inside = root.join("inside");
        std::fs::create_dir(&inside).unwrap();
        let none = |_: &BTreeSet<PathBuf>, _: &Arc<Notify>| Err(notify::Error::new(ErrorKind::MaxFilesWatch));
        let ways: [(&str, &dyn Fn()); 3] = [
            ("made", &|| crate::fs::replace(&inside.join("a"), b"a", 0o600).unwrap()),
            ("replaced", &|| crate::fs::replace(&inside.join("a"), b"b", 0o600).unwrap()),
            ("removed", &|| std::fs::remove_file(inside.join("a")).unwrap()),
        ];
        for (name, change) in ways {
            let mut files = Files::arm_directory(&inside);
            assert_eq!(files.trouble(), None);
            write(&root.join("beside"), name);
            assert!(!tells(&mut files, &root).await, "what is beside it is told");
            let mut files = Files::arm_directory(&inside);
            let mut looked = Files::armed(BTreeSet::from([inside.clone()]), none);
            change();
            assert!(tells(&mut files, &root).await, "{name}");
            assert!(tells(&mut looked, &root).await, "{name}, without a watch");
        }
    }

    #[tokio::test]
    async fn without_a_watch_files_are_looked_at_and_it_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let watched = BTreeSet::from([root.join("file")]);
        let none = |_: &BTreeSet<PathBuf>, _: &Arc<Notify>| Err(notify::Error::new(ErrorKind::MaxFilesWatch));
        let mut files = Files::armed(entries(&watched), none);
        assert!(files.trouble().is_some_and(|why| why.contains("max_user_watches")));
        assert!(!tells(&mut files, &root).await, "nothing has changed yet");
        write(&root.join("file"), "a");
        assert!(tells(&mut files, &root).await);
    }

    #[tokio::test]
    async fn git_in_the_middle_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir(root.join(".git")).unwrap();
        write(&root.join(".git/index.lock"), "");
        let mut files = Files::arm(&BTreeSet::from([root.join("file")]));
        write(&root.join("file"), "a");
        assert!(!tells(&mut files, &root).await, "git was not waited for");
        write(&root.join("file"), "b");
        std::fs::remove_file(root.join(".git/index.lock")).unwrap();
        assert!(tells(&mut files, &root).await);
    }
}
