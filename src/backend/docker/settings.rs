//! What can be changed about a container that is there, as it is now.

use super::convert::no_restart;
use super::{Docker, status};
use crate::backend::Error;
use crate::plan::touched::Settings;
use bollard::models::{ContainerInspectResponse, ContainerUpdateBody, RestartPolicyNameEnum};
use bollard::query_parameters::{InspectContainerOptions, InspectNetworkOptions};

impl Docker {
    /// A container's settings; nothing where it is gone.
    pub async fn settings(&self, container: &str) -> Result<Option<Settings>, Error> {
        match self.client.inspect_container(container, None::<InspectContainerOptions>).await {
            Ok(found) => Ok(Some(settings(found))),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.failed("inspect", container, error)),
        }
    }

    /// When the engine was started, in nanoseconds since 1970, where it tells: it makes this network anew each time,
    /// before it listens to anybody.
    pub async fn born(&self) -> Result<Option<i64>, Error> {
        match self.client.inspect_network("bridge", None::<InspectNetworkOptions>).await {
            Ok(network) => Ok(network.created.and_then(|created| {
                let created: jiff::Timestamp = created.parse().ok()?;
                i64::try_from(created.as_nanosecond()).ok()
            })),
            Err(error) if status(&error).is_some() => Ok(None),
            Err(error) => Err(self.failed("inspect", "bridge", error)),
        }
    }

    /// Has the engine leave it to us when a container is started again: one of an older release, or one that somebody
    /// changed, would else be started by two.
    pub async fn leave_starts(&self, container: &str) -> Result<(), Error> {
        let body =
            ContainerUpdateBody { restart_policy: Some(no_restart()), ..ContainerUpdateBody::default() };
        let updated = self.client.update_container(container, body).await;
        updated.map_err(|error| self.failed("update", container, error))
    }
}

fn settings(found: ContainerInspectResponse) -> Settings {
    let host = found.host_config.unwrap_or_default();
    let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let mut networks: Vec<String> = networks.into_keys().collect();
    networks.sort();
    let policy = host.restart_policy.and_then(|policy| policy.name);
    let by_engine = [
        RestartPolicyNameEnum::ALWAYS,
        RestartPolicyNameEnum::UNLESS_STOPPED,
        RestartPolicyNameEnum::ON_FAILURE,
    ];
    Settings {
        memory: host.memory.unwrap_or(0),
        nano_cpus: host.nano_cpus.unwrap_or(0),
        pids: host.pids_limit.unwrap_or(0),
        networks,
        restarts: policy.is_some_and(|policy| by_engine.contains(&policy)),
    }
}
