//! Pure. What a change of each key does to a session that is there: one table, from which the plan, the schema's
//! descriptions and the reference come.

use serde::Serialize;
use std::fmt;

/// What a change does, from the mildest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing to what is there: it counts when a new checkout is made.
    NewCheckout,
    /// Nothing to what is there: it counts for the next conversation.
    NewConversation,
    /// It holds at once; the agent is not disturbed.
    Live,
    /// The agent is started again in the same container, and goes on with its conversation.
    Restart,
    /// The container is replaced: same checkout, same caches, same conversation.
    Recreate,
}

use Effect::{Live, NewCheckout, NewConversation, Recreate, Restart};

/// Every key of the manifest. `*` stands for a name of the user's, `[]` for the items of a list.
pub const DECLARED: &[(&str, Effect)] = &[
    // Another name is another project.
    ("name", Recreate),
    ("notify.waiting", Live),
    ("notify.idle", Live),
    ("notify.ended", Live),
    ("notify.failed", Live),
    ("notify.timeout", Live),
    // What a session says has effects of its own; a new one disturbs none of the others.
    ("sessions", Live),
    ("image", Recreate),
    ("build.context", Recreate),
    ("build.dockerfile", Recreate),
    ("build.target", Recreate),
    ("build.args", Recreate),
    ("pull_policy", Live),
    ("agent.kind", Recreate),
    ("agent.model", Restart),
    ("agent.args", Restart),
    ("prompt.text", NewConversation),
    ("prompt.file", NewConversation),
    ("mode", Recreate),
    ("permissions", Restart),
    ("repository.path", Recreate),
    ("repository.base", NewCheckout),
    ("repository.branch", NewCheckout),
    ("repository.checkout", NewCheckout),
    ("repository.copy", NewCheckout),
    ("caches.*.path", Recreate),
    ("caches.*.scope", Recreate),
    ("environment", Recreate),
    ("volumes[].source", Recreate),
    ("volumes[].target", Recreate),
    ("volumes[].read_only", Recreate),
    ("resources.cpus", Recreate),
    ("resources.memory", Recreate),
    ("resources.pids", Recreate),
    ("restart", Recreate),
    ("budget.tokens", Live),
    ("budget.requests", Live),
    ("budget.per", Live),
    ("timeout.run", Live),
    ("timeout.idle", Live),
    ("labels", Recreate),
    ("proxy.egress", Recreate),
    ("proxy.access", Live),
    ("proxy.hosts.*.access", Live),
    ("proxy.hosts.*.methods", Live),
    ("proxy.hosts.*.paths", Live),
    ("proxy.hosts.*.address", Live),
    ("proxy.hosts.*.ca", Live),
    ("credentials.*.from", Live),
    ("credentials.*.from.command", Live),
    ("credentials.*.from.timeout", Live),
    ("credentials.*.host", Live),
    ("credentials.*.header", Live),
    ("credentials.*.value", Live),
    ("credentials.*.access", Live),
    ("credentials.*.methods", Live),
    ("credentials.*.paths", Live),
    ("credentials.*.environment", Recreate),
];

/// Where each map of the schema stands in a manifest, by the name of its definition.
pub const PLACES: &[(&str, &str)] = &[
    ("Session", ""),
    ("Agent", "agent"),
    ("Budget", "budget"),
    ("Build", "build"),
    ("Cache", "caches.*"),
    ("Credential", "credentials.*"),
    ("CredentialSource", "credentials.*.from"),
    ("Host", "proxy.hosts.*"),
    ("Notify", "notify"),
    ("Prompt", "prompt"),
    ("Proxy", "proxy"),
    ("Repository", "repository"),
    ("Resources", "resources"),
    ("Timeout", "timeout"),
    ("Volume", "volumes[]"),
];

/// The path of a key of a definition of the schema.
pub fn path(definition: &str, key: &str) -> String {
    let place = PLACES.iter().find(|(name, _)| *name == definition).map_or("", |(_, place)| *place);
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

/// The effect of exactly this key, where it is declared.
pub fn declared(path: &str) -> Option<Effect> {
    DECLARED.iter().find(|(key, _)| *key == path).map(|(_, effect)| *effect)
}

/// The effects of a key and of those below it, each once, the mildest first.
pub fn below(path: &str) -> Vec<Effect> {
    let inside = |key: &str| {
        key.strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
    };
    let mut effects: Vec<Effect> =
        DECLARED.iter().filter(|(key, _)| inside(key)).map(|(_, effect)| *effect).collect();
    effects.sort_unstable();
    effects.dedup();
    effects
}

/// The effect of a field of a session as a plan names it, such as `environment.RUST_LOG`.
pub fn of_field(field: &str) -> Option<Effect> {
    match field.split_once('.') {
        None if field == "prompt" => declared("prompt.text"),
        Some((head @ ("environment" | "labels"), _)) => declared(head),
        Some(("volumes", _)) => declared("volumes[].source"),
        Some(("caches", _)) => declared("caches.*.path"),
        Some(("proxy", rest)) if rest.starts_with("hosts.") => declared("proxy.hosts.*.access"),
        // A placeholder has the name of its variable, which has no dot; neither has the name of a credential.
        Some(("credentials", rest)) => {
            let key = rest.split_once('.').map_or("environment", |(_, key)| key);
            declared(&format!("credentials.*.{key}"))
        }
        _ => declared(field),
    }
}

/// What a change of a key does, as a sentence for its description.
pub fn sentence(path: &str) -> Option<String> {
    let does: Vec<&str> = below(path).into_iter().map(Effect::does).collect();
    match does.as_slice() {
        [] => None,
        [one] => Some(format!("A change {one}.")),
        [others @ .., last] => Some(format!("By key, a change {} or {last}.", others.join(", "))),
    }
}

/// A description without that sentence, where it only is to say what a key is.
pub fn without(description: &str) -> &str {
    description.rsplit_once(" A change ").map_or(description, |(what, _)| what)
}

impl Effect {
    /// What a change does, after `a change`.
    fn does(self) -> &'static str {
        match self {
            NewCheckout => "counts for a new checkout only",
            NewConversation => "counts for a new conversation only",
            Live => "holds at once",
            Restart => "restarts the agent",
            Recreate => "recreates the container",
        }
    }

    /// Whether it ends what the agent is in the middle of.
    pub fn disturbs(self) -> bool {
        self >= Restart
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NewCheckout => "new checkout only",
            NewConversation => "new conversation only",
            Live => "live",
            Restart => "restart",
            Recreate => "recreate",
        })
    }
}
