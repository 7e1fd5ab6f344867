//! The refs of a checkout, read as text beneath its root: bounded, regular files only, names that git accepts only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use git2::{Oid, Reference};
use rustix::fs::FileType;

use super::beneath::Beneath;
use super::error::Error;

const MAX_REFS: usize = 10_000;
const MAX_DEPTH: usize = 32;
const MAX_REF_BYTES: u64 = 4096;
const MAX_PACKED_BYTES: u64 = 16 << 20;
const MAX_SYMBOLIC: usize = 5;

/// Where HEAD is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// On a ref, which may not exist yet.
    On(String),
    /// On a commit.
    Detached(Oid),
    /// On nothing that can be understood.
    Broken,
}

impl Head {
    /// Reads a `HEAD` at a path beneath a root.
    pub fn read(root: &Beneath, path: &Path) -> Result<Self, Error> {
        let content = root.read(path, MAX_REF_BYTES)?;
        Ok(match content.as_deref().and_then(value) {
            Some(Value::Id(id)) => Self::Detached(id),
            Some(Value::Name(name)) => Self::On(name),
            None => Self::Broken,
        })
    }
}

/// Every ref of a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refs {
    /// Where HEAD is.
    pub head: Head,
    /// The refs by full name.
    pub targets: BTreeMap<String, Oid>,
}

impl Refs {
    /// Reads the refs of the checkout at a root.
    pub fn read(root: &Beneath) -> Result<Self, Error> {
        let mut found = BTreeMap::new();
        if let Some(packed) = root.read(Path::new(".git/packed-refs"), MAX_PACKED_BYTES)? {
            read_packed(&packed, &mut found)?;
        }
        read_loose(root, &mut found)?;
        let head = Head::read(root, Path::new(".git/HEAD"))?;
        let targets = found.keys().filter_map(|name| Some((name.clone(), follow(&found, name)?))).collect();
        Ok(Self { head, targets })
    }

    /// The commit of HEAD; `None` where it has none.
    pub fn head_target(&self) -> Option<Oid> {
        match &self.head {
            Head::On(name) => self.targets.get(name).copied(),
            Head::Detached(id) => Some(*id),
            Head::Broken => None,
        }
    }

    /// The branches by short name.
    pub fn branches(&self) -> impl Iterator<Item = (&str, Oid)> {
        self.targets.iter().filter_map(|(name, id)| Some((name.strip_prefix("refs/heads/")?, *id)))
    }
}

#[derive(Clone, Debug)]
enum Value {
    Id(Oid),
    Name(String),
}

fn value(content: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(content).ok()?.trim_end();
    if let Some(name) = text.strip_prefix("ref:") {
        let name = name.trim_start();
        return valid(name).then(|| Value::Name(name.to_owned()));
    }
    id(text).map(Value::Id)
}

fn id(hex: &str) -> Option<Oid> {
    (hex.len() == 40).then(|| Oid::from_str(hex).ok())?.filter(|id| !id.is_zero())
}

fn valid(name: &str) -> bool {
    name.starts_with("refs/") && name.len() < 1024 && Reference::is_valid_name(name)
}

fn follow(found: &BTreeMap<String, Value>, name: &str) -> Option<Oid> {
    let mut name = name;
    for _ in 0..MAX_SYMBOLIC {
        match found.get(name)? {
            Value::Id(id) => return Some(*id),
            Value::Name(next) => name = next,
        }
    }
    None
}

fn add(found: &mut BTreeMap<String, Value>, name: String, value: Value) -> Result<(), Error> {
    found.insert(name, value);
    if found.len() > MAX_REFS {
        return Err(Error::TooLarge { what: ".git/refs".to_owned(), limit: MAX_REFS as u64 });
    }
    Ok(())
}

fn read_packed(content: &[u8], found: &mut BTreeMap<String, Value>) -> Result<(), Error> {
    for line in content.split(|byte| *byte == b'\n') {
        let line = std::str::from_utf8(line).unwrap_or_default().trim_end();
        if let Some((hex, name)) = line.split_once(' ')
            && let Some(id) = id(hex)
            && valid(name)
        {
            add(found, name.to_owned(), Value::Id(id))?;
        }
    }
    Ok(())
}

/// Reads the loose refs. Deeper than `MAX_DEPTH`, or of a name that git refuses, is skipped: it is no ref to git either.
fn read_loose(root: &Beneath, found: &mut BTreeMap<String, Value>) -> Result<(), Error> {
    let mut pending = vec![(PathBuf::from("refs"), 0)];
    let mut directories = 0;
    while let Some((directory, depth)) = pending.pop() {
        directories += 1;
        if directories > MAX_REFS {
            return Err(Error::TooLarge { what: ".git/refs".to_owned(), limit: MAX_REFS as u64 });
        }
        for entry in root.list(&Path::new(".git").join(&directory), MAX_REFS)?.unwrap_or_default() {
            let path = directory.join(&entry.name);
            match entry.kind {
                FileType::Directory if depth < MAX_DEPTH => pending.push((path, depth + 1)),
                FileType::RegularFile => read_one(root, &path, found)?,
                FileType::Symlink => return Err(Error::Planted { path, found: "a symbolic link" }),
                _ => {}
            }
        }
    }
    Ok(())
}

fn read_one(root: &Beneath, path: &Path, found: &mut BTreeMap<String, Value>) -> Result<(), Error> {
    let Some(name) = path.to_str().filter(|name| valid(name)) else {
        return Ok(());
    };
    let Some(content) = root.read(&Path::new(".git").join(path), MAX_REF_BYTES)? else {
        return Ok(());
    };
    match value(&content) {
        Some(value) => add(found, name.to_owned(), value),
        None => Ok(()),
    }
}
