//! Whether a manifest still says what a run goes by: what was edited away meanwhile must not be given back.

use super::context;
use crate::error::Error;
use crate::manifest::project::Project;
use crate::manifest::source::Noted;
use crate::watch::places::{Stamps, entries, stamps};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What a run goes by, and where it stands.
pub struct Edited {
    files: Vec<PathBuf>,
    project: Project,
    seen: Mutex<Stamps>,
}

impl Edited {
    /// What the files of a command line say now.
    pub fn read(named: &[PathBuf]) -> Result<Self, Error> {
        let (project, seen) = read(named)?;
        Ok(Self { files: named.to_vec(), project, seen: Mutex::new(seen) })
    }

    /// The project that the run goes by.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Refuses to go on once the files say something else.
    pub fn unchanged(&self) -> Result<(), Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if stamps(&seen.keys().cloned().collect()) == *seen {
            return Ok(());
        }
        // What is not valid any more says something else too.
        match read(&self.files) {
            Ok((now, stamps)) if now.clone().without_places() == self.project.clone().without_places() => {
                *seen = stamps;
                Ok(())
            }
            _ => Err(Error::failed("the manifest was edited meanwhile")
                .hint("`clauderon up` again goes by what it says now")),
        }
    }
}

fn read(named: &[PathBuf]) -> Result<(Project, Stamps), Error> {
    let files = context::manifests(named)?;
    let user = super::host::user_manifest();
    let all: Vec<PathBuf> = files.iter().chain(&user).cloned().collect();
    let possible =
        all.iter().flat_map(|file| crate::manifest::source::possible(file.parent().unwrap_or(file)));
    let noted = Noted::new(possible.collect());
    // Before they are read: what changes while they are is seen.
    let first = stamps(&entries(&all));
    let project = context::project_noting(&files, user.as_deref(), &noted)?;
    let mut seen = stamps(&entries(&noted.into_inner()));
    seen.extend(first);
    Ok((project, seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::replace;

    #[test]
    fn what_says_the_same_is_unchanged_and_anything_else_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let file = root.join("clauderon.yaml");
        let write = |text: &str| replace(&file, text.as_bytes(), 0o600).unwrap();
        write("name: shop\nprompt: {file: p.md}\n");
        replace(&root.join("p.md"), b"do it", 0o600).unwrap();
        let edited = Edited::read(std::slice::from_ref(&file)).unwrap();
        assert_eq!(edited.project().name, "shop");
        edited.unchanged().unwrap();
        write("# A comment\nname: shop\nprompt: {file: p.md}\n");
        edited.unchanged().unwrap();
        for text in ["name: shop\nprompt: {file: p.md}\nproxy: {access: read-only}\n", "name: [\n"] {
            write(text);
            let error = edited.unchanged().unwrap_err();
            assert!(error.to_string().contains("edited meanwhile"), "{text}");
        }
        write("name: shop\nprompt: {file: p.md}\n");
        edited.unchanged().unwrap();
        replace(&root.join("p.md"), b"do another thing", 0o600).unwrap();
        edited.unchanged().unwrap_err();
    }
}
