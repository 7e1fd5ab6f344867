//! Pure. The fields of a session whose change recreates its container, as text: kept on the container as a
//! label, so that a plan can say which field changed from what to what. They come from the manifest and not
//! from the rendered spec: a new release that renders more recreates nothing for its own sake.

use super::identity::short_hash;
use crate::credential::known::Found;
use crate::manifest::project::{
    AgentKind, CacheScope, Egress, Mode, Permissions, Restart, Session, Volume, VolumeSource,
};
use std::collections::BTreeMap;

/// Field by dotted name → its value as the user would write it, shortened.
pub type Fields = BTreeMap<String, String>;

/// The version of the set of fields below. A container of another version is compared by the fields that both know.
const VERSION: u32 = 1;

/// The fields of a session that runs on the image of the given id.
pub fn fields(session: &Session, image_id: &str, found: &BTreeMap<String, Found>) -> Fields {
    let mut fields = Fields::new();
    let mut put = |name: &str, value: String| {
        fields.insert(name.to_owned(), shortened(value));
    };
    put("image", image_id.to_owned());
    put("agent.kind", agent_kind(session.agent.kind).to_owned());
    put("agent.model", session.agent.model.clone().unwrap_or_default());
    put("agent.args", session.agent.args.join(" "));
    put("mode", mode(session.mode).to_owned());
    put("permissions", permissions(session.permissions).to_owned());
    put("restart", restart(session.restart));
    put("proxy.egress", egress(session.egress).to_owned());
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
        put(&format!("caches.{}", cache.name), format!("{} {}", paths.join(","), scope(cache.scope)));
    }
    fields.extend(super::placeholders::fields(session, found));
    fields
}

/// The versioned hash that the container's `clauderon.spec` label holds.
pub fn spec_hash(fields: &Fields) -> String {
    let text: String = fields.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
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

fn volume_text(volume: &Volume) -> String {
    let source = match &volume.source {
        VolumeSource::Bind(path) => path.display().to_string(),
        VolumeSource::Named(name) => name.clone(),
    };
    if volume.read_only { format!("{source}:ro") } else { source }
}

/// The manifest's word for an agent.
pub fn agent_kind(kind: AgentKind) -> &'static str {
    match kind {
        AgentKind::Claude => "claude",
        AgentKind::Codex => "codex",
    }
}

/// The manifest's word for a mode.
pub fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Interactive => "interactive",
        Mode::Batch => "batch",
    }
}

/// The manifest's word for permissions.
pub fn permissions(permissions: Permissions) -> &'static str {
    match permissions {
        Permissions::Bypass => "bypass",
        Permissions::AcceptEdits => "accept-edits",
        Permissions::Ask => "ask",
    }
}

fn egress(egress: Egress) -> &'static str {
    match egress {
        Egress::Sealed => "sealed",
        Egress::Open => "open",
    }
}

fn scope(scope: CacheScope) -> &'static str {
    match scope {
        CacheScope::Shared => "shared",
        CacheScope::Project => "project",
        CacheScope::Session => "session",
    }
}

fn restart(restart: Restart) -> String {
    match restart {
        Restart::No => "no".to_owned(),
        Restart::Always => "always".to_owned(),
        Restart::UnlessStopped => "unless-stopped".to_owned(),
        Restart::OnFailure(0) => "on-failure".to_owned(),
        Restart::OnFailure(times) => format!("on-failure:{times}"),
    }
}
