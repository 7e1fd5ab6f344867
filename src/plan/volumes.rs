//! Pure. Which volumes `down --volumes` may remove: those that the labels give to this project, whatever their names
//! say. A volume that all projects share is nobody's to remove; one that a user made bears no label of ours.

use super::observed::Volume;
use crate::manifest::project::{CacheScope, Project};

/// The volumes of a project, or of some of its sessions: then only those that no other session has a part in.
pub fn removable<'a>(
    volumes: &'a [Volume],
    project: &Project,
    owner: &str,
    sessions: &[String],
) -> Vec<&'a Volume> {
    let root = project.root.display().to_string();
    let ours = |volume: &&Volume| {
        let told = ["project", "root", "owner"].map(|name| volume.label(name));
        told == [project.name.as_str(), root.as_str(), owner]
    };
    let asked = |volume: &&Volume| match volume.label("volume") {
        scope if scope == CacheScope::Session.as_str() => {
            sessions.is_empty() || sessions.iter().any(|session| session == volume.label("session"))
        }
        scope if scope == CacheScope::Project.as_str() => sessions.is_empty(),
        _ => false,
    };
    volumes.iter().filter(ours).filter(asked).collect()
}
