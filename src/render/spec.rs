//! Pure. A container as any backend can make it: the words are the field's, none is an engine's own.

use crate::manifest::project::CacheScope;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Everything needed to make one container. `render` prints it: its names are contract.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ContainerSpec {
    /// The container's name.
    pub name: String,
    /// The image's reference.
    pub image: String,
    /// The program and its arguments; the image's entrypoint is overridden.
    pub argv: Vec<String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// `uid:gid`.
    pub user: String,
    /// The mounts, sorted by target.
    pub mounts: Vec<Mount>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// No network at all; else the engine's default bridge.
    pub sealed: bool,
    /// Entries of the hosts file: `name:address`.
    pub extra_hosts: Vec<String>,
    /// A terminal and an open standard input.
    pub terminal: bool,
    /// Processors.
    pub cpus: Option<f64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: u32,
    /// Kept only for a one-shot root helper that gives volumes to the user; a session's container has none.
    pub capabilities: Vec<String>,
}

impl ContainerSpec {
    /// The labels of a volume that is made for this container: who may remove it.
    pub fn volume_labels(&self, scope: CacheScope) -> BTreeMap<String, String> {
        let own: &[&str] = match scope {
            CacheScope::Shared => &[],
            CacheScope::Project => &["project", "root", "owner"],
            CacheScope::Session => &["project", "root", "owner", "session", "id"],
        };
        let named = own.iter().map(|name| format!("clauderon.{name}"));
        let kept = named.filter_map(|name| self.labels.get(&name).map(|value| (name, value.clone())));
        kept.chain([("clauderon.volume".to_owned(), scope.as_str().to_owned())]).collect()
    }
}

/// The labels of a container that runs once for a project, so that one that was left behind is found. Its `id` is of
/// no session.
pub fn helper_labels(project: &str, root: &str, owner: &str) -> BTreeMap<String, String> {
    let told = [("helper", "true"), ("id", ""), ("project", project), ("root", root), ("owner", owner)];
    told.map(|(name, value)| (format!("clauderon.{name}"), value.to_owned())).into()
}

/// The labels of an image that is built for a project, so that one that nothing uses any more is found.
pub fn image_labels(project: &str, root: &str, owner: &str) -> BTreeMap<String, String> {
    let told = [("build", "true"), ("project", project), ("root", root), ("owner", owner)];
    told.map(|(name, value)| (format!("clauderon.{name}"), value.to_owned())).into()
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// What is mounted.
    #[serde(flatten)]
    pub source: MountSource,
    /// Where, absolute in the container.
    pub target: String,
    /// Whether the container may not write.
    pub read_only: bool,
}

/// What a mount mounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type", content = "source")]
pub enum MountSource {
    /// A path of the host.
    Bind(#[serde(serialize_with = "shown")] PathBuf),
    /// A named volume.
    Volume {
        /// Its name.
        name: String,
        /// Who shares it.
        scope: CacheScope,
    },
}

/// A path as the engine is given it: a name that is no UTF-8 ends no printing.
fn shown<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}
