//! Pure. The manifest as it is written: every key optional, nothing merged, no default filled in.
//! The doc comments and examples here become the schema, the hovers in an editor and `docs/manifest.md`.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Error;

use super::form::{Form, Short, Word, word_from};
use super::project::{AgentKind, CacheScope, Egress, Mode, Permissions, PullPolicy};
use super::scalar::{Cpus, ImageReference, Name, Pids, PromptText, RestartText, Size};

/// What a session may say, and above `sessions:` the default of every session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Session", extend("patternProperties" = {"^x-": true}))]
pub struct Settings {
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
    #[schemars(extend("default" = {"cargo": true, "sccache": true}, "examples" = [{"npm": true, "next": {"path": "/workspace/.next/cache", "scope": "session"}}]))]
    pub caches: Option<BTreeMap<Name, Option<Form<Cache>>>>,
    /// Environment variables: a map, or a list of `NAME=VALUE`.
    #[schemars(extend("default" = {}, "examples" = [{"RUST_LOG": "info"}, ["RUST_LOG=info"]]))]
    pub environment: Option<Pairs>,
    /// Mounts. The short form is `SOURCE:TARGET` or `SOURCE:TARGET:ro`. A source with `.`, `/` or `~` in front is a
    /// path, seen from the manifest; a bare name is a named volume.
    #[schemars(extend("default" = [], "examples" = [["./fixtures:/fixtures:ro", {"source": "data", "target": "/data"}]]))]
    pub volumes: Option<Vec<Form<Volume>>>,
    /// Limits of the container.
    #[schemars(extend("default" = {"pids": 1024}, "examples" = [{"cpus": 2, "memory": "4GiB"}]))]
    pub resources: Option<Form<Resources>>,
    /// When the container is started again by itself: `no`, `always`, `unless-stopped`, `on-failure` or
    /// `on-failure:N`. The default is that of interactive sessions; a batch session has `no`.
    #[schemars(extend("default" = "on-failure:3", "examples" = ["unless-stopped"]))]
    pub restart: Option<RestartText>,
    /// Labels of the container: a map, or a list of `NAME=VALUE`.
    #[schemars(extend("default" = {}, "examples" = [{"team": "shop"}]))]
    pub labels: Option<Pairs>,
    /// How the container reaches the world.
    #[schemars(extend("default" = {"egress": "sealed"}, "examples" = [{"hosts": {"api.acme.lan": {"address": "10.0.0.5:8443", "ca": "certs/acme.pem"}}}]))]
    pub proxy: Option<Form<Proxy>>,
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
        vec![json_schema!({"type": "string", "minLength": 1, "description": "The prompt."})]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self(Settings { prompt: Some(Form(Prompt::from_text(text)?)), ..Settings::default() }))
    }
}

/// An image build, in compose's words.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The directory that is sent to the engine, seen from the manifest.
    #[schemars(extend("default" = ".", "examples" = ["./images"]))]
    pub context: Option<String>,
    /// The Dockerfile, relative to the context.
    #[schemars(extend("default" = "Dockerfile", "examples" = ["agent.Dockerfile"]))]
    pub dockerfile: Option<String>,
    /// The stage to stop at.
    #[schemars(extend("default" = null, "examples" = ["dev"]))]
    pub target: Option<String>,
    /// Build arguments: a map, or a list of `NAME=VALUE`.
    #[schemars(extend("default" = {}, "examples" = [{"NODE": "22"}]))]
    pub args: Option<Pairs>,
}

impl Short for Build {}

/// The agent of a session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Which program.
    #[schemars(extend("default" = "claude", "examples" = ["codex"]))]
    pub kind: Option<Word<AgentKind>>,
    /// The model, in the agent's own words.
    #[schemars(extend("default" = null, "examples" = ["opus"]))]
    pub model: Option<String>,
    /// Arguments to the agent after clauderon's own, verbatim.
    #[schemars(extend("default" = [], "examples" = [["--effort", "high"]]))]
    #[schemars(with = "Option<Vec<Spelled>>")]
    pub args: Option<Vec<String>>,
}

impl Short for Agent {
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
        vec![AgentKind::json_schema(generator)]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self { kind: Some(Word(word_from(text)?)), ..Self::default() })
    }
}

/// A prompt: its text or the file that holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The text itself; excludes `file`.
    #[schemars(extend("default" = null, "examples" = ["Make the tests pass"]))]
    pub text: Option<PromptText>,
    /// A file that holds the text, seen from the manifest; excludes `text`.
    #[schemars(extend("default" = null, "examples" = ["prompts/review.md"]))]
    pub file: Option<String>,
}

impl Short for Prompt {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"type": "string", "minLength": 1})]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        let text = PromptText::try_from(text.to_owned()).map_err(E::custom)?;
        Ok(Self { text: Some(text), file: None })
    }
}

/// The repository behind a checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// `false` in the short form.
    #[serde(skip)]
    pub off: bool,
    /// A path inside the repository, seen from the manifest.
    #[schemars(extend("default" = ".", "examples" = ["../shop"]))]
    pub path: Option<String>,
    /// The revision that a new branch starts at; without it, HEAD.
    #[schemars(extend("default" = "HEAD", "examples" = ["main"]))]
    pub base: Option<String>,
    /// The branch the agent works on. To one that ends in `/`, the session's name is added.
    #[schemars(extend("default" = "clauderon/", "examples" = ["agents/"]))]
    pub branch: Option<String>,
    /// How the checkout is made.
    #[schemars(extend("default" = "clone", "examples" = ["clone"]))]
    pub checkout: Option<Word<Checkout>>,
    /// Ignored files to bring along, relative to the repository's root.
    #[schemars(extend("default" = [], "examples" = [[".env.example"]]))]
    pub copy: Option<Vec<String>>,
}

impl Short for Repository {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"type": "string"}), json_schema!({"const": false})]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self { path: Some(text.to_owned()), ..Self::default() })
    }

    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        if switch {
            Err(E::custom("`true` names no repository"))
        } else {
            Ok(Self { off: true, ..Self::default() })
        }
    }
}

/// How a checkout is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Checkout {
    /// A repository of the session's own that borrows the parent's objects.
    Clone,
}

/// A cache volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// `true` or `false` in the short form.
    #[serde(skip)]
    pub switch: Option<bool>,
    /// Where, absolute in the container. The known caches have their own.
    #[schemars(extend("default" = null, "examples" = ["/workspace/.next/cache"]))]
    pub path: Option<String>,
    /// Who shares it.
    #[schemars(extend("default" = "shared", "examples" = ["session"]))]
    pub scope: Option<Word<CacheScope>>,
}

impl Short for Cache {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"type": "boolean"})]
    }

    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        Ok(Self { switch: Some(switch), ..Self::default() })
    }
}

/// Names with values: a map, or a list of `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Pairs {
    /// Values by name; numbers and booleans are taken as they are written.
    Map(#[schemars(with = "BTreeMap<String, Spelled>")] BTreeMap<String, String>),
    /// `NAME=VALUE` each.
    List(Vec<String>),
}

/// Text, or a number or boolean that is taken as it is written.
#[derive(JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("type" = ["string", "number", "boolean"]))]
struct Spelled(#[expect(dead_code, reason = "only its schema is used")] serde_json::Value);

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// A path of the host, seen from the manifest, or the name of a volume.
    #[schemars(extend("examples" = ["./fixtures"]))]
    pub source: String,
    /// Where, absolute in the container.
    #[schemars(extend("examples" = ["/fixtures"]))]
    pub target: String,
    /// Whether the container may not write.
    #[schemars(extend("default" = false, "examples" = [true]))]
    pub read_only: Option<bool>,
}

impl Short for Volume {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({
            "type": "string",
            "pattern": "^[^:]+:[^:]+(:(ro|rw))?$",
            "patternErrorMessage": VOLUME_RULE,
        })]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, read_only) = match parts.as_slice() {
            [source, target] => (source, target, None),
            [source, target, "ro"] => (source, target, Some(true)),
            [source, target, "rw"] => (source, target, Some(false)),
            _ => return Err(E::custom(VOLUME_RULE)),
        };
        if source.is_empty() || target.is_empty() {
            return Err(E::custom(VOLUME_RULE));
        }
        Ok(Self { source: (*source).to_owned(), target: (*target).to_owned(), read_only })
    }
}

/// What the short form of a volume may be, as a person reads it.
const VOLUME_RULE: &str = "a volume is `SOURCE:TARGET` or `SOURCE:TARGET:ro`";

/// Limits of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Processors; fractions are allowed. Without it, no limit.
    #[schemars(extend("default" = null, "examples" = [1.5]))]
    pub cpus: Option<Cpus>,
    /// Memory: bytes, or a number with `k`, `m`, `g` or `t` (powers of 1024). Without it, no limit.
    #[schemars(extend("default" = null, "examples" = ["4GiB"]))]
    pub memory: Option<Size>,
    /// Processes and threads.
    #[schemars(extend("default" = 1024, "examples" = [4096]))]
    pub pids: Option<Pids>,
}

impl Short for Resources {}

/// How a container reaches the world.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Whether there is a network beside the proxy.
    #[schemars(extend("default" = "sealed", "examples" = ["open"]))]
    pub egress: Option<Word<Egress>>,
    /// Destinations that need more than their name, by host name.
    #[schemars(extend("default" = {}, "examples" = [{"api.acme.lan": {"address": "10.0.0.5:8443"}}]))]
    pub hosts: Option<BTreeMap<String, Option<Form<Host>>>>,
}

impl Short for Proxy {}

/// What is said of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The address to dial instead, `HOST:PORT`. Naming it permits a private destination.
    #[schemars(extend("default" = null, "examples" = ["10.0.0.5:8443"]))]
    pub address: Option<String>,
    /// A PEM file, seen from the manifest, whose certificates the container trusts too.
    #[schemars(extend("default" = null, "examples" = ["certs/acme.pem"]))]
    pub ca: Option<String>,
}

impl Short for Host {}
