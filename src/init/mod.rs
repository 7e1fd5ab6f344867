//! Pure. A first manifest for a repository: what its files tell, and the text made of that. Nothing that a repository
//! says is trusted: what goes into the manifest is checked, and quoted.

pub mod container;
pub mod found;
pub mod jsonc;
pub mod language;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};

/// What is known of a repository: names at its root, those of `.devcontainer` with it in front, and a few texts.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// The name of its directory.
    pub directory: String,
    /// Files, relative to the root.
    pub files: BTreeSet<String>,
    /// Directories, relative to the root.
    pub directories: BTreeSet<String>,
    /// The texts of those that `WANTED` names.
    pub texts: BTreeMap<String, String>,
}

/// Files whose text is looked at, the best first.
pub const WANTED: [&str; 2] = [".devcontainer/devcontainer.json", ".devcontainer.json"];

impl Repository {
    /// Whether there is a file or a directory of this name.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains(name) || self.directories.contains(name)
    }
}
