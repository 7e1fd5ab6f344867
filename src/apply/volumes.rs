//! Named volumes: made when missing, and given to the user once. The engine makes them as root (moby#21259).

use crate::backend::{Backend, Error};
use crate::manifest::project::CacheScope;
use crate::render::spec::{ContainerSpec, Mount, MountSource};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::Mutex;

/// The volumes that this run has seen to already.
#[derive(Default)]
pub struct Volumes {
    seen: Mutex<BTreeSet<String>>,
}

impl Volumes {
    /// Makes what a container's mounts name. A new volume belongs to the container's user afterwards.
    pub async fn ensure(&self, backend: &dyn Backend, spec: &ContainerSpec) -> Result<(), Error> {
        let mut seen = self.seen.lock().await;
        let mut new = Vec::new();
        for mount in &spec.mounts {
            let MountSource::Volume { name, scope } = &mount.source else { continue };
            let labels = spec.volume_labels(*scope);
            if seen.insert(name.clone()) && backend.create_volume(name, &labels).await? {
                new.push(name.clone());
            }
        }
        if new.is_empty() || spec.user.starts_with("0:") {
            return Ok(());
        }
        let given = give(backend, spec, &new).await;
        if given.is_err() {
            // A volume that is root's would be taken for a good one at the next run.
            for name in &new {
                backend.remove_volume(name).await?;
            }
        }
        given
    }
}

/// A one-shot container of the same image, as root with the one capability that this takes.
async fn give(backend: &dyn Backend, spec: &ContainerSpec, volumes: &[String]) -> Result<(), Error> {
    let mounts = volumes.iter().enumerate().map(|(number, name)| Mount {
        source: MountSource::Volume { name: name.clone(), scope: CacheScope::Session },
        target: format!("/volumes/{number}"),
        read_only: false,
    });
    let mounts: Vec<Mount> = mounts.collect();
    let mut argv = vec!["chown".to_owned(), spec.user.clone()];
    argv.extend(mounts.iter().map(|mount| mount.target.clone()));
    let helper = ContainerSpec {
        name: format!("clauderon-volumes-{}", uuid::Uuid::now_v7()),
        image: spec.image.clone(),
        argv,
        user: "0:0".to_owned(),
        mounts,
        sealed: true,
        pids: 16,
        capabilities: vec!["CHOWN".to_owned()],
        ..ContainerSpec::default()
    };
    let ran = backend.run_once(&helper, Duration::from_secs(60)).await?;
    if ran.code != 0 {
        return Err(Error::Engine {
            verb: "give to the user",
            name: volumes.join(", "),
            source: ran.output.into(),
        });
    }
    Ok(())
}
