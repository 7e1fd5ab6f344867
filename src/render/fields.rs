//! Pure. The fields of a session whose change recreates its container, as text: kept on the container as a
//! label, so that a plan can say which field changed from what to what. They come from the manifest and not
//! from the rendered spec: a new release that renders more recreates nothing for its own sake.

use super::identity::short_hash;
use crate::credential::known::Found;
use crate::manifest::project::{Session, Volume, VolumeSource};
use std::collections::BTreeMap;

/// Field by dotted name → its value as the user would write it, shortened.
pub type Fields = BTreeMap<String, String>;

/// The version of the set of fields below. A container of another version is compared by the fields that both know.
const VERSION: u32 = 1;

/// The field that holds the id of the image's content.
pub const IMAGE: &str = "image";

/// The fields of a session that runs on the image of the given id.
pub fn fields(session: &Session, image_id: &str, found: &BTreeMap<String, Found>) -> Fields {
    let mut fields = Fields::new();
    let mut put = |name: &str, value: String| {
        fields.insert(name.to_owned(), shortened(value));
    };
    put(IMAGE, image_id.to_owned());
    put("agent.kind", session.agent.kind.as_str().to_owned());
    put("agent.model", session.agent.model.clone().unwrap_or_default());
    put("agent.args", session.agent.args.join(" "));
    put("mode", session.mode.as_str().to_owned());
    put("permissions", session.permissions.as_str().to_owned());
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

fn volume_text(volume: &Volume) -> String {
    let source = match &volume.source {
        VolumeSource::Bind(path) => path.display().to_string(),
        VolumeSource::Named(name) => name.clone(),
    };
    if volume.read_only { format!("{source}:ro") } else { source }
}
