//! What an agent may have put into the user's git directory, where a `worktree` or `shared` checkout lets it write refs and
//! objects: pipes that make libgit2 wait for ever, links that make it write elsewhere. Looked at before libgit2 is let in.

use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::beneath::Beneath;
use super::error::Error;
use super::linked;

const MAX_ENTRIES: usize = 1_000_000;
const MAX_DEPTH: usize = 32;

/// Finds the first trap. A repository whose refs and objects no session may write is not looked at.
pub fn check(common: &Path) -> Result<(), Error> {
    if !linked::is_any(common) {
        return Ok(());
    }
    let root = Beneath::open(common)?;
    walk(&root, common, "refs", MAX_DEPTH)?;
    walk(&root, common, "objects", 1)
}

fn walk(root: &Beneath, common: &Path, top: &str, deepest: usize) -> Result<(), Error> {
    let mut pending = vec![(PathBuf::from(top), 0)];
    let mut count = 0;
    while let Some((directory, depth)) = pending.pop() {
        let entries = root.list(&directory, MAX_ENTRIES)?.unwrap_or_default();
        count += entries.len();
        if count > MAX_ENTRIES {
            return Err(Error::TooLarge {
                what: common.join(top).display().to_string(),
                limit: MAX_ENTRIES as u64,
            });
        }
        for entry in entries {
            let path = directory.join(&entry.name);
            let found = match entry.kind {
                FileType::RegularFile => continue,
                FileType::Directory if depth < deepest => {
                    pending.push((path, depth + 1));
                    continue;
                }
                FileType::Directory => "a directory where none belongs",
                FileType::Symlink if names_a_ref(&common.join(&path)) => continue,
                FileType::Symlink => "a symbolic link",
                FileType::Fifo => "a pipe",
                _ => "no regular file",
            };
            return Err(Error::Trap { path: common.join(path), found });
        }
    }
    Ok(())
}

/// Whether a link is git's old way to say that one ref is another.
fn names_a_ref(link: &Path) -> bool {
    let target = std::fs::read_link(link).unwrap_or_default();
    let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    target.starts_with("refs") && target.components().all(plain) && !link.is_dir()
}
