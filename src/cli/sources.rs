//! Host directories that a manifest mounts: where they really lead, and which are never mounted. The engine looks a source
//! up by its name at every start, as root; who can change what a name leads to would choose what is mounted.

use super::handed;
use crate::daemon::binds::{moved, real};
use crate::error::{Error, Kind};
use crate::home::Home;
use crate::manifest::project::{Project, Session, Volume, VolumeSource};
use crate::plan::observed::Container;
use std::path::{Path, PathBuf};

/// Has every mounted source be named by where it leads, links followed.
pub fn resolve(project: &mut Project) {
    for volume in project.sessions.iter_mut().flat_map(|session| &mut session.volumes) {
        if let VolumeSource::Bind(path) = &mut volume.source {
            *path = real(path);
        }
    }
}

/// Refuses sources through which an agent would come to more than it was given.
pub fn refuse(project: &Project, home: &Home, engine: &str) -> Result<(), Error> {
    let engine = real(Path::new(engine.trim_start_matches("unix://")));
    let home = real(home.path());
    let shared = shared(project);
    let trees = shared.iter().map(|(session, tree)| (*session, tree.as_path()));
    let writable: Vec<(&str, &Path)> = binds(project)
        .filter(|it| !it.1.read_only)
        .map(|(session, _, path)| (session, path))
        .chain(trees.clone())
        .collect();
    for (session, tree) in trees {
        if let Some((what, hint)) = never(tree, &engine, &home) {
            let said = format!("session `{session}`: the working tree `{}` {what}", tree.display());
            return Err(Error::new(Kind::Refused, said).hint(hint));
        }
    }
    let keys = precious(project);
    for (session, volume, path) in binds(project) {
        let refused = |what: String, hint: &str| {
            let said = format!("session `{session}`: the volume `{}` {what}", path.display());
            Err(Error::new(Kind::Refused, said).hint(hint))
        };
        if let Some((what, hint)) = never(path, &engine, &home) {
            return refused(what.to_owned(), hint);
        }
        if let Some((other, above)) =
            writable.iter().find(|(_, above)| path != *above && path.starts_with(above))
        {
            return refused(
                format!(
                    "lies below `{}`, which session `{other}` may write: its agent could put a link in its place",
                    above.display()
                ),
                "mount the upper one alone, or make it read-only",
            );
        }
        let touched = keys.iter().find(|key| key.starts_with(path) || path.starts_with(key));
        let git = touched.cloned().or_else(|| git_directory(path));
        if let Some(key) = git.filter(|_| !volume.read_only) {
            return refused(
                format!(
                    "would let its agent write `{}`, which decides what runs on this machine",
                    key.display()
                ),
                "mount it read-only, or a directory below that holds neither; the agent works on a checkout of its own",
            );
        }
    }
    Ok(())
}

/// What is never mounted: what a directory holds of it, and why not.
fn never(path: &Path, engine: &Path, home: &Path) -> Option<(&'static str, &'static str)> {
    if engine.starts_with(path) {
        let hint = "whoever holds the socket is root on this machine";
        return Some(("holds the engine's socket, which is never mounted", hint));
    }
    (home.starts_with(path) || path.starts_with(home)).then_some((
        "holds clauderon's own state, which is never mounted",
        "checkouts, keys and logs of all sessions are there",
    ))
}

/// The working trees of the user's that agents write, each with its session.
fn shared(project: &Project) -> Vec<(&str, PathBuf)> {
    let tree = |session: &Session| handed::working_tree(session.repository.as_ref()?);
    project.sessions.iter().filter_map(|session| Some((session.name.as_str(), tree(session)?))).collect()
}

/// Before a container is started as it is: whether its sources still lead where they led when it was made.
pub fn unchanged(container: &Container) -> Result<(), Error> {
    moved(container).map_or(Ok(()), |(source, now)| Err(elsewhere(container.label("session"), &source, &now)))
}

/// The same of a session that is about to be made.
pub fn still(session: &Session) -> Result<(), Error> {
    let paths = session.volumes.iter().filter_map(Volume::bind);
    paths.into_iter().try_for_each(|path| leads_to_itself(&session.name, path))
}

fn leads_to_itself(session: &str, source: &Path) -> Result<(), Error> {
    let now = real(source);
    if now == source { Ok(()) } else { Err(elsewhere(session, source, &now)) }
}

fn elsewhere(session: &str, source: &Path, now: &Path) -> Error {
    let said = format!("session `{session}`: `{}` now leads to `{}`", source.display(), now.display());
    Error::new(Kind::Refused, said).hint("`clauderon up` shows what would be mounted, and asks")
}

fn binds(project: &Project) -> impl Iterator<Item = (&str, &Volume, &Path)> {
    project.sessions.iter().flat_map(|session| {
        let volumes = session.volumes.iter();
        volumes.filter_map(|volume| Some((session.name.as_str(), volume, volume.bind()?)))
    })
}

/// The project's own files and git directories.
fn precious(project: &Project) -> Vec<PathBuf> {
    let repositories = project.sessions.iter().filter_map(|session| session.repository.as_ref());
    let roots = repositories.map(|it| it.path.as_path()).chain([project.root.as_path()]);
    let mut keys: Vec<PathBuf> = roots
        .filter_map(|root| git2::Repository::discover(root).ok())
        .flat_map(|repository| [real(repository.path()), real(repository.commondir())])
        .collect();
    keys.push(real(&project.file));
    keys.extend(handed::manifests(project));
    keys.sort();
    keys.dedup();
    keys
}

/// A git directory that a path is, holds at its top, or lies in.
fn git_directory(path: &Path) -> Option<PathBuf> {
    let is_one = |path: &Path| ["HEAD", "objects", "refs"].iter().all(|name| path.join(name).exists());
    if let Some(above) = path.ancestors().find(|above| above.ends_with(".git") || is_one(above)) {
        return Some(above.to_owned());
    }
    Some(path.join(".git")).filter(|inside| inside.symlink_metadata().is_ok())
}
