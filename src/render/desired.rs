//! Pure. What is to exist: one entry a session, with what a plan compares and what a container is made from.

use super::environment::{HOOKS_PORT, PROXY_PORT, environment};
use super::facts::{HostFacts, SessionFacts};
use super::fields::{Fields, fields, kept, spec_hash};
use super::identity::{container_name, owner, session_id};
use super::mounts::mounts;
use super::spec::ContainerSpec;
use crate::manifest::project::{Egress, Mode, Project, Session, Volume};
use std::collections::BTreeMap;

/// What is to exist for one session.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The session's id.
    pub id: String,
    /// The container's name.
    pub container: String,
    /// The image's reference.
    pub image: String,
    /// The fields that the container is made from.
    pub fields: Fields,
    /// The fields that are no part of it.
    pub kept: Fields,
    /// The session, resolved.
    pub session: Session,
}

/// What is to exist for a session that runs on an image of the given reference and id.
pub fn desired(project: &Project, session: &Session, host: &HostFacts, image: (&str, &str)) -> Desired {
    let owner = owner(host.uid, host.home.path());
    Desired {
        id: session_id(&owner, project, &session.name),
        container: container_name(project, session),
        image: image.0.to_owned(),
        fields: fields(session, image.1, &host.found(&session.name)),
        kept: kept(session),
        session: session.clone(),
    }
}

/// The container of a desired session.
pub fn container(
    project: &Project,
    desired: &Desired,
    host: &HostFacts,
    facts: &SessionFacts,
) -> ContainerSpec {
    let session = &desired.session;
    let sealed = session.egress == Egress::Sealed;
    ContainerSpec {
        name: desired.container.clone(),
        image: desired.image.clone(),
        argv: argv(sealed),
        environment: environment(&desired.id, session, host, facts),
        user: format!("{}:{}", host.uid, host.gid),
        mounts: mounts(&desired.id, &project.name, session, host, facts),
        labels: labels(project, desired, host, facts.conversation),
        sealed,
        extra_hosts: vec![format!(
            "host.docker.internal:{}",
            if sealed { "127.0.0.1" } else { "host-gateway" }
        )],
        terminal: session.mode == Mode::Interactive,
        cpus: session.resources.cpus,
        memory: session.resources.memory,
        pids: session.resources.pids,
        capabilities: Vec::new(),
    }
}

fn argv(sealed: bool) -> Vec<String> {
    let entry = ["bash", "/run/clauderon/entry.sh"].map(String::from);
    if !sealed {
        return entry.into();
    }
    let mut argv: Vec<String> = ["/run/clauderon/link", "run"].map(String::from).into();
    for (name, port) in [("proxy", PROXY_PORT), ("hooks", HOOKS_PORT)] {
        argv.extend(["--bind".to_owned(), format!("{name}={port}")]);
    }
    argv.push("--".to_owned());
    argv.extend(entry);
    argv
}

fn labels(
    project: &Project,
    desired: &Desired,
    host: &HostFacts,
    conversation: u32,
) -> BTreeMap<String, String> {
    let mut labels = desired.session.labels.clone();
    let fields = serde_json::to_string(&desired.fields).unwrap_or_default();
    for (name, value) in [
        ("project", project.name.clone()),
        ("root", project.root.display().to_string()),
        ("owner", owner(host.uid, host.home.path())),
        ("session", desired.session.name.clone()),
        ("id", desired.id.clone()),
        ("spec", spec_hash(&desired.fields, &desired.image)),
        ("fields", fields),
        ("conversation", conversation.max(1).to_string()),
        ("agent", desired.session.agent.kind.as_str().to_owned()),
        ("mode", desired.session.mode.as_str().to_owned()),
        ("branch", desired.session.repository.as_ref().map(|it| it.branch.clone()).unwrap_or_default()),
    ] {
        labels.insert(format!("clauderon.{name}"), value);
    }
    let binds: Vec<_> = desired.session.volumes.iter().filter_map(Volume::bind).collect();
    if !binds.is_empty() {
        labels.insert("clauderon.binds".to_owned(), serde_json::to_string(&binds).unwrap_or_default());
    }
    labels
}
