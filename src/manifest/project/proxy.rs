//! Pure. What a session may reach, resolved.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How the container reaches the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Egress {
    /// No network; one socket to the proxy.
    Sealed,
    /// The engine's plain bridge.
    Open,
}

impl Egress {
    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Open => "open",
        }
    }
}

/// Whether requests may change something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Access {
    /// Anything.
    #[default]
    ReadWrite,
    /// Requests that only read, and git's fetch.
    ReadOnly,
}

/// What may be done at one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum HostAccess {
    /// Anything.
    #[default]
    ReadWrite,
    /// Requests that only read, and git's fetch.
    ReadOnly,
    /// Bytes pass that nobody looks at.
    Tunnel,
}

/// What `proxy.hosts` says of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Host {
    /// Any of these allows a request; none, and nothing is allowed.
    pub rules: Vec<Rule>,
    /// The address to dial instead, `host:port`. Naming it permits a private destination.
    pub address: Option<String>,
    /// A PEM file whose certificates are believed of this host too, absolute.
    pub ca: Option<PathBuf>,
    /// Where the manifest says so, such as `clauderon.yaml:12`.
    pub place: String,
}

/// What a request must be to be allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Rule {
    /// Whether it may change something.
    pub access: HostAccess,
    /// Its method is one of these; `None` is any.
    pub methods: Option<Vec<String>>,
    /// Its path is one of these or fits one of them; `None` is any.
    pub paths: Option<Vec<String>>,
}
