//! What a checkout holds that differs from the commit that it began at: commits, changes and new files together. An agent may
//! be at work in it: names and contents are read beneath its root alone, each once, and libgit2 sees copies.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use git2::{DiffOptions, ObjectType, Oid, Patch, Repository, TreeWalkMode, TreeWalkResult};
use rustix::fs::FileType;

use super::beneath::{Beneath, Entry};
use super::checkout::Kind;
use super::error::Error;
use super::ignored::Ignored;
use super::record::Record;
use super::status::{excluded, text};
use super::{linked, parent};

const MAX_ENTRIES: usize = 5_000_000;
const MAX_INDEX_BYTES: u64 = 512 << 20;
/// Larger files are named, and not compared line by line.
const MAX_TEXT: u64 = 4 << 20;
/// Larger files of the same size as before are taken for changed, where the index does not say otherwise.
const MAX_HASHED: u64 = 256 << 20;
/// The bytes of all files together that are compared line by line.
const MAX_TOTAL: usize = 256 << 20;
const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_000;
const GITLINK: u32 = 0o160_000;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new, and git knows of it.
    Added,
    /// It is new, and git does not know of it.
    Untracked,
    /// It is another.
    Modified,
    /// It is gone.
    Deleted,
}

impl Change {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Untracked => "untracked",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        }
    }
}

/// A file that differs.
#[derive(Debug)]
pub struct Differs {
    /// Its path in the checkout.
    pub path: PathBuf,
    /// What became of it.
    pub change: Change,
    /// Its mode before and now, as git has it.
    pub modes: [Option<u32>; 2],
    /// Its lines.
    pub content: Content,
}

/// How the content of a file differs.
#[derive(Debug)]
pub enum Content {
    /// Line by line.
    Lines {
        /// How many are new.
        insertions: usize,
        /// How many are gone.
        deletions: usize,
        /// The lines, each with its sign: `H` is the head of a hunk, `\\` the want of a line end, ` ` what stays.
        lines: Vec<(char, Vec<u8>)>,
    },
    /// It is no text.
    Binary,
    /// It is too large to be shown.
    Large,
}

/// Tells each file that differs, in the order of their paths; answers in words what could not be looked at.
pub fn diff(
    checkout: &Path,
    user_repository: &Path,
    told: &mut dyn FnMut(Differs),
) -> Result<Vec<String>, Error> {
    let missing =
        || Error::Foreign { path: checkout.to_owned(), reason: "there is no record beside it".to_owned() };
    let record = Record::read(checkout)?.ok_or_else(missing)?;
    let root = Beneath::open(record.working_tree.as_deref().unwrap_or(checkout))?;
    let user = parent::open_one(user_repository, Some(&record.parent))?;
    let (index, written) = index(&root, &record)?;
    let ignored = Ignored::new(checkout, &record, index.as_deref())?;
    let known = known(&ignored)?;
    let base = base(&user, &record)?;
    let mut look =
        Look { root: &root, user: &user, record: &record, ignored, known, written, notes: Vec::new() };
    let found = look.walk(base)?;
    let mut left = MAX_TOTAL;
    for found in found {
        let differs = look.compare(found, &mut left);
        match differs {
            Ok(Some(differs)) => told(differs),
            Ok(None) => {}
            Err(error) => look.notes.push(error.to_string()),
        }
    }
    Ok(look.notes)
}

/// Seconds and nanoseconds.
type Time = (i64, u32);

/// The index of a checkout, and when it was written.
fn index(root: &Beneath, record: &Record) -> Result<(Option<Vec<u8>>, Time), Error> {
    let own;
    let (holder, path) = match record.kind {
        Kind::Clone => (root, Path::new(".git/index")),
        Kind::Worktree | Kind::Shared => {
            own = Beneath::open(&linked::registration(&record.parent, &record.session))?;
            (&own, Path::new("index"))
        }
    };
    let written = holder.open_file(path)?.and_then(|(file, _)| file.metadata().ok());
    let written = written.map_or((0, 0), |about| {
        use std::os::unix::fs::MetadataExt;
        (about.mtime(), u32::try_from(about.mtime_nsec()).unwrap_or(0))
    });
    Ok((holder.read(path, MAX_INDEX_BYTES)?, written))
}

/// What an index says of a file.
struct Known {
    id: Oid,
    size: u32,
    inode: u32,
    times: [(i32, u32); 2],
    /// It need not be there.
    sparse: bool,
}

fn known(ignored: &Ignored) -> Result<BTreeMap<Vec<u8>, Known>, Error> {
    let index = ignored.repository().index().map_err(Error::git("read the index"))?;
    let times = |time: git2::IndexTime| (time.seconds(), time.nanoseconds());
    let known = index.iter().map(|entry| {
        let known = Known {
            id: entry.id,
            size: entry.file_size,
            inode: entry.ino,
            times: [times(entry.mtime), times(entry.ctime)],
            sparse: entry.flags_extended & (1 << 14) != 0,
        };
        (entry.path, known)
    });
    Ok(known.collect())
}

/// The files of the commit that a checkout began at: mode and content.
type Base = BTreeMap<Vec<u8>, (u32, Oid)>;

fn base(user: &Repository, record: &Record) -> Result<Base, Error> {
    let Some(base) = &record.base else { return Ok(Base::new()) };
    let mut files = Base::new();
    let mut read = || -> Result<(), git2::Error> {
        let tree = user.find_commit(Oid::from_str(base)?)?.tree()?;
        tree.walk(TreeWalkMode::PreOrder, |above, entry| {
            if entry.kind() != Some(ObjectType::Tree) {
                let path = [above.as_bytes(), entry.name_bytes()].concat();
                files.insert(path, (entry.filemode().cast_unsigned(), entry.id()));
            }
            TreeWalkResult::Ok
        })
    };
    read().map_err(Error::git("read the base"))?;
    Ok(files)
}

/// A file that may differ.
struct Found {
    path: PathBuf,
    /// Before.
    old: Option<(u32, Oid)>,
    /// Now.
    new: Option<Entry>,
}

struct Look<'a> {
    root: &'a Beneath,
    user: &'a Repository,
    record: &'a Record,
    ignored: Ignored,
    known: BTreeMap<Vec<u8>, Known>,
    /// When the index was written.
    written: (i64, u32),
    notes: Vec<String>,
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Whether a map has a path below a directory.
fn leads_below<T>(map: &BTreeMap<Vec<u8>, T>, directory: &Path) -> bool {
    let below = [bytes(directory), b"/"].concat();
    map.range(below.clone()..).next().is_some_and(|(path, _)| path.starts_with(&below))
}

impl Look<'_> {
    /// Walks the working tree, links not followed; answers what may differ, sorted.
    fn walk(&mut self, mut base: Base) -> Result<Vec<Found>, Error> {
        // Submodules are repositories of their own.
        let links: BTreeSet<Vec<u8>> =
            base.extract_if(.., |_, (mode, _)| *mode == GITLINK).map(|(path, _)| path).collect();
        let (mut pending, mut found, mut count) = (vec![PathBuf::new()], Vec::new(), 0);
        while let Some(directory) = pending.pop() {
            let entries = match self.list(&directory) {
                Ok(entries) => entries,
                Err(error) => {
                    self.notes.push(error.to_string());
                    continue;
                }
            };
            count += entries.len();
            if count > MAX_ENTRIES {
                let what = self.record.session.clone();
                return Err(Error::TooLarge { what, limit: MAX_ENTRIES as u64 });
            }
            let nested =
                !directory.as_os_str().is_empty() && entries.iter().any(|entry| entry.name == ".git");
            // A repository that is made over files of the base hides no change of theirs.
            if nested && !leads_below(&base, &directory) {
                if !links.contains(bytes(&directory)) {
                    self.notes.push(format!(
                        "`{}` is a repository of its own: its files are not shown",
                        text(&directory)
                    ));
                }
                continue;
            }
            for entry in entries.into_iter().filter(|entry| entry.name != ".git") {
                let path = directory.join(&entry.name);
                match entry.kind {
                    FileType::Directory if self.is_of_interest(&path, &base) => pending.push(path),
                    FileType::RegularFile | FileType::Symlink => {
                        let old = base.remove(bytes(&path));
                        if old.is_some() || !self.is_hidden(&path) {
                            found.push(Found { path, old, new: Some(entry) });
                        }
                    }
                    _ => {}
                }
            }
        }
        let gone =
            base.into_iter().map(|(path, old)| (PathBuf::from(std::ffi::OsString::from_vec(path)), old));
        let gone = gone.filter(|(path, _)| !excluded(path, &self.record.excludes) && !self.is_sparse(path));
        found.extend(gone.map(|(path, old)| Found { path, old: Some(old), new: None }));
        found.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(found)
    }

    fn list(&mut self, directory: &Path) -> Result<Vec<Entry>, Error> {
        let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let entries = self.root.list(here, MAX_ENTRIES)?.unwrap_or_default();
        if entries.iter().any(|entry| entry.name == ".gitignore")
            && let Err(error) = self.ignored.show(self.root, directory)
        {
            // Without its rules, more is shown.
            self.notes.push(error.to_string());
        }
        Ok(entries)
    }

    fn is_of_interest(&self, directory: &Path, base: &Base) -> bool {
        if leads_below(base, directory) {
            return true;
        }
        if excluded(directory, &self.record.excludes) {
            return false;
        }
        leads_below(&self.known, directory) || !self.ignored.is_ignored(directory, true)
    }

    /// Whether a file that is not of the base is none of the agent's work.
    fn is_hidden(&self, path: &Path) -> bool {
        excluded(path, &self.record.excludes)
            || (!self.known.contains_key(bytes(path)) && self.ignored.is_ignored(path, false))
    }

    fn is_sparse(&self, path: &Path) -> bool {
        self.known.get(bytes(path)).is_some_and(|known| known.sparse)
    }

    /// How a file differs; nothing where it does not.
    fn compare(&self, found: Found, left: &mut usize) -> Result<Option<Differs>, Error> {
        let Found { path, old, new } = found;
        let mode = new.as_ref().map(|entry| match entry.kind {
            FileType::Symlink => LINK,
            _ if entry.runs => PROGRAM,
            _ => FILE,
        });
        let change = match (old, &new) {
            (None, _) if self.known.contains_key(bytes(&path)) => Change::Added,
            (None, _) => Change::Untracked,
            (Some(_), None) => Change::Deleted,
            (Some(_), Some(_)) => Change::Modified,
        };
        if let (Some((before, id)), Some(entry)) = (old, &new)
            && same_mode(before, mode)
            && self.is_unchanged(&path, id, entry)?
        {
            return Ok(None);
        }
        let content = self.content(&path, old.map(|(_, id)| id), new.as_ref(), left)?;
        Ok(Some(Differs { path, change, modes: [old.map(|(mode, _)| mode), mode], content }))
    }

    /// Whether a file holds what this id says: by the index where that cannot err, else by its content.
    fn is_unchanged(&self, path: &Path, id: Oid, entry: &Entry) -> Result<bool, Error> {
        if let Some(known) = self.known.get(bytes(path)) {
            #[expect(clippy::cast_possible_truncation, reason = "an index has their lower halves")]
            let same = known.size == entry.size as u32
                && known.inode == entry.inode as u32
                && known.times == entry.times.map(|(seconds, nanos)| (seconds as i32, nanos));
            // What was written with the index, or after it, may have changed since it was looked at.
            if same && known.id == id && entry.times[0] < self.written {
                return Ok(true);
            }
        }
        let Ok((size, _)) = self.user.odb().and_then(|objects| objects.read_header(id)) else {
            return Ok(false);
        };
        if entry.size != size as u64 || entry.size > MAX_HASHED {
            return Ok(false);
        }
        let now = self.now(path, entry, MAX_HASHED)?;
        let now = now.map(|now| Oid::hash_object(ObjectType::Blob, &now)).transpose();
        Ok(now.map_err(Error::git("hash a file"))? == Some(id))
    }

    /// What a file holds now; nothing where it is gone, or larger.
    fn now(&self, path: &Path, entry: &Entry, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        match entry.kind {
            FileType::Symlink => self.root.read_link(path),
            _ => match self.root.read(path, limit) {
                Err(Error::TooLarge { .. }) => Ok(None),
                other => other,
            },
        }
    }

    fn content(
        &self,
        path: &Path,
        old: Option<Oid>,
        new: Option<&Entry>,
        left: &mut usize,
    ) -> Result<Content, Error> {
        let before = match old {
            Some(id) => match self.user.find_blob(id) {
                Ok(blob) if blob.size() as u64 <= MAX_TEXT => Some(blob.content().to_vec()),
                _ => None,
            },
            None => Some(Vec::new()),
        };
        let now = match new {
            Some(entry) => self.now(path, entry, MAX_TEXT)?,
            None => Some(Vec::new()),
        };
        let (Some(before), Some(now)) = (before, now) else { return Ok(Content::Large) };
        let Some(rest) = left.checked_sub(before.len() + now.len()) else { return Ok(Content::Large) };
        *left = rest;
        lines(&before, &now).map_err(Error::git("compare a file"))
    }
}

/// What a tree calls a mode that differs from another in nothing that is looked at.
fn same_mode(before: u32, now: Option<u32>) -> bool {
    // Older trees have files that a group may write.
    let usual = |mode: u32| if mode == 0o100_664 { FILE } else { mode };
    now.is_some_and(|now| now == usual(before))
}

fn lines(before: &[u8], now: &[u8]) -> Result<Content, git2::Error> {
    let mut options = DiffOptions::new();
    let patch = Patch::from_buffers(before, None, now, None, Some(&mut options))?;
    if patch.delta().flags().is_binary() {
        return Ok(Content::Binary);
    }
    let (_, insertions, deletions) = patch.line_stats()?;
    let mut lines = Vec::new();
    for hunk in 0..patch.num_hunks() {
        let (head, count) = patch.hunk(hunk)?;
        lines.push(('H', head.header().to_vec()));
        for line in 0..count {
            let line = patch.line_in_hunk(hunk, line)?;
            match line.origin() {
                sign @ ('+' | '-' | ' ') => lines.push((sign, line.content().to_vec())),
                _ => lines.push(('\\', b" No newline at end of file\n".to_vec())),
            }
        }
    }
    Ok(Content::Lines { insertions, deletions, lines })
}

/// A path as git writes it in a patch: in quotes, with escapes, where it holds what could be taken for more than a path.
pub fn quoted(path: &Path) -> String {
    let turns = |letter: char| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let odd = |letter: char| letter.is_control() || turns(letter) || matches!(letter, '"' | '\\');
    match path.to_str() {
        Some(plain) if !plain.chars().any(odd) => return plain.to_owned(),
        _ => {}
    }
    let mut quoted = String::from("\"");
    let octal = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:03o}")).collect::<String>();
    for chunk in bytes(path).utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '"' | '\\' => quoted.extend(['\\', letter]),
                '\n' => quoted.push_str("\\n"),
                '\t' => quoted.push_str("\\t"),
                _ if odd(letter) => quoted.push_str(&octal(letter.encode_utf8(&mut [0; 4]).as_bytes())),
                _ => quoted.push(letter),
            }
        }
        quoted.push_str(&octal(chunk.invalid()));
    }
    quoted + "\""
}

/// The same with what git puts before it, `a/` or `b/`.
pub fn quoted_below(side: &str, path: &Path) -> String {
    quoted(Path::new(OsStr::from_bytes(&[side.as_bytes(), bytes(path)].concat())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_git_reads_it() {
        let quote = |path: &[u8]| quoted(Path::new(OsStr::from_bytes(path)));
        assert_eq!(quote("ü/a b🦀'".as_bytes()), "ü/a b🦀'");
        assert_eq!(quote(b"a\x1b[2J\n\"\\\xff"), "\"a\\033[2J\\n\\\"\\\\\\377\"");
        assert_eq!(quote("\u{202e}\u{9b}".as_bytes()), "\"\\342\\200\\256\\302\\233\"");
        assert_eq!(quoted_below("a/", Path::new("x\ty")), "\"a/x\\ty\"");
    }
}
