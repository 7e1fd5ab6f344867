//! A manifest as a command line names it, for whoever reads it again later.

use super::{context, host};
use crate::error::Error;
use crate::manifest::project::Project;
use crate::manifest::source;
use crate::render::identity::short_hash;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What names a manifest, wherever it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The files of the command line, absolute; none where the manifest is looked for.
    files: Vec<PathBuf>,
    /// Where it is looked for.
    here: PathBuf,
    /// The user's own, below it.
    pub user: Option<PathBuf>,
    /// The directory of the manifest.
    pub root: PathBuf,
    /// Tells the content that an `up` has gone by from another.
    pub content: String,
}

impl Named {
    /// What a command line names, with the content that it has now.
    pub fn new(file: &[PathBuf], project: &Project) -> Result<Self, Error> {
        let gone = |error| Error::failed("the working directory is gone").because(error);
        let here = std::env::current_dir().map_err(gone)?;
        let files = file.iter().map(|file| here.join(file)).collect();
        let (user, root) = (host::user_manifest(), project.root.clone());
        let named = Self { files, here, user, root, content: String::new() };
        Ok(Self { content: named.content(), ..named })
    }

    /// Tells the content that the files have now from another.
    pub fn content(&self) -> String {
        let text: Vec<_> = self.possible().map(|file| source::content(&file)).collect();
        short_hash(&format!("{text:?}"))
    }

    /// The files to read, from the lowest to the highest, without the user's.
    pub fn select(&self) -> Result<Vec<PathBuf>, Error> {
        source::select(&self.files, &self.here).map_err(context::unread)
    }

    /// Files that may come to be among them.
    pub fn possible(&self) -> impl Iterator<Item = PathBuf> {
        let found = self.files.is_empty().then(|| source::possible(&self.root));
        let named = self.user.iter().chain(&self.files);
        let named = named.flat_map(|file| [file.clone(), file.with_file_name(".env")]);
        found.into_iter().flatten().chain(named).chain([self.root.join(".env")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_behind_a_link_counts() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let write = |text: &[u8]| crate::fs::replace(&root.join("elsewhere"), text, 0o600).unwrap();
        write(b"name: ${A}\n");
        std::os::unix::fs::symlink("elsewhere", root.join("clauderon.yaml")).unwrap();
        let named = Named {
            files: Vec::new(),
            here: root.clone(),
            user: None,
            root: root.clone(),
            content: String::new(),
        };
        let before = named.content();
        write(b"name: ${B}\n");
        assert_ne!(named.content(), before);
    }
}
