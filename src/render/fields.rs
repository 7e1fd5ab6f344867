//! Pure. The fields of a session as text, so that a plan can say which changed from what to what. Those whose change
//! recreates the container are kept on it as a label, the others in the session's record. They come from the manifest
//! and not from the rendered spec: a new release that renders more recreates nothing for its own sake.

use super::identity::short_hash;
use crate::credential::known::Found;
use crate::manifest::project::{Credential, Host, Session, Volume, VolumeSource};
use crate::manifest::span;
use serde_json::json;
use std::collections::BTreeMap;

/// Field by dotted name → its value as the user would write it, shortened.
pub type Fields = BTreeMap<String, String>;

/// The version of the set of fields below. Version 1 held the model, the arguments and the permissions too.
const VERSION: u32 = 2;

/// The beginnings of fields that are there or not as the user has it. All else is there on both sides, or a side does
/// not know it.
const OPEN: [&str; 8] =
    ["environment.", "labels.", "volumes.", "caches.", "credentials.", "proxy.hosts.", "budget.", "timeout."];

/// The field that holds the id of the image's content.
pub const IMAGE: &str = "image";

/// The field that holds the first message.
pub const PROMPT: &str = "prompt";

/// Whether a field that one side lacks was added or removed by the user, where a side is of this hash. Of a version that
/// is not known, only what both sides have is compared.
pub fn counts_alone(field: &str, hash: &str) -> bool {
    let known = (1..=VERSION).any(|version| hash.starts_with(&format!("v{version}:")));
    known && OPEN.iter().any(|begin| field.starts_with(begin))
}

/// The fields that a container is made from, of a session that runs on the image of the given id.
pub fn fields(session: &Session, image_id: &str, found: &BTreeMap<String, Found>) -> Fields {
    let mut fields = Fields::new();
    let mut put = |name: &str, value: String| {
        fields.insert(name.to_owned(), shortened(value));
    };
    put(IMAGE, image_id.to_owned());
    put("agent.kind", session.agent.kind.as_str().to_owned());
    put("mode", session.mode.as_str().to_owned());
    put("restart", session.restart.to_string());
    put("proxy.egress", session.egress.as_str().to_owned());
    put("resources.cpus", session.resources.cpus.map(|cpus| cpus.to_string()).unwrap_or_default());
    put("resources.memory", session.resources.memory.map(|bytes| bytes.to_string()).unwrap_or_default());
    put("resources.pids", session.resources.pids.to_string());
    let repository = session.repository.as_ref().map(|repository| repository.path.display().to_string());
    put("repository.path", repository.unwrap_or_default());
    for (name, value) in &session.environment {
        put(&format!("environment.{name}"), value.clone());
    }
    for (name, value) in &session.labels {
        put(&format!("labels.{name}"), value.clone());
    }
    for volume in &session.volumes {
        put(&format!("volumes.{}", volume.target), volume_text(volume));
    }
    for cache in &session.caches {
        let paths: Vec<&str> = cache.paths.iter().map(|(_, path)| path.as_str()).collect();
        put(&format!("caches.{}", cache.name), format!("{} {}", paths.join(","), cache.scope.as_str()));
    }
    fields.extend(super::placeholders::fields(session, found));
    fields
}

/// The fields that are no part of a container: what its files say, and what the daemon goes by.
pub fn kept(session: &Session) -> Fields {
    let mut fields = Fields::new();
    let mut put = |name: &str, value: String| {
        fields.insert(name.to_owned(), shortened(value));
    };
    put("agent.model", session.agent.model.clone().unwrap_or_default());
    put("agent.args", session.agent.args.join(" "));
    put("permissions", session.permissions.as_str().to_owned());
    put(PROMPT, session.prompt.as_deref().map(on_one_line).unwrap_or_default());
    put("proxy.access", json_word(&session.access));
    for (name, value) in limits(session) {
        put(name, value);
    }
    if let Some(repository) = &session.repository {
        put("repository.base", repository.base.clone().unwrap_or_default());
        put("repository.branch", repository.branch.clone());
        put("repository.checkout", repository.checkout.as_str().to_owned());
        let copied: Vec<String> = repository.copy.iter().map(|path| path.display().to_string()).collect();
        put("repository.copy", copied.join(" "));
    }
    for (name, host) in &session.hosts {
        put(&format!("proxy.hosts.{name}"), host_text(host));
    }
    for (name, credential) in &session.credentials {
        for (key, value) in credential_texts(credential) {
            put(&format!("credentials.{name}.{key}"), value);
        }
    }
    fields
}

/// What it may spend and how long it may last, as far as the manifest says so.
fn limits(session: &Session) -> Vec<(&'static str, String)> {
    let (budget, timeout) = (session.budget, session.timeout);
    let mut limits = Vec::new();
    limits.extend(budget.tokens.map(|tokens| ("budget.tokens", tokens.to_string())));
    limits.extend(budget.requests.map(|requests| ("budget.requests", requests.to_string())));
    limits.extend(budget.limits().then(|| ("budget.per", budget.per.as_str().to_owned())));
    limits.extend(timeout.run.map(|seconds| ("timeout.run", span::written(seconds))));
    limits.extend(timeout.idle.map(|seconds| ("timeout.idle", span::written(seconds))));
    limits
}

/// The versioned hash that the container's `clauderon.spec` label holds: of the image's reference and of every
/// field but the image's content, which only the engine knows.
pub fn spec_hash(fields: &Fields, reference: &str) -> String {
    let known = fields.iter().filter(|(name, _)| *name != IMAGE);
    let known = known.map(|(name, value)| (name.as_str(), value.as_str()));
    let mut text = String::with_capacity(1024);
    for part in known.chain([(IMAGE, reference)]).flat_map(|(name, value)| [name, "\0", value, "\0"]) {
        text.push_str(part);
    }
    format!("v{VERSION}:{}", short_hash(&text))
}

/// Long values are told apart by their hash: a label is no place for a document.
fn shortened(value: String) -> String {
    const LONGEST: usize = 120;
    if value.len() <= LONGEST {
        return value;
    }
    let head: String = value.chars().take(40).collect();
    format!("{head}… ({} bytes, {})", value.len(), short_hash(&value))
}

/// A text of several lines as its first, told apart from others that begin alike.
fn on_one_line(text: &str) -> String {
    match text.trim_end().split_once('\n') {
        None => text.trim_end().to_owned(),
        Some((first, _)) => {
            let head: String = first.chars().take(40).collect();
            format!("{head}… ({} bytes, {})", text.len(), short_hash(text))
        }
    }
}

fn json_word(value: &impl serde::Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}

/// What is said of a destination, on one line.
fn host_text(host: &Host) -> String {
    if host.rules.is_empty() {
        return "false".to_owned();
    }
    let mut parts = Vec::new();
    for rule in &host.rules {
        parts.push(json_word(&rule.access));
        parts.extend(rule.methods.iter().flatten().cloned());
        parts.extend(rule.paths.iter().flatten().cloned());
    }
    parts.extend(host.address.as_ref().map(|address| format!("at {address}")));
    parts.extend(host.ca.as_ref().map(|ca| format!("with {}", ca.display())));
    parts.join(" ")
}

fn credential_texts(credential: &Credential) -> Vec<(&'static str, String)> {
    let mut texts = vec![("access", json_word(&credential.rule.access))];
    texts.extend(credential.from.as_ref().map(|source| ("from", source.to_string())));
    if let Some(target) = &credential.target {
        texts.push(("host", format!("{}:{}", target.host, target.port)));
        texts.push(("header", target.header.clone()));
        texts.push(("value", target.value.clone()));
    }
    texts.extend(credential.rule.methods.as_ref().map(|methods| ("methods", methods.join(" "))));
    texts.extend(credential.rule.paths.as_ref().map(|paths| ("paths", paths.join(" "))));
    texts
}

fn volume_text(volume: &Volume) -> String {
    let source = match &volume.source {
        VolumeSource::Bind(path) => path.display().to_string(),
        VolumeSource::Named(name) => name.clone(),
    };
    if volume.read_only { format!("{source}:ro") } else { source }
}
