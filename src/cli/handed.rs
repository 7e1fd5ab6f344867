//! What a `worktree` or `shared` checkout hands to an agent of the user's repository, for the questions of `consent` and
//! the refusals of `sources`.

use crate::fs;
use crate::manifest::project::{Checkout, Project, Repository, Session};
use crate::render::identity::short_hash;
use std::path::{Path, PathBuf};

/// What is asked about.
pub fn taken(project: &Project, session: &Session) -> Vec<String> {
    let name = &session.name;
    let Some(repository) = session.repository.as_ref().filter(|it| it.checkout != Checkout::Clone) else {
        return Vec::new();
    };
    let git = git_directory(repository);
    let mut taken = vec![format!(
        "{name}: the history in `{}`: its agent can rewrite and delete every commit, branch and tag there \
         (`repository.checkout: {}`)",
        git.display(),
        repository.checkout.as_str()
    )];
    let Some(tree) = working_tree(repository) else { return taken };
    taken.push(format!("{name}: your own files in `{}`, mounted read-write at `/workspace`", tree.display()));
    if project.file.starts_with(&tree) || project.root.starts_with(&tree) {
        // An agent that can write the manifest is let out by nobody who has not seen what it reads now.
        let written = written(project);
        taken.push(format!("{name}: the manifest as it reads now (`{written}`), which its agent can change"));
    }
    taken
}

/// The working tree that a session shares with the user.
pub fn working_tree(repository: &Repository) -> Option<PathBuf> {
    if repository.checkout != Checkout::Shared {
        return None;
    }
    let found = git2::Repository::discover(&repository.path).ok();
    let tree = found.and_then(|found| found.workdir().map(Path::to_owned));
    Some(real(&tree.unwrap_or_else(|| repository.path.clone())))
}

/// The files that a manifest is read from, the project's own and those beside it.
pub fn manifests(project: &Project) -> Vec<PathBuf> {
    let beside =
        ["clauderon.yaml", "clauderon.yml", "clauderon.override.yaml", "clauderon.override.yml", ".env"];
    let beside = beside.map(|name| project.root.join(name)).into_iter().filter(|file| file.exists());
    std::iter::once(project.file.clone()).chain(beside).collect()
}

/// A hash of all that a manifest is read from.
fn written(project: &Project) -> String {
    let text =
        |file: &PathBuf| format!("{}\0{}\0", file.display(), fs::read_to_string(file).unwrap_or_default());
    short_hash(&manifests(project).iter().map(text).collect::<String>())
}

fn git_directory(repository: &Repository) -> PathBuf {
    let found = git2::Repository::discover(&repository.path).ok();
    real(&found.map_or_else(|| repository.path.clone(), |found| found.commondir().to_owned()))
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
