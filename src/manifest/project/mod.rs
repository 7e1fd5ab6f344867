//! Pure. The resolved manifest: every default filled in, every short form expanded, nothing left to guess.

mod credential;
mod limits;
pub mod notify;
mod proxy;

pub use credential::{Credential, Source, Target};
pub use limits::{Budget, Period, Timeout};
pub use proxy::{Access, Egress, Host, HostAccess, Rule};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::interpolate::Variables;
use notify::Notify;

/// A project: what one manifest declares, after resolving.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// The project's name: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// The directory of the manifest, absolute and canonical.
    pub root: PathBuf,
    /// The manifest's own file, absolute; others may lie below and above it.
    pub file: PathBuf,
    /// Variables of the environment or of `.env` that the project's files take.
    pub variables: Variables,
    /// Files of the project that go to an agent, as prompts do, though git does not hold them.
    pub unheld: BTreeSet<PathBuf>,
    /// What is run on this machine when a session needs a person.
    pub notify: Notify,
    /// The sessions in the order of the manifest.
    pub sessions: Vec<Session>,
}

impl Project {
    /// The project without the lines at which its hosts and credentials stand: two that are equal then mean the same.
    #[must_use]
    pub fn without_places(mut self) -> Self {
        let hosts = self.sessions.iter_mut().flat_map(|session| session.hosts.values_mut());
        hosts.for_each(|host| host.place.clear());
        let credentials = self.sessions.iter_mut().flat_map(|session| session.credentials.values_mut());
        credentials.for_each(|credential| credential.place.clear());
        self
    }
}

/// One agent session, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The key under `sessions:`; `default` where the manifest has none.
    pub name: String,
    /// Where the image comes from.
    pub image: Image,
    /// When the image is pulled.
    pub pull_policy: PullPolicy,
    /// Which agent runs, and how.
    pub agent: Agent,
    /// The first message; `None` starts an interactive agent without one.
    pub prompt: Option<String>,
    /// Whether the agent stays or ends by itself.
    pub mode: Mode,
    /// What the agent may do without asking.
    pub permissions: Permissions,
    /// The repository whose checkout is `/workspace`; `None` is an empty, kept `/workspace`.
    pub repository: Option<Repository>,
    /// Cache volumes, sorted by name.
    pub caches: Vec<Cache>,
    /// Environment of the container, beside what clauderon sets.
    pub environment: BTreeMap<String, String>,
    /// Mounts, sorted by target.
    pub volumes: Vec<Volume>,
    /// Limits of the container.
    pub resources: Resources,
    /// When the container is started again by itself.
    pub restart: Restart,
    /// What it may ask of its model.
    pub budget: Budget,
    /// How long it may last.
    pub timeout: Timeout,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
    /// How the container reaches the world.
    pub egress: Egress,
    /// Destinations that `proxy.hosts` names, by host name.
    pub hosts: BTreeMap<String, Host>,
    /// The cap on every host but the model's.
    pub access: Access,
    /// Credentials that are lent, by name; the agent's own among them.
    pub credentials: BTreeMap<String, Box<Credential>>,
}

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// An image reference.
    Reference(String),
    /// Built from a context directory.
    Build(Build),
}

/// An image build, in compose's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The context directory, absolute.
    pub context: PathBuf,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// The stage to stop at.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum PullPolicy {
    /// At each `up`.
    Always,
    /// When the engine has none of that name.
    Missing,
    /// Never.
    Never,
}

impl PullPolicy {
    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Missing => "missing",
            Self::Never => "never",
        }
    }
}

/// The agent of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Which program.
    pub kind: AgentKind,
    /// The model, in the agent's own words.
    pub model: Option<String>,
    /// Arguments after ours, verbatim.
    pub args: Vec<String>,
}

/// The agents that clauderon knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum AgentKind {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
}

impl AgentKind {
    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
        }
    }
}

/// Whether the agent stays or ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Mode {
    /// A terminal that one can attach to.
    Interactive,
    /// Runs the prompt and exits.
    Batch,
}

impl Mode {
    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Batch => "batch",
        }
    }
}

/// What the agent may do without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Permissions {
    /// Everything; the container is the border. The default while sealed.
    Bypass,
    /// Edits without asking, commands not.
    AcceptEdits,
    /// Asks. The default where egress is open.
    Ask,
}

impl Permissions {
    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::AcceptEdits => "accept-edits",
            Self::Ask => "ask",
        }
    }
}

/// The repository behind a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// A path inside the repository, absolute.
    pub path: PathBuf,
    /// The revision a new branch starts at; `None` is HEAD.
    pub base: Option<String>,
    /// The branch's full short name, such as `clauderon/login`.
    pub branch: String,
    /// How the checkout is made.
    pub checkout: Checkout,
    /// Ignored files to bring along, relative to the repository's root.
    pub copy: Vec<PathBuf>,
}

/// How a checkout is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Checkout {
    /// A repository of the session's own that borrows the user's objects and can write none of them.
    #[default]
    Clone,
    /// A worktree of the user's repository, whose objects, branches and tags the agent can write.
    Worktree,
    /// The user's own working tree, with a `HEAD` and an index of the session's own; the repository as with `worktree`.
    Shared,
}

impl Checkout {
    /// The word in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clone => "clone",
            Self::Worktree => "worktree",
            Self::Shared => "shared",
        }
    }
}

/// A cache volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// The key under `caches:`.
    pub name: String,
    /// Absolute paths in the container, each a volume of its own: `(suffix of the volume's name, path)`.
    pub paths: Vec<(String, String)>,
    /// Who shares it.
    pub scope: CacheScope,
}

/// Who shares a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum CacheScope {
    /// Every session of this user.
    Shared,
    /// The sessions of the project.
    Project,
    /// This session alone.
    Session,
}

impl CacheScope {
    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Project => "project",
            Self::Session => "session",
        }
    }
}

/// A mount that the manifest asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// What is mounted.
    pub source: VolumeSource,
    /// Where, absolute in the container.
    pub target: String,
    /// Whether the container may not write.
    pub read_only: bool,
}

impl Volume {
    /// The path of the host that it mounts, where it is one.
    pub fn bind(&self) -> Option<&Path> {
        match &self.source {
            VolumeSource::Bind(path) => Some(path),
            VolumeSource::Named(_) => None,
        }
    }
}

/// What a volume mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// A file or directory of the host, absolute.
    Bind(PathBuf),
    /// A named volume of the project.
    Named(String),
}

/// Limits of a container.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resources {
    /// Processors; `None` is no limit.
    pub cpus: Option<f64>,
    /// Bytes; `None` is no limit.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: u32,
}

/// When a container is started again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Never.
    No,
    /// Always.
    Always,
    /// Unless it was stopped.
    UnlessStopped,
    /// After a failure, at most this many times (0 is without end).
    OnFailure(u32),
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
            Self::OnFailure(0) => f.write_str("on-failure"),
            Self::OnFailure(times) => write!(f, "on-failure:{times}"),
        }
    }
}
