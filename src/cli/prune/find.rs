//! What is left of projects that are gone: by the labels of what the engine holds, and by the records of this home.

use super::session;
use crate::backend::Backend;
use crate::cli::context::Engine;
use crate::cli::remedy::{engine_error, file_error};
use crate::cli::{alone, consent, ground, shown, watch};
use crate::daemon::record::Record;
use crate::error::Error;
use crate::fs;
use crate::manifest::source;
use crate::plan::observed::{Container, Image, Observed, Volume};
use crate::plan::prune::{Condition, Kind, Thing};
use crate::worktree::lost::Loss;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A project that is gone, and what it has left.
pub struct Gone {
    /// Its name; empty for what no record tells of.
    pub name: String,
    /// Its root, as labels have it.
    pub root: String,
    /// Why it is gone, in words.
    pub why: String,
    /// Whether another project has the same root.
    pub shares_root: bool,
    /// The things, each with what would be lost with it.
    pub things: Vec<(Thing, Vec<Loss>)>,
}

/// A project by name and root.
type Key = (String, String);

/// All that there is of ours, of projects that are there too.
struct Held {
    observed: Observed,
    volumes: Vec<Volume>,
    images: Vec<Image>,
    records: Vec<Record>,
    known: Vec<alone::Known>,
}

/// Every project that is gone, and what no record tells of.
pub async fn all(engine: &Engine) -> Result<Vec<Gone>, Error> {
    let held = Held::of(engine, engine.observed.clone()).await?;
    let mut gone = Vec::new();
    for key in held.projects(&engine.owner) {
        gone.extend(held.gone(engine, &key).await?);
    }
    gone.extend(held.strangers(engine)?);
    Ok(gone)
}

/// What one project has left now, if it is still gone.
pub async fn again(engine: &Engine, name: &str, root: &str) -> Result<Option<Gone>, Error> {
    let observed = engine.docker.observe().await.map_err(engine_error)?;
    let held = Held::of(engine, observed).await?;
    held.gone(engine, &(name.to_owned(), root.to_owned())).await
}

impl Held {
    async fn of(engine: &Engine, observed: Observed) -> Result<Self, Error> {
        Ok(Self {
            observed,
            volumes: engine.docker.volumes().await.map_err(engine_error)?,
            images: engine.docker.built().await.map_err(engine_error)?,
            records: ground::records(&engine.home)?,
            known: alone::known(&engine.home)?,
        })
    }

    fn containers(&self) -> impl Iterator<Item = &Container> {
        self.observed.containers.iter().chain(&self.observed.helpers)
    }

    fn projects(&self, owner: &str) -> BTreeSet<Key> {
        let label = |it: &dyn Fn(&str) -> String| (it("owner") == owner).then(|| (it("project"), it("root")));
        let containers = self.containers().filter_map(|it| label(&|name| it.label(name).to_owned()));
        let volumes = self.volumes.iter().filter_map(|it| label(&|name| it.label(name).to_owned()));
        let images = self.images.iter().filter_map(|it| label(&|name| it.label(name).to_owned()));
        let records = self.records.iter().map(|it| (it.project.clone(), it.root.display().to_string()));
        let known = self.known.iter().map(|it| (it.name.clone(), it.root.display().to_string()));
        let all = containers.chain(volumes).chain(images).chain(records).chain(known);
        all.filter(|(_, root)| !root.is_empty()).collect()
    }

    async fn gone(&self, engine: &Engine, key: &Key) -> Result<Option<Gone>, Error> {
        let of = |known: &&alone::Known| known.name == key.0 && known.root.display().to_string() == key.1;
        let manifest = self.known.iter().find(of).map(|known| known.root.join(&known.file));
        let Some(why) = why(&key.1, manifest.as_deref()) else { return Ok(None) };
        let mut things = self.of_engine(engine, key).await;
        let records =
            self.records.iter().filter(|it| it.project == key.0 && it.root.display().to_string() == key.1);
        let records: Vec<Record> = records.cloned().collect();
        let home = engine.home.clone();
        let found = tokio::task::spawn_blocking(move || {
            records.iter().flat_map(|record| session::things(&home, record)).collect::<Vec<_>>()
        });
        things.extend(found.await.map_err(|error| Error::failed("a task ended early").because(error))?);
        things.extend(self.remembered(engine, key).map(|thing| (thing, Vec::new())));
        let ((name, root), shares_root) = (key.clone(), self.shares_root(key));
        Ok((!things.is_empty()).then_some(Gone { name, root, why, shares_root, things }))
    }

    async fn of_engine(&self, engine: &Engine, key: &Key) -> Vec<(Thing, Vec<Loss>)> {
        let told = [key.0.as_str(), key.1.as_str(), engine.owner.as_str()];
        let labels = ["project", "root", "owner"];
        let mut things = Vec::new();
        for container in self.containers().filter(|it| labels.map(|name| it.label(name)) == told) {
            // Nobody waits for a helper while the project's lock is free.
            let condition =
                if container.runs() && !container.helps() { Condition::Running } else { Condition::Free };
            let handle = container.backend_id.clone();
            let bytes = engine.docker.container_bytes(&handle).await;
            let id = container.label("id").to_owned();
            let (name, session) = (container.name.clone(), container.label("session").to_owned());
            things.push(Thing { kind: Kind::Container, name, handle, id, session, bytes, condition });
        }
        let volumes: Vec<_> =
            self.volumes.iter().filter(|it| labels.map(|name| it.label(name)) == told).collect();
        let sizes = if volumes.is_empty() { BTreeMap::new() } else { engine.docker.volume_bytes().await };
        for volume in volumes {
            things.push(Thing {
                kind: Kind::Volume,
                name: volume.name.clone(),
                handle: volume.name.clone(),
                id: volume.label("id").to_owned(),
                session: volume.label("session").to_owned(),
                bytes: sizes.get(&volume.name).copied(),
                condition: Condition::Free,
            });
        }
        for image in self.images.iter().filter(|it| labels.map(|name| it.label(name)) == told) {
            let name = image.names.first().unwrap_or(&image.id).clone();
            things.push(of_project(Kind::Image, name, image.id.clone(), image.bytes));
        }
        things.into_iter().map(|thing| (thing, Vec::new())).collect()
    }

    /// What is remembered of the project itself.
    fn remembered(&self, engine: &Engine, key: &Key) -> Option<Thing> {
        let place = alone::place(&engine.home, &key.0, &key.1);
        let places = remembered(engine, key, self.shares_root(key));
        let bytes = places.iter().filter_map(|path| length(path)).sum();
        let there = places.iter().any(|path| fs::exists(path));
        there.then(|| of_project(Kind::State, place.display().to_string(), String::new(), bytes))
    }

    /// Whether another project has the same root.
    fn shares_root(&self, key: &Key) -> bool {
        self.known.iter().any(|known| known.root.display().to_string() == key.1 && known.name != key.0)
    }

    /// Directories of sessions that no record tells of.
    fn strangers(&self, engine: &Engine) -> Result<Option<Gone>, Error> {
        let mut things = Vec::new();
        for name in fs::list(&engine.home.sessions()).map_err(file_error)? {
            if self.records.iter().any(|record| record.id == name) {
                continue;
            }
            let path = engine.home.sessions().join(&name).display().to_string();
            let condition = Condition::Unknown("no record that can be read says whose it is".to_owned());
            let thing = Thing { id: name, condition, ..of_project(Kind::State, path.clone(), path, 0) };
            things.push((Thing { bytes: None, ..thing }, Vec::new()));
        }
        let why = "nothing tells of their project".to_owned();
        let (name, root) = (String::new(), String::new());
        Ok((!things.is_empty()).then_some(Gone { name, root, why, shares_root: false, things }))
    }
}

/// Where the project itself is remembered. What its root alone names is left to another project of the same root.
pub fn remembered(engine: &Engine, (name, root): &Key, shared: bool) -> Vec<PathBuf> {
    let own = alone::place(&engine.home, name, root);
    let of_root =
        [consent::place(&engine.home, Path::new(root)), watch::place(&engine.home, Path::new(root))];
    std::iter::once(own).chain(of_root.into_iter().filter(|_| !shared)).collect()
}

fn of_project(kind: Kind, name: String, handle: String, bytes: u64) -> Thing {
    let (id, session, bytes) = (String::new(), String::new(), Some(bytes));
    Thing { kind, name, handle, id, session, bytes, condition: Condition::Free }
}

fn length(path: &Path) -> Option<u64> {
    std::fs::symlink_metadata(path).ok().map(|found| found.len())
}

/// Why a project is gone; `None` where it is there, or may be: what cannot be looked at is not taken for gone.
fn why(root: &str, manifest: Option<&Path>) -> Option<String> {
    // A label cannot hold a path that is no text.
    if root.contains(char::REPLACEMENT_CHARACTER) || !Path::new(root).is_absolute() {
        return None;
    }
    if is_gone(Path::new(root)) {
        return Some("its directory is gone".to_owned());
    }
    let manifest = manifest?;
    let others = source::possible(Path::new(root));
    let all = others.iter().map(PathBuf::as_path).chain([manifest]).all(is_gone);
    all.then(|| format!("its manifest `{}` is gone", shown::line(&manifest.to_string_lossy())))
}

fn is_gone(path: &Path) -> bool {
    let found = std::fs::symlink_metadata(path);
    found.is_err_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_gone_when_its_directory_or_its_own_manifest_is_and_in_no_other_case() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().display().to_string();
        let own = directory.path().join("agents.yaml");
        assert_eq!(why(&root, None), None, "which file was its manifest is not known");
        assert!(why(&root, Some(&own)).unwrap().contains("agents.yaml"));
        for name in ["agents.yaml", "clauderon.yml", "clauderon.override.yaml"] {
            fs::replace(&directory.path().join(name), b"", 0o600).unwrap();
            assert_eq!(why(&root, Some(&own)), None, "{name} is there");
            fs::remove_file(&directory.path().join(name)).unwrap();
        }
        assert_eq!(why(&format!("{root}/none"), None).unwrap(), "its directory is gone");
        assert_eq!(why(&format!("{root}/n\u{fffd}ne"), None), None);
        assert_eq!(why("", None), None);
        assert_eq!(why("relative", None), None);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/nowhere", &link).unwrap();
        assert_eq!(why(&link.display().to_string(), None), None, "a link may lead somewhere again");
    }
}
