//! Pure. A resolved project in the manifest's own words, nothing left out: reading it again gives the same project.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::project::{Cache, Image, Project, Repository, Session, VolumeSource};

/// The project as a manifest.
pub fn to_yaml(project: &Project) -> String {
    let sessions: Map<String, Value> =
        project.sessions.iter().map(|session| (session.name.clone(), to_value(session))).collect();
    let manifest = json!({ "name": project.name, "sessions": sessions });
    serde_saphyr::to_string(&manifest).unwrap_or_else(|_| manifest.to_string())
}

fn to_value(session: &Session) -> Value {
    let mut map = Map::new();
    let mut set = |key: &str, value: Value| {
        if !value.is_null() {
            map.insert(key.to_owned(), value);
        }
    };
    match &session.image {
        Image::Reference(reference) => set("image", json!(reference)),
        Image::Build(build) => set(
            "build",
            with_values(json!({
                "context": written(&build.context), "dockerfile": build.dockerfile, "target": build.target, "args": build.args,
            })),
        ),
    }
    set("pull_policy", json!(session.pull_policy.as_str()));
    let agent = &session.agent;
    let kind = agent.kind.as_str();
    set("agent", with_values(json!({ "kind": kind, "model": agent.model, "args": agent.args })));
    set("prompt", session.prompt.as_ref().map_or(Value::Null, |text| json!({ "text": text })));
    set("mode", json!(session.mode.as_str()));
    set("permissions", json!(session.permissions.as_str()));
    set("repository", session.repository.as_ref().map_or(json!(false), repository));
    set("caches", caches(&session.caches));
    set("environment", json!(session.environment));
    set("volumes", volumes(session));
    let limits = session.resources;
    set(
        "resources",
        with_values(json!({ "cpus": limits.cpus, "memory": limits.memory, "pids": limits.pids })),
    );
    set("restart", json!(session.restart.to_string()));
    set("labels", json!(session.labels));
    set("proxy", json!({ "egress": session.egress.as_str(), "hosts": hosts(session) }));
    Value::Object(map)
}

/// A path as text; a manifest has no other.
fn written(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The map without what it has no value for.
fn with_values(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    value
}

fn repository(repository: &Repository) -> Value {
    with_values(json!({
        "path": written(&repository.path),
        "base": repository.base,
        "branch": repository.branch,
        "checkout": "clone",
        "copy": repository.copy.iter().map(|file| written(file)).collect::<Vec<_>>(),
    }))
}

fn caches(caches: &[Cache]) -> Value {
    let mut map = Map::new();
    for known in ["cargo", "sccache"] {
        if caches.iter().all(|cache| cache.name != known) {
            map.insert(known.to_owned(), json!(false));
        }
    }
    for cache in caches {
        let own = cache.paths.first().filter(|(suffix, _)| *suffix == cache.name).map(|(_, path)| path);
        let own = own.filter(|_| !super::settle::KNOWN_CACHES.contains(&cache.name.as_str()));
        map.insert(cache.name.clone(), with_values(json!({ "path": own, "scope": cache.scope.as_str() })));
    }
    Value::Object(map)
}

fn volumes(session: &Session) -> Value {
    let volume = |volume: &super::project::Volume| {
        let source = match &volume.source {
            VolumeSource::Bind(path) => json!(written(path)),
            VolumeSource::Named(name) => json!(name),
        };
        json!({ "source": source, "target": volume.target, "read_only": volume.read_only })
    };
    session.volumes.iter().map(volume).collect()
}

fn hosts(session: &Session) -> Value {
    let host = |(name, host): (&String, &super::project::Host)| {
        (name.clone(), with_values(json!({ "address": host.address, "ca": host.ca.as_deref().map(written) })))
    };
    Value::Object(session.hosts.iter().map(host).collect())
}
