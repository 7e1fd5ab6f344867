//! What is remembered of a checkout beside it, out of the agent's reach: what it was made of and how its config reads.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checkout::Kind;
use super::error::Error;

const VERSION: u32 = 1;

/// `.git/commondir`, byte for byte: git's own directory. libgit2 takes a plain `.` for an absolute path.
pub const COMMONDIR: &str = "./\n";

/// What a checkout was when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// The session's id.
    pub session: String,
    /// What the checkout is; older releases knew clones only.
    #[serde(default)]
    pub kind: Kind,
    /// The canonical common git directory of the parent.
    pub parent: PathBuf,
    /// The branch that the checkout started on.
    pub branch: String,
    /// The commit that it started at; `None` where the parent had none.
    pub base: Option<String>,
    /// The object directories that it borrows.
    pub borrowed: Vec<PathBuf>,
    /// `.git/config`, byte for byte.
    pub config: String,
    /// `.git/info/exclude`, line by line.
    pub excludes: Vec<String>,
    /// The user's working tree, where that is what the agent works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_tree: Option<PathBuf>,
    /// Whether `.git` of that working tree is a directory.
    #[serde(default)]
    pub has_git_directory: bool,
    /// What was made in that working tree for mounts, relative to it.
    #[serde(default)]
    pub made: Vec<PathBuf>,
}

impl Record {
    /// A record of the present version.
    pub fn new(session: &str, parent: PathBuf, branch: &str) -> Self {
        let (session, branch) = (session.to_owned(), branch.to_owned());
        Self {
            version: VERSION,
            session,
            kind: Kind::Clone,
            parent,
            branch,
            base: None,
            borrowed: vec![],
            config: String::new(),
            excludes: vec![],
            working_tree: None,
            has_git_directory: false,
            made: vec![],
        }
    }

    /// `.git/objects/info/alternates`, byte for byte.
    pub fn alternates(&self) -> String {
        self.borrowed.first().map(|path| format!("{}\n", path.display())).unwrap_or_default()
    }

    /// `.git/info/exclude`, byte for byte.
    pub fn exclude_file(&self) -> String {
        self.excludes.iter().flat_map(|line| [line, "\n"]).collect()
    }

    /// Reads the record of a checkout; `None` where there is none.
    pub fn read(directory: &Path) -> Result<Option<Self>, Error> {
        let path = beside(directory, ".json");
        let content = match std::fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let foreign = |reason: String| Error::Foreign { path: directory.to_owned(), reason };
        let record: Self = serde_json::from_slice(&content).map_err(|error| foreign(error.to_string()))?;
        if record.version == VERSION {
            return Ok(Some(record));
        }
        Err(foreign(format!("its record has version {}, known is {VERSION}", record.version)))
    }

    /// Writes the record of a checkout.
    pub fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = beside(directory, ".json");
        let json = serde_json::to_vec_pretty(self);
        let json = json.map_err(|error| Error::io("write", &path)(error.into()))?;
        Ok(crate::fs::replace(&path, &json, 0o600)?)
    }
}

/// A path beside the checkout: its own name and a suffix.
pub fn beside(directory: &Path, suffix: &str) -> PathBuf {
    let mut name = directory.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    directory.with_file_name(name)
}

/// The file that names the branch of the user's that an import is moving.
pub fn moving(directory: &Path) -> PathBuf {
    beside(directory, ".moving")
}

/// The start of the names of what is half made or half removed beside a checkout.
pub fn scratch_prefix(directory: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(directory.file_name().unwrap_or_default());
    name.push(".scratch-");
    name
}

/// Removes what an earlier, killed run left half made or half removed beside a checkout.
pub fn sweep(directory: &Path) {
    use std::os::unix::ffi::OsStrExt;
    let prefix = scratch_prefix(directory);
    let Some(Ok(entries)) = directory.parent().map(std::fs::read_dir) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            // Left over again when it fails: it is in nobody's way.
            let _ = super::delete::delete(&entry.path());
        }
    }
}
