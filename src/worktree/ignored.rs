//! Which files git is told to ignore, judged by libgit2 over copies of what says so: libgit2 itself reads nothing of a place
//! where an agent writes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use git2::Repository;
use tempfile::TempDir;

use super::beneath::Beneath;
use super::error::Error;
use super::record::{Record, scratch_prefix};
use super::status;

const NAME: &str = ".gitignore";
const MAX_BYTES: u64 = 1 << 20;
/// The most directories whose rules are looked at.
const MAX_FILES: usize = 20_000;

/// The rules of a checkout, as far as they were shown.
pub struct Ignored {
    scratch: TempDir,
    repository: Repository,
    shown: usize,
}

impl Ignored {
    /// No rules but the user's own and those of the session. `index` is the checkout's.
    pub fn new(checkout: &Path, record: &Record, index: Option<&[u8]>) -> Result<Self, Error> {
        let beside = checkout.parent().unwrap_or(Path::new("."));
        let scratch = tempfile::Builder::new().prefix(&scratch_prefix(checkout)).tempdir_in(beside);
        let scratch = scratch.map_err(Error::io("create a directory in", beside))?;
        let (git, shadow) = (scratch.path().join("git"), scratch.path().join("shadow"));
        for directory in [&shadow, &git.join("info")] {
            crate::fs::create_private_dir(directory)?;
        }
        let repository = status::private(&shadow, record, &git, None, index)?;
        let users = std::fs::read_to_string(record.parent.join("info/exclude")).unwrap_or_default();
        let rules = [&users, "\n", &record.exclude_file()].concat();
        let path = git.join("info/exclude");
        std::fs::write(&path, rules).map_err(Error::io("write", &path))?;
        Ok(Self { scratch, repository, shown: 0 })
    }

    /// The private repository, with the index of the checkout.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Takes over the rules of a directory, before anything in it is asked about.
    pub fn show(&mut self, root: &Beneath, directory: &Path) -> Result<(), Error> {
        let path = directory.join(NAME);
        self.shown += 1;
        if self.shown > MAX_FILES {
            return Err(Error::TooLarge { what: NAME.to_owned(), limit: MAX_FILES as u64 });
        }
        let Some(rules) = root.read(&path, MAX_BYTES)? else { return Ok(()) };
        let copy = self.scratch.path().join("shadow").join(path);
        crate::fs::create_private_dir(copy.parent().unwrap_or(&copy))?;
        std::fs::write(&copy, rules).map_err(Error::io("write", &copy))
    }

    /// Whether a file is ignored, or a directory.
    pub fn is_ignored(&self, path: &Path, directory: bool) -> bool {
        let mut path = path.as_os_str().as_bytes().to_vec();
        if directory {
            path.push(b'/');
        }
        // What cannot be judged is shown.
        self.repository.is_path_ignored(OsStr::from_bytes(&path)).unwrap_or(false)
    }
}
