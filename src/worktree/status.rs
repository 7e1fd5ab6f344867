//! What lies in a checkout's working tree and is in no commit, by libgit2 in a private repository that takes nothing
//! from the agent's but its index and objects: no config, no hook, no filter, no file monitor of the agent's runs.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::{Index, Oid, Repository, Status, StatusOptions};
use rustix::fs::FileType;

use super::beneath::{Beneath, Entry};
use super::error::Error;
use super::lost::Loss;
use super::record::Record;

const MAX_ENTRIES: usize = 5_000_000;
const MAX_FILE_BYTES: u64 = 4 << 30;
const MAX_INDEX_BYTES: u64 = 512 << 20;
/// Files that git reads while it looks at others: anything but a regular file there could hold the reader up.
const READ_BY_GIT: [&str; 3] = [".gitignore", ".gitattributes", ".gitmodules"];
/// Bits of an index entry that hide a change of its file.
const ASSUME_UNCHANGED: u16 = 0x8000;
const SKIP_WORKTREE: u16 = 1 << 14;

/// What a walk through the working tree found.
#[derive(Debug, Default)]
pub struct Tree {
    /// Repositories below the checkout.
    pub nested: Vec<PathBuf>,
    /// What keeps the status from being asked for, in words.
    pub odd: Vec<String>,
    /// Files too large to be read.
    oversized: Vec<PathBuf>,
}

/// Walks the working tree, links not followed.
pub fn walk(root: &Beneath, excludes: &[String]) -> Tree {
    let mut tree = Tree::default();
    let (mut pending, mut count) = (vec![PathBuf::new()], 0);
    while let Some(directory) = pending.pop() {
        let here = if directory.as_os_str().is_empty() { Path::new(".") } else { &directory };
        let entries = match root.list(here, MAX_ENTRIES) {
            Ok(entries) => entries.unwrap_or_default(),
            Err(error) => {
                tree.odd.push(error.to_string());
                continue;
            }
        };
        count += entries.len();
        if count > MAX_ENTRIES {
            tree.odd.push(format!("it has more than {MAX_ENTRIES} files"));
            return tree;
        }
        if !directory.as_os_str().is_empty() && entries.iter().any(|entry| entry.name == ".git") {
            tree.nested.push(directory);
            continue;
        }
        pending.extend(entries.iter().filter_map(|entry| tree.note(&directory, entry, excludes)));
    }
    tree
}

impl Tree {
    /// Takes note of an entry; returns it when it is a directory to walk.
    fn note(&mut self, directory: &Path, entry: &Entry, excludes: &[String]) -> Option<PathBuf> {
        let path = directory.join(&entry.name);
        let special = READ_BY_GIT.iter().any(|name| entry.name == *name);
        match entry.kind {
            _ if entry.name == ".git" => {}
            FileType::Directory => return (!excluded(&path, excludes)).then_some(path),
            FileType::RegularFile if entry.size <= MAX_FILE_BYTES => {}
            FileType::RegularFile => self.oversized.push(path),
            _ if special => self.odd.push(format!("`{}` is not a regular file", text(&path))),
            _ => {}
        }
        None
    }
}

/// Lists what is not committed, by the private repository of the checkout.
pub fn status(
    root: &Beneath,
    repository: &Repository,
    excludes: &[String],
    tree: &Tree,
) -> Result<Vec<Loss>, Error> {
    let index = repository.index().map_err(Error::git("read the index"))?;
    let sparse = uncover(index, tree).map_err(Error::git("read the index"))?;
    let mut options = StatusOptions::new();
    options
        .include_untracked(true)
        .recurse_untracked_dirs(true)
        .include_ignored(true)
        .recurse_ignored_dirs(false);
    options.exclude_submodules(true).include_unreadable(true).no_refresh(true);
    let statuses = repository.statuses(Some(&mut options)).map_err(Error::git("compare the files"))?;
    let mut losses = Vec::new();
    for entry in statuses.iter() {
        let path = Path::new(OsStr::from_bytes(entry.path_bytes()));
        let directory = entry.path_bytes().ends_with(b"/");
        // A path's components know no slash at its end.
        let bare: PathBuf = path.components().collect();
        let absent = entry.status() == Status::WT_DELETED && sparse.contains(entry.path_bytes());
        if absent || tree.nested.contains(&bare) || excluded(&bare, excludes) {
            continue;
        }
        if entry.status().is_ignored() && directory {
            losses.extend(ignored_directory(root, &bare, excludes)?);
        } else {
            losses.push(loss(entry.status(), text(path)));
        }
    }
    Ok(losses)
}

fn loss(status: Status, path: String) -> Loss {
    if status.is_ignored() {
        return Loss::Ignored { path };
    }
    if status == Status::WT_NEW {
        return Loss::Untracked { path };
    }
    let names = [
        (Status::CONFLICTED, "conflicted"),
        (Status::WT_MODIFIED, "modified"),
        (Status::WT_DELETED, "deleted"),
        (Status::WT_TYPECHANGE | Status::INDEX_TYPECHANGE, "type changed"),
        (Status::INDEX_NEW, "added"),
        (Status::INDEX_MODIFIED, "staged"),
        (Status::INDEX_DELETED, "removed"),
    ];
    let status =
        names.iter().find(|(bits, _)| status.intersects(*bits)).map_or("unreadable", |(_, name)| name);
    Loss::Uncommitted { path, status }
}

/// Makes the private repository in `scratch`, whose `objects` hold what HEAD needs. It borrows those of the user's.
pub fn repository(
    root: &Beneath,
    checkout: &Path,
    record: &Record,
    scratch: &Path,
    head: Option<Oid>,
) -> Result<Repository, Error> {
    let index = root.read(Path::new(".git/index"), MAX_INDEX_BYTES)?;
    private(checkout, record, scratch, head, index.as_deref())
}

/// The same of an index that was read already.
pub fn private(
    checkout: &Path,
    record: &Record,
    scratch: &Path,
    head: Option<Oid>,
    index: Option<&[u8]>,
) -> Result<Repository, Error> {
    let write = |name: &str, content: &[u8]| {
        let path = scratch.join(name);
        std::fs::write(&path, content).map_err(Error::io("write", &path))
    };
    for directory in ["refs", "objects/info"] {
        crate::fs::create_private_dir(&scratch.join(directory))?;
    }
    let head = head.map_or_else(|| "ref: refs/heads/unborn\n".to_owned(), |id| format!("{id}\n"));
    write("HEAD", head.as_bytes())?;
    let worktree = checkout.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    write("config", format!("{}[core]\n\tworktree = \"{worktree}\"\n", record.config).as_bytes())?;
    write("objects/info/alternates", record.alternates().as_bytes())?;
    if let Some(index) = index {
        write("index", index)?;
    }
    Repository::open(scratch).map_err(Error::git("open the private repository"))
}

/// Takes from the index what hides changes; returns the paths that need not be in the working tree.
fn uncover(mut index: Index, tree: &Tree) -> Result<HashSet<Vec<u8>>, git2::Error> {
    let mut sparse = HashSet::new();
    let hidden = |flags: u16, extended: u16| flags & ASSUME_UNCHANGED != 0 || extended & SKIP_WORKTREE != 0;
    let entries: Vec<_> = index.iter().filter(|entry| hidden(entry.flags, entry.flags_extended)).collect();
    let changed = !entries.is_empty() || !tree.oversized.is_empty();
    for mut entry in entries {
        if entry.flags_extended & SKIP_WORKTREE != 0 {
            sparse.insert(entry.path.clone());
        }
        entry.flags &= !ASSUME_UNCHANGED;
        entry.flags_extended &= !SKIP_WORKTREE;
        entry.mtime = git2::IndexTime::new(0, 0);
        index.add(&entry)?;
    }
    for path in &tree.oversized {
        index.remove_path(path)?;
    }
    if changed {
        index.write()?;
    }
    Ok(sparse)
}

/// Whether a path is, or is below, what one of our own exclude lines names. A star stands at a line's end alone.
pub fn excluded(path: &Path, excludes: &[String]) -> bool {
    excludes.iter().any(|line| match line.trim_matches('/').strip_suffix('*') {
        Some(start) => path.as_os_str().as_bytes().starts_with(start.as_bytes()),
        None => path.starts_with(line.trim_matches('/')),
    })
}

/// Whether an exclude line names something below the path.
fn leads_to_excluded(path: &Path, excludes: &[String]) -> bool {
    excludes.iter().any(|line| Path::new(line.trim_matches('/')).starts_with(path))
}

/// An ignored directory, or what of it is not ours where something in it is; nothing where it holds no file.
fn ignored_directory(root: &Beneath, directory: &Path, excludes: &[String]) -> Result<Vec<Loss>, Error> {
    if !leads_to_excluded(directory, excludes) {
        let path = format!("{}/", text(directory));
        return Ok(if holds_file(root, directory)? { vec![Loss::Ignored { path }] } else { vec![] });
    }
    let mut losses = Vec::new();
    for entry in root.list(directory, MAX_ENTRIES)?.unwrap_or_default() {
        let path = directory.join(&entry.name);
        match entry.kind {
            _ if excluded(&path, excludes) => {}
            FileType::Directory => losses.extend(ignored_directory(root, &path, excludes)?),
            _ => losses.push(Loss::Ignored { path: text(&path) }),
        }
    }
    Ok(losses)
}

/// What a workspace without a repository holds that is not ours, by the names at its top.
pub fn alone(root: &Beneath, excludes: &[String]) -> Result<Vec<Loss>, Error> {
    let mut losses = Vec::new();
    for entry in root.list(Path::new("."), MAX_ENTRIES)?.unwrap_or_default() {
        let path = PathBuf::from(entry.name);
        let found = match entry.kind {
            _ if excluded(&path, excludes) => vec![],
            FileType::Directory => ignored_directory(root, &path, excludes)?,
            _ => vec![Loss::Ignored { path: text(&path) }],
        };
        losses.extend(found.into_iter().map(|loss| match loss {
            Loss::Ignored { path } => Loss::Alone { path },
            other => other,
        }));
    }
    Ok(losses)
}

/// A path as text that tells it from every other: bytes that are no UTF-8 are written as `\xff`.
pub fn text(path: &Path) -> String {
    let chunks = path.as_os_str().as_bytes().utf8_chunks();
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        let invalid: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("{}{invalid}", chunk.valid())
    };
    chunks.map(chunk).collect()
}

fn holds_file(root: &Beneath, directory: &Path) -> Result<bool, Error> {
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in root.list(&directory, MAX_ENTRIES)?.unwrap_or_default() {
            if entry.kind != FileType::Directory {
                return Ok(true);
            }
            pending.push(directory.join(entry.name));
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_utf_8_are_told_apart() {
        let path = |bytes: &'static [u8]| text(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(path(b"a\xff\xfe/b"), "a\\xff\\xfe/b");
        assert_ne!(path(b"a\xff"), path(b"a\xfe"));
        assert_eq!(path("ü/🦀".as_bytes()), "ü/🦀");
    }

    #[test]
    fn an_exclude_hides_what_it_names_and_no_neighbour() {
        let lines = ["/.claude/projects/", "/.claude.json", "/.claude.json.*"].map(String::from);
        assert!(excluded(Path::new(".claude/projects/a"), &lines));
        assert!(excluded(Path::new(".claude.json"), &lines));
        assert!(excluded(Path::new(".claude.json.bak"), &lines));
        for other in [".claude", ".claude/projectsx", "a/.claude.json", ".claude.jsonx"] {
            assert!(!excluded(Path::new(other), &lines), "{other}");
        }
        assert!(leads_to_excluded(Path::new(".claude"), &lines));
        assert!(!leads_to_excluded(Path::new(".clau"), &lines));
    }
}
