//! Pure. What rendering must know of the host, gathered beforehand by its callers.

use crate::credential::known::Found;
use crate::home::Home;
use crate::manifest::project::Checkout;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Facts that hold for every session of one run.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// Where clauderon keeps its state.
    pub home: Home,
    /// The caller's user id.
    pub uid: u32,
    /// The caller's group id.
    pub gid: u32,
    /// The system's trusted roots as PEM, put before every session's own.
    pub system_roots: String,
    /// The port of the hook endpoint on the host, where egress is open.
    pub http_port: u16,
    /// What was found of the credentials that are lent: by session, then by name.
    pub found: BTreeMap<String, BTreeMap<String, Found>>,
}

impl HostFacts {
    /// What was found of the credentials of a session.
    pub fn found(&self, session: &str) -> BTreeMap<String, Found> {
        self.found.get(session).cloned().unwrap_or_default()
    }
}

/// Who commits, from the repository's or the host's git config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitIdentity {
    /// `user.name`.
    pub name: Option<String>,
    /// `user.email`.
    pub email: Option<String>,
}

/// Facts of one image, known once it is on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImageFacts {
    /// The reference that the manifest or the build gives.
    pub reference: String,
    /// The content's digest, `sha256:…`.
    pub id: String,
    /// The environment that the image sets.
    pub environment: BTreeMap<String, String>,
    /// The processor that it is for, in the engine's words, such as `amd64`; empty where it is not told.
    pub architecture: String,
}

/// What running a probe in an image told; kept per image id.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Probe {
    /// Programs of interest that the image holds.
    pub programs: Vec<String>,
    /// The image's own managed settings, as text.
    pub managed_settings: Option<String>,
}

/// Facts of one session's checkout.
#[derive(Clone, Debug, Default)]
pub struct CheckoutFacts {
    /// What it is.
    pub kind: Checkout,
    /// Whether it was made just now.
    pub fresh: bool,
    /// The directory mounted at `/workspace`.
    pub directory: PathBuf,
    /// Object directories borrowed from the parent, mounted read-only at their own path.
    pub borrowed: Vec<PathBuf>,
    /// Paths below the checkout mounted on themselves, so that they cannot be renamed.
    pub pinned: Vec<PathBuf>,
    /// Paths below the checkout mounted read-only.
    pub read_only: Vec<PathBuf>,
    /// What else of the host is mounted.
    pub shown: Vec<Shown>,
}

/// Something of the host that a container sees.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What.
    pub source: PathBuf,
    /// Where: an absolute path, or one below `/workspace`.
    pub target: PathBuf,
    /// Whether nothing can be written there.
    pub read_only: bool,
}

/// Facts of one session, gathered just before its container is made.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Who commits.
    pub identity: GitIdentity,
    /// The image.
    pub image: ImageFacts,
    /// What the image holds.
    pub probe: Probe,
    /// The checkout, or the kept empty directory.
    pub checkout: CheckoutFacts,
    /// Which of its conversations it goes on with or begins, counted from 1.
    pub conversation: u32,
    /// The session's hook token.
    pub token: String,
    /// PEM text of each authority that the container is to trust beside the system's: the proxy's.
    pub authorities: Vec<String>,
}
