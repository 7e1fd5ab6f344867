//! Locks of refs that someone left who was killed: git and libgit2 hold one for a moment, and nobody takes it away for
//! them. libgit2 even moves a ref by a link before it lets go, so that a lock may lie beside a ref that is as it should be.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use git2::Repository;

use super::error::Error;

/// The age at which a ref's lock is nobody's any more.
pub const STALE: Duration = Duration::from_secs(1);

/// Removes the locks in a namespace that is clauderon's alone, once they are old.
pub fn sweep(repository: &Repository, namespace: &str) {
    let mut pending = vec![repository.commondir().join(namespace)];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lock") {
                outlive(&path);
            }
        }
    }
}

/// The word that a ref of the user's is being moved, kept as long as that lasts: whoever finds it knows whose the lock is.
pub struct Moving(PathBuf);

impl Moving {
    /// Says so in a file.
    pub fn begin(mark: &Path, name: &str) -> Result<Self, Error> {
        crate::fs::replace(mark, name.as_bytes(), 0o600)?;
        Ok(Self(mark.to_owned()))
    }

    /// Removes the lock of one who did not come to his end.
    pub fn recover(mark: &Path, repository: &Repository) -> Result<(), Error> {
        let Some(name) = crate::fs::read_small(mark, 4096) else { return Ok(()) };
        if name.starts_with("refs/heads/") && git2::Reference::is_valid_name(&name) {
            outlive(&repository.commondir().join(format!("{name}.lock")));
        }
        Ok(crate::fs::remove_file(mark)?)
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        // Where it stays, a lock is looked for that is not there.
        let _ = crate::fs::remove_file(&self.0);
    }
}

/// Waits until a lock is gone, or old, and removes an old one.
fn outlive(lock: &Path) {
    while let Some(age) = age(lock) {
        if age > STALE {
            // Where it fails, who wants the ref says so.
            let _ = std::fs::remove_file(lock);
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How old a file is; none where there is none. One of the future is as old as can be.
pub fn age(path: &Path) -> Option<Duration> {
    let modified = std::fs::symlink_metadata(path).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(modified).unwrap_or(Duration::MAX))
}
