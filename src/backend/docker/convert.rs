//! Pure. Between our words and those of Docker's API.

use crate::plan::observed::{Container, ContainerState, Volume};
use crate::render::facts::ImageFacts;
use crate::render::spec::{ContainerSpec, Mount, MountSource};
use bollard::models;
use std::collections::{BTreeMap, HashMap};

/// The body of a create call.
pub fn body(spec: &ContainerSpec) -> models::ContainerCreateBody {
    let (program, arguments) = spec
        .argv
        .split_first()
        .map_or((None, Vec::new()), |(first, rest)| (Some(vec![first.clone()]), rest.to_vec()));
    models::ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: program,
        cmd: Some(arguments),
        env: Some(spec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: Some(spec.user.clone()),
        working_dir: Some("/workspace".to_owned()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        tty: Some(spec.terminal),
        open_stdin: Some(spec.terminal),
        // A health check of the image's own would wake the container for ever.
        healthcheck: Some(models::HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        host_config: Some(host_config(spec)),
        ..Default::default()
    }
}

fn host_config(spec: &ContainerSpec) -> models::HostConfig {
    models::HostConfig {
        init: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(spec.capabilities.clone()).filter(|added| !added.is_empty()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        network_mode: Some(if spec.sealed { "none" } else { "bridge" }.to_owned()),
        extra_hosts: Some(spec.extra_hosts.clone()),
        pids_limit: Some(i64::from(spec.pids)),
        memory: spec.memory.and_then(|bytes| i64::try_from(bytes).ok()),
        nano_cpus: spec.cpus.map(nano_cpus),
        mounts: Some(spec.mounts.iter().map(mount).collect()),
        restart_policy: Some(no_restart()),
        ..nothing()
    }
}

/// What is not asked for, said as the engine's own client says it (28.2), so that an inspection of a container from a
/// `docker run` line reads the same.
fn nothing() -> models::HostConfig {
    models::HostConfig {
        port_bindings: Some(HashMap::new()),
        dns: Some(Vec::new()),
        dns_options: Some(Vec::new()),
        dns_search: Some(Vec::new()),
        devices: Some(Vec::new()),
        ulimits: Some(Vec::new()),
        blkio_weight_device: Some(Vec::new()),
        blkio_device_read_bps: Some(Vec::new()),
        blkio_device_write_bps: Some(Vec::new()),
        blkio_device_read_iops: Some(Vec::new()),
        blkio_device_write_iops: Some(Vec::new()),
        ..Default::default()
    }
}

#[allow(clippy::cast_possible_truncation)] // The manifest bounds `cpus` far below 2^63 billionths.
pub fn nano_cpus(cpus: f64) -> i64 {
    (cpus * 1e9) as i64
}

fn mount(mount: &Mount) -> models::Mount {
    let (kind, source) = match &mount.source {
        MountSource::Bind(path) => (models::MountType::BIND, path.display().to_string()),
        MountSource::Volume { name, .. } => (models::MountType::VOLUME, name.clone()),
    };
    models::Mount {
        typ: Some(kind),
        source: Some(source),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        ..Default::default()
    }
}

/// The daemon starts containers again, which looks at their sources first and knows what the user wants; the engine does
/// not.
pub fn no_restart() -> models::RestartPolicy {
    models::RestartPolicy { name: Some(models::RestartPolicyNameEnum::NO), maximum_retry_count: None }
}

/// One entry of the engine's list.
pub fn container(summary: models::ContainerSummary) -> Container {
    let name = summary.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    Container {
        backend_id: summary.id.unwrap_or_default(),
        name: name.trim_start_matches('/').to_owned(),
        image: summary.image.unwrap_or_default(),
        labels: summary.labels.unwrap_or_default().into_iter().collect(),
        state: state(summary.state, summary.status.as_deref().unwrap_or_default()),
        created: summary.created.unwrap_or_default(),
    }
}

/// One entry of the engine's list of volumes.
pub fn volume(volume: models::Volume) -> Volume {
    Volume { name: volume.name, labels: volume.labels.into_iter().collect() }
}

/// The list gives the exit code only in words: `Exited (143) 2 minutes ago`.
fn state(state: Option<models::ContainerSummaryStateEnum>, status: &str) -> ContainerState {
    use models::ContainerSummaryStateEnum as Engine;
    match state {
        Some(Engine::RUNNING | Engine::PAUSED | Engine::STOPPING) => ContainerState::Running,
        Some(Engine::RESTARTING) => ContainerState::Restarting,
        Some(Engine::EXITED) => {
            let code = status.split(['(', ')']).nth(1).and_then(|code| code.parse().ok());
            ContainerState::Exited(code.unwrap_or(-1))
        }
        Some(Engine::REMOVING | Engine::DEAD) => ContainerState::Dead,
        _ => ContainerState::Created,
    }
}

/// What an image inspection tells.
pub fn image(reference: &str, image: models::ImageInspect) -> ImageFacts {
    let variables = image.config.and_then(|config| config.env).unwrap_or_default();
    let environment: BTreeMap<String, String> = variables
        .iter()
        .filter_map(|variable| variable.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    ImageFacts {
        reference: reference.to_owned(),
        id: image.id.unwrap_or_default(),
        environment,
        architecture: image.architecture.unwrap_or_default(),
    }
}

/// An image reference in the two parts of a pull; a digest stays with the name.
pub fn name_and_tag(reference: &str) -> (&str, &str) {
    if reference.contains('@') {
        return (reference, "");
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_port_is_not_a_tag() {
        assert_eq!(name_and_tag("registry:5000/a/b"), ("registry:5000/a/b", "latest"));
        assert_eq!(name_and_tag("a/b:1"), ("a/b", "1"));
    }

    #[test]
    fn the_exit_code_is_read_from_the_words() {
        let exited = Some(models::ContainerSummaryStateEnum::EXITED);
        assert_eq!(state(exited, "Exited (143) 2 minutes ago"), ContainerState::Exited(143));
    }
}
