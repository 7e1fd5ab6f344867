//! Named volumes: made when missing, and given to the user once. The engine makes them as root (moby#21259). A run may
//! end between the two: each volume bears a mark of its making, and until the ground remembers this mark it is given.

use super::{Context, Error};
use crate::backend::{self, Backend};
use crate::manifest::project::CacheScope;
use crate::render::spec::{ContainerSpec, Mount, MountSource, helper_labels};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::Mutex;

/// The label that holds for whom a volume was made, and a name of this making.
const MADE: &str = "clauderon.made";

/// The volumes that this run has seen to already.
#[derive(Default)]
pub struct Volumes {
    seen: Mutex<BTreeSet<String>>,
}

impl Volumes {
    /// Makes what a container's mounts name. A new volume belongs to the container's user afterwards.
    pub async fn ensure(&self, context: &Context<'_>, spec: &ContainerSpec) -> Result<(), Error> {
        let mut seen = self.seen.lock().await;
        let (mut volumes, mut marks) = (Vec::new(), Vec::new());
        for mount in &spec.mounts {
            let MountSource::Volume { name, scope } = &mount.source else { continue };
            if !seen.insert(name.clone()) {
                continue;
            }
            let mark = ensure_one(context.backend, spec, name, *scope).await?;
            if is_for(&mark, &spec.user) && !context.ground.given(&mark) {
                volumes.push(name.clone());
                marks.push(mark);
            }
        }
        if volumes.is_empty() {
            return Ok(());
        }
        let given = give(context.backend, spec, &volumes).await;
        if given.is_err() {
            // Another session of this run tries again.
            seen.retain(|name| !volumes.contains(name));
        }
        given?;
        Ok(context.ground.give(&marks).await?)
    }
}

/// The mark of a volume, made where it is missing; empty for one that is the user's own, or an older release's.
async fn ensure_one(
    backend: &dyn Backend,
    spec: &ContainerSpec,
    name: &str,
    scope: CacheScope,
) -> Result<String, backend::Error> {
    let mut labels = spec.volume_labels(scope);
    labels.insert(MADE.to_owned(), format!("{} {}", spec.user, uuid::Uuid::now_v7()));
    let volume = backend.create_volume(name, &labels).await?;
    Ok(volume.label("made").to_owned())
}

/// Whether a volume was made for this user, and is to be given: root has it anyway, and one that was made for another
/// user stays his.
fn is_for(mark: &str, user: &str) -> bool {
    !user.starts_with("0:") && mark.split(' ').next() == Some(user)
}

/// A one-shot container of the same image, as root with the one capability that this takes.
async fn give(backend: &dyn Backend, spec: &ContainerSpec, volumes: &[String]) -> Result<(), backend::Error> {
    let mounts = volumes.iter().enumerate().map(|(number, name)| Mount {
        source: MountSource::Volume { name: name.clone(), scope: CacheScope::Session },
        target: format!("/volumes/{number}"),
        read_only: false,
    });
    let mounts: Vec<Mount> = mounts.collect();
    let label = |name: &str| spec.labels.get(&format!("clauderon.{name}")).map_or("", String::as_str);
    let mut argv = vec!["chown".to_owned(), spec.user.clone()];
    argv.extend(mounts.iter().map(|mount| mount.target.clone()));
    let helper = ContainerSpec {
        name: format!("clauderon-volumes-{}", uuid::Uuid::now_v7()),
        image: spec.image.clone(),
        argv,
        user: "0:0".to_owned(),
        mounts,
        labels: helper_labels(label("project"), label("root"), label("owner")),
        sealed: true,
        pids: 16,
        capabilities: vec!["CHOWN".to_owned()],
        ..ContainerSpec::default()
    };
    let ran = backend.run_once(&helper, Duration::from_secs(60)).await?;
    if ran.code != 0 {
        return Err(backend::Error::Engine {
            verb: "give to the user",
            name: volumes.join(", "),
            source: ran.output.into(),
        });
    }
    Ok(())
}
