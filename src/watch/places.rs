//! The entries of directories on which what a file holds depends: its own, and each link on the way to it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Links that are followed on the way to one file.
const MAX_LINKS: usize = 32;

/// The entries for these absolute paths, each in a directory that no link leads to. Of a path of which a part is
/// missing, the first missing part is the last entry.
pub fn entries<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for file in files {
        let mut links = MAX_LINKS;
        let _ = follow(PathBuf::from("/"), file, &mut found, &mut links, true);
    }
    found
}

/// Walks a path from a directory and answers where it leads.
fn follow(
    from: PathBuf,
    path: &Path,
    found: &mut BTreeSet<PathBuf>,
    links: &mut usize,
    last: bool,
) -> Option<PathBuf> {
    let mut at = from;
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        match component {
            Component::RootDir => at = PathBuf::from("/"),
            Component::ParentDir => drop(at.pop()),
            Component::CurDir | Component::Prefix(_) => {}
            Component::Normal(name) => {
                let entry = at.join(name);
                let is_last = last && components.peek().is_none();
                let Ok(metadata) = entry.symlink_metadata() else {
                    found.insert(entry);
                    return None;
                };
                if metadata.is_symlink() {
                    *links = links.checked_sub(1)?;
                    found.insert(entry.clone());
                    at = follow(at, &std::fs::read_link(&entry).ok()?, found, links, is_last)?;
                } else {
                    if is_last {
                        found.insert(entry.clone());
                    }
                    at = entry;
                }
            }
        }
    }
    Some(at)
}

/// What tells one state of an entry from another without reading it: of a write within one tick of the clock, the
/// events of the system tell.
pub type Stamps = BTreeMap<PathBuf, Option<(u64, u64, u64, i64, i64, i64)>>;

/// The states of entries.
pub fn stamps(entries: &BTreeSet<PathBuf>) -> Stamps {
    let stamp = |entry: &PathBuf| {
        let it = entry.symlink_metadata().ok()?;
        Some((it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec(), it.ctime_nsec()))
    };
    entries.iter().map(|entry| (entry.clone(), stamp(entry))).collect()
}

/// Whether git is in the middle of changing the files of a directory's repository: what stands there is not meant yet.
pub fn git_is_busy(directory: &Path) -> bool {
    let Some(top) = directory.ancestors().find(|above| above.join(".git").exists()) else { return false };
    let own = top.join(".git");
    // Of a worktree, the file `.git` names its directory.
    let named = crate::fs::read_small(&own, 4096);
    let named =
        named.as_deref().and_then(|text| text.strip_prefix("gitdir:")).map(|path| top.join(path.trim()));
    let git = named.unwrap_or(own);
    ["index.lock", "rebase-merge", "rebase-apply"].iter().any(|name| git.join(name).exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_link_on_the_way_is_an_entry_and_so_is_what_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("v1/deep")).unwrap();
        crate::fs::replace(&root.join("v1/deep/file"), b"", 0o600).unwrap();
        symlink("v1", root.join("now")).unwrap();
        symlink("now/deep/file", root.join("link")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let of = |name: &str| -> Vec<String> {
            let found = entries([&root.join(name)]);
            found.iter().map(|it| it.strip_prefix(&root).unwrap().display().to_string()).collect()
        };
        assert_eq!(of("link"), ["link", "now", "v1/deep/file"]);
        assert_eq!(of("v1/../v1/deep/file"), ["v1/deep/file"]);
        assert_eq!(of("now/none/file"), ["now", "v1/none"]);
        assert_eq!(of("loop"), ["loop"]);
    }

    #[test]
    fn git_is_busy_while_it_holds_the_index_or_rebases() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::create_dir_all(root.join(".git/worktrees/w")).unwrap();
        std::fs::create_dir_all(root.join("below")).unwrap();
        std::fs::create_dir_all(root.join("w")).unwrap();
        crate::fs::replace(&root.join("w/.git"), b"gitdir: ../.git/worktrees/w\n", 0o600).unwrap();
        assert!(!git_is_busy(&root.join("below")) && !git_is_busy(&root.join("w")));
        crate::fs::replace(&root.join(".git/index.lock"), b"", 0o600).unwrap();
        assert!(git_is_busy(&root.join("below")) && !git_is_busy(&root.join("w")));
        std::fs::create_dir(root.join(".git/worktrees/w/rebase-merge")).unwrap();
        assert!(git_is_busy(&root.join("w")));
    }
}
