//! Pure. A resolved project in the manifest's own words, nothing left out: reading it again gives the same project.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::project::{Budget, Cache, Host, Image, Project, Repository, Rule, Session, Timeout, VolumeSource};
use super::span;

/// The project as a manifest.
pub fn to_yaml(project: &Project) -> String {
    let manifest = escaped(to_value(project));
    serde_saphyr::to_string(&manifest).unwrap_or_else(|_| manifest.to_string())
}

/// The same with one more key, which a manifest may have.
pub fn with(project: &Project, key: &str, value: Value) -> String {
    let mut manifest = to_value(project);
    manifest[key] = value;
    let manifest = escaped(manifest);
    serde_saphyr::to_string(&manifest).unwrap_or_else(|_| manifest.to_string())
}

/// The value with each `$` of its texts doubled, as a manifest has it.
pub(super) fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('$', "$$")),
        Value::Array(items) => items.into_iter().map(escaped).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, escaped(value))).collect(),
        other => other,
    }
}

/// The project as the value that its manifest holds.
pub fn to_value(project: &Project) -> Value {
    let sessions: Map<String, Value> =
        project.sessions.iter().map(|session| (session.name.clone(), session_value(session))).collect();
    json!({ "name": project.name, "sessions": sessions })
}

fn session_value(session: &Session) -> Value {
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
    set("budget", budget(session.budget));
    set("timeout", timeout(session.timeout));
    set("labels", json!(session.labels));
    set(
        "proxy",
        json!({ "egress": session.egress.as_str(), "access": session.access, "hosts": hosts(session) }),
    );
    set("credentials", super::credentials::written(session));
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

fn budget(budget: Budget) -> Value {
    if !budget.limits() {
        return json!(false);
    }
    let Budget { tokens, requests, per } = budget;
    with_values(json!({ "tokens": tokens, "requests": requests, "per": per.as_str() }))
}

fn timeout(timeout: Timeout) -> Value {
    if timeout == Timeout::default() {
        return json!(false);
    }
    let Timeout { run, idle } = timeout;
    with_values(json!({ "run": run.map(span::written), "idle": idle.map(span::written) }))
}

fn repository(repository: &Repository) -> Value {
    with_values(json!({
        "path": written(&repository.path),
        "base": repository.base,
        "branch": repository.branch,
        "checkout": repository.checkout.as_str(),
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
    session.hosts.iter().map(|(name, said)| (name.clone(), host(said))).collect()
}

fn host(host: &Host) -> Value {
    let rule = |rule: &Rule| json!({ "access": rule.access, "methods": rule.methods, "paths": rule.paths });
    let dialled = |mut value: Value| {
        if let Value::Object(map) = &mut value {
            map.insert("address".to_owned(), json!(host.address));
            map.insert("ca".to_owned(), json!(host.ca.as_deref().map(written)));
        }
        with_values(value)
    };
    match host.rules.as_slice() {
        [] => json!(false),
        [only] => dialled(rule(only)),
        [first, others @ ..] => {
            let others = others.iter().map(|other| with_values(rule(other)));
            std::iter::once(dialled(rule(first))).chain(others).collect()
        }
    }
}
