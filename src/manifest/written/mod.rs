//! Pure. The manifest as it is written: every key optional, nothing merged, no default filled in.
//! The doc comments and examples here become the schema, the hovers in an editor and `docs/manifest.md`.

pub mod agent;
pub mod container;
pub mod credential;
pub mod limits;
pub mod notify;
pub mod proxy;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Error;

use super::form::{Form, Short, Word};
use super::project::{Mode, Permissions, PullPolicy};
use super::scalar::{ImageReference, Name, RestartText};
use super::{pattern, publish};
use agent::{Agent, Prompt, Repository};
use container::{Build, Cache, Pairs, Resources, Volume};
use credential::Credential;
use limits::{Budget, Timeout};
use proxy::Proxy;

/// What a session may say, and above `sessions:` the default of every session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Session", extend("patternProperties" = {"^x-": true}, "x-rule" = pattern::exclude("image", "build")))]
pub struct Settings {
    /// Whether the session is there; `false` in the short form.
    #[serde(skip)]
    pub switch: Option<bool>,
    /// The container image. Needs bash, curl and the agent; excludes `build`.
    #[schemars(extend("default" = "ghcr.io/shepherdjerred/dotfiles", "examples" = ["debian:bookworm-slim"]))]
    pub image: Option<ImageReference>,
    /// Builds the image from a Dockerfile; excludes `image`.
    #[schemars(extend("default" = null, "examples" = [{"context": ".", "dockerfile": "agent.Dockerfile"}]))]
    pub build: Option<Form<Build>>,
    /// When the image is pulled.
    #[schemars(extend("default" = "missing", "examples" = ["always"]))]
    pub pull_policy: Option<Word<PullPolicy>>,
    /// Which agent runs. The short form is its kind; another kind in a session replaces the whole map.
    #[schemars(extend("default" = "claude", "examples" = ["codex", {"kind": "claude", "model": "opus", "args": ["--effort", "high"]}]))]
    pub agent: Option<Form<Agent>>,
    /// The first message to the agent. The short form is its text.
    #[schemars(extend("default" = null, "examples" = ["Make the tests pass", {"file": "prompts/review.md"}]))]
    pub prompt: Option<Form<Prompt>>,
    /// Whether the agent stays for a person to attach to, or runs its prompt and exits.
    #[schemars(extend("default" = "interactive", "examples" = ["batch"]))]
    pub mode: Option<Word<Mode>>,
    /// What the agent may do without asking. By default `bypass` while egress is sealed, else `ask`.
    #[schemars(extend("default" = "bypass", "examples" = ["ask"]))]
    pub permissions: Option<Word<Permissions>>,
    /// The git repository whose checkout is the agent's workspace. The short form is its path; `false` gives an
    /// empty workspace that is kept.
    #[schemars(extend("default" = {"path": ".", "branch": "clauderon/", "checkout": "clone"}, "examples" = [{"base": "main", "branch": "agents/"}, false]))]
    pub repository: Option<Form<Repository>>,
    /// Cache volumes by name. `cargo`, `sccache` and `npm` are known, the first two on by default; `false` turns
    /// one off; an own one has a path.
    #[schemars(extend("default" = {"cargo": true, "sccache": true}, "examples" = [{"npm": true, "next": {"path": "/workspace/.next/cache", "scope": "session"}}], "x-rule" = publish::known_caches()))]
    pub caches: Option<BTreeMap<Name, Option<Form<Cache>>>>,
    /// Environment variables: a map, or a list of `NAME=VALUE`.
    #[schemars(extend("default" = {}, "examples" = [{"RUST_LOG": "info"}, ["RUST_LOG=info"]], "x-rule" = pattern::variables()))]
    pub environment: Option<Pairs>,
    /// Mounts. The short form is `SOURCE:TARGET` or `SOURCE:TARGET:ro`. A source with `.`, `/` or `~` in front is a
    /// path, seen from the manifest; a bare name is a named volume.
    #[schemars(extend("default" = [], "examples" = [["./fixtures:/fixtures:ro", {"source": "data", "target": "/data"}]]))]
    pub volumes: Option<Vec<Form<Volume>>>,
    /// Limits of the container.
    #[schemars(extend("default" = {"pids": 1024}, "examples" = [{"cpus": 2, "memory": "4GiB"}]))]
    pub resources: Option<Form<Resources>>,
    /// When the daemon starts the container again by itself, with its conversation: `no`, `always`, `unless-stopped`,
    /// `on-failure` or `on-failure:N`. The default is that of interactive sessions; a batch session has `no`, and one that
    /// ended well is never begun again. Each wait is twice as long, 5 minutes at most; without a number, 10 new starts
    /// after short runs are enough. What was stopped, by whomever, stays stopped: `docs/drift.md` has it all.
    #[schemars(extend("default" = "on-failure:3", "examples" = ["unless-stopped"]))]
    pub restart: Option<RestartText>,
    /// What the session may ask of its model, counted by the provider's own numbers: `docs/usage.md` has it all. Once it is
    /// spent the model answers an error that says so, and the session waits; raised, it goes on. A smaller one holds as soon
    /// as the file is saved, a larger one with the next `up`. `false` takes a lower file's back.
    #[schemars(extend("default" = false, "examples" = [{"tokens": 2_000_000, "requests": 5000, "per": "day"}]))]
    pub budget: Option<Form<Budget>>,
    /// How long the session may last: then it is stopped as `clauderon stop` does it, and not started again by itself.
    /// `clauderon start` goes on with the conversation. `false` takes a lower file's back.
    #[schemars(extend("default" = false, "examples" = [{"run": "2h", "idle": "30m"}]))]
    pub timeout: Option<Form<Timeout>>,
    /// Labels of the container: a map, or a list of `NAME=VALUE`.
    #[schemars(extend("default" = {}, "examples" = [{"team": "shop"}], "x-rule" = pattern::labels()))]
    pub labels: Option<Pairs>,
    /// How the container reaches the world.
    #[schemars(extend("default" = {"egress": "sealed"}, "examples" = [{"hosts": {"api.acme.lan": {"address": "10.0.0.5:8443", "ca": "certs/acme.pem"}}}]))]
    pub proxy: Option<Form<Proxy>>,
    /// Credentials that are lent, by name: their values stay on this machine and are put into requests on the way.
    /// `anthropic`, `openai`, `chatgpt` and `github` are known, the agent's own is lent unasked; `false` takes one back.
    #[schemars(extend("default" = {}, "examples" = [{"github": "read-only", "npm": {"from": "env:NPM_TOKEN", "host": "registry.acme.dev"}}]))]
    pub credentials: Option<BTreeMap<Name, Option<Form<Credential>>>>,
}

impl Short for Settings {}

/// A session of its own words, or its prompt.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Session(pub Settings);

impl JsonSchema for Session {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Settings::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Settings>()
    }
}

impl Short for Session {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![
            json_schema!({"type": "string", "minLength": 1, "description": "The prompt."}),
            json_schema!({"const": false, "description": "Turns off a session of a lower file."}),
        ]
    }

    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        if switch {
            Err(E::custom("`true` says nothing of a session"))
        } else {
            Ok(Self(Settings { switch: Some(false), ..Settings::default() }))
        }
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self(Settings { prompt: Some(Form(Prompt::from_text(text)?)), ..Settings::default() }))
    }
}
