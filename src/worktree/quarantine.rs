//! A private copy of the objects that an agent wrote, where libgit2 can read them: every hash is checked,
//! packs are indexed anew. Loose objects are copied when they are asked for, packs when a loose one is missing.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use git2::{Indexer, ObjectType, Odb, Oid};
use tempfile::TempDir;

use super::beneath::Beneath;
use super::error::Error;
use super::pack::{self, Limits};
use super::record::scratch_prefix;

/// Larger objects are not taken in; they stay in the checkout.
pub const MAX_OBJECT_BYTES: u64 = 256 << 20;
const MAX_PACK_BYTES: u64 = 2 << 30;
const MAX_PACKS: usize = 1000;
const BUFFER: usize = 1 << 16;
const LIMITS: Limits = Limits { object: MAX_OBJECT_BYTES, total: 16 << 30, count: 5_000_000 };

/// The private copy. It is removed when dropped.
pub struct Quarantine<'r> {
    root: &'r Beneath,
    directory: TempDir,
    objects: Odb<'static>,
    packs: HashSet<OsString>,
}

/// An object's kind and content.
pub type Object = (ObjectType, Vec<u8>);

impl<'r> Quarantine<'r> {
    /// An empty quarantine for the checkout at `directory`, made beside it.
    pub fn new(root: &'r Beneath, directory: &Path) -> Result<Self, Error> {
        let beside = directory.parent().unwrap_or(Path::new("."));
        let scratch = tempfile::Builder::new().prefix(&scratch_prefix(directory)).tempdir_in(beside);
        let scratch = scratch.map_err(Error::io("create a directory in", beside))?;
        crate::fs::create_private_dir(&scratch.path().join("objects/pack"))?;
        git2::opts::strict_hash_verification(true);
        let objects = Odb::new().map_err(Error::git("make an object database"))?;
        let path = scratch.path().join("objects");
        let added = objects.add_disk_alternate(&path.to_string_lossy());
        added.map_err(Error::git("open the quarantine"))?;
        Ok(Self { root, directory: scratch, objects, packs: HashSet::new() })
    }

    /// The directory, whose `objects` holds what was read so far.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Reads an object of the checkout; `None` where it has none, or none whose hash is right, or too large a one.
    pub fn read(&mut self, id: Oid) -> Result<Option<Object>, Error> {
        if !self.has(id) && !self.copy_loose(id)? {
            self.index_packs()?;
        }
        let Ok((size, _)) = self.objects.read_header(id) else {
            return Ok(None);
        };
        if size as u64 > MAX_OBJECT_BYTES {
            return Ok(None);
        }
        Ok(self.objects.read(id).ok().map(|object| (object.kind(), object.data().to_vec())))
    }

    fn has(&self, id: Oid) -> bool {
        self.objects.exists_ext(id, git2::OdbLookupFlags::NO_REFRESH)
    }

    fn copy_loose(&self, id: Oid) -> Result<bool, Error> {
        let hex = id.to_string();
        let path = PathBuf::from("objects").join(&hex[..2]).join(&hex[2..]);
        let Some(content) = honest(self.root.read(&Path::new(".git").join(&path), MAX_OBJECT_BYTES))? else {
            return Ok(false);
        };
        let copy = self.path().join(path);
        crate::fs::create_private_dir(copy.parent().unwrap_or(&copy))?;
        std::fs::write(&copy, content).map_err(Error::io("write", &copy))?;
        Ok(true)
    }

    /// Indexes the packs that were not seen yet.
    fn index_packs(&mut self) -> Result<(), Error> {
        let packs = Path::new(".git/objects/pack");
        let mut total = 0;
        for entry in honest(self.root.list(packs, 4 * MAX_PACKS))?.unwrap_or_default() {
            let is_pack = Path::new(&entry.name).extension().is_some_and(|extension| extension == "pack");
            if !is_pack || !self.packs.insert(entry.name.clone()) {
                continue;
            }
            let path = packs.join(&entry.name);
            let Some((file, length)) = honest(self.root.open_file(&path))? else {
                continue;
            };
            total += length;
            if total > MAX_PACK_BYTES || self.packs.len() > MAX_PACKS {
                return Err(Error::TooLarge { what: path.display().to_string(), limit: MAX_PACK_BYTES });
            }
            // One that is broken is left out: its objects are then missing.
            let _ = self.index(file.take(length));
        }
        self.objects.refresh().map_err(Error::git("read the quarantine"))
    }

    /// Copies a pack, so that nobody changes it any more, checks it, and indexes it.
    fn index(&self, mut pack: impl Read) -> Result<(), Error> {
        let path = self.path().join("pack");
        let failed = || Error::io("copy a pack to", &path);
        let copy = File::options().create(true).truncate(true).read(true).write(true).open(&path);
        let mut copy = copy.map_err(failed())?;
        std::io::copy(&mut pack, &mut copy).map_err(failed())?;
        copy.rewind().map_err(failed())?;
        pack::check(BufReader::with_capacity(BUFFER, &copy), LIMITS).map_err(Error::io("check", &path))?;
        copy.rewind().map_err(failed())?;
        let indexer = Indexer::new(None, &self.path().join("objects/pack"), 0o600, false);
        let mut indexer = indexer.map_err(Error::git("index a pack"))?;
        std::io::copy(&mut copy, &mut indexer).map_err(Error::io("index", &path))?;
        indexer.commit().map(drop).map_err(Error::git("index a pack"))
    }
}

/// Takes what is no file or too large for what is not there.
fn honest<T>(found: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match found {
        Err(Error::Planted { .. } | Error::TooLarge { .. }) => Ok(None),
        other => other,
    }
}
