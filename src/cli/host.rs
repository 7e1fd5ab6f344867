//! Facts of the host that commands need: the home, the engine's address, the system's roots.

use crate::credential::known::Places;
use crate::error::Error;
use crate::fs;
use crate::home::Home;
use crate::render::facts::HostFacts;
use etcetera::BaseStrategy;
use std::env;
use std::path::{Path, PathBuf};

/// The port that the guide gives to `daemon --http-port`.
const HTTP_PORT: u16 = 3030;

/// The user's home of clauderon: `CLAUDERON_HOME`, else the data directory of the user.
pub fn home() -> Result<Home, Error> {
    if let Some(path) = env::var_os("CLAUDERON_HOME").filter(|path| !path.is_empty()) {
        let path = std::path::absolute(PathBuf::from(path))
            .map_err(|error| Error::failed("`CLAUDERON_HOME` is no path").because(error))?;
        return Ok(Home::at(path));
    }
    let strategy = etcetera::choose_base_strategy()
        .map_err(|error| Error::failed("there is no home directory").because(error))?;
    Ok(Home::at(strategy.data_dir().join("clauderon")))
}

/// The user's own manifest, below every project's.
pub fn user_manifest() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.config_dir().join("clauderon").join("clauderon.yaml"))
}

/// Directories in which credentials are searched for.
pub fn places() -> Places {
    let named = |name: &str| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = named("HOME").unwrap_or_default();
    Places {
        claude: named("CLAUDE_CONFIG_DIR").unwrap_or_else(|| home.join(".claude")),
        codex: named("CODEX_HOME").unwrap_or_else(|| home.join(".codex")),
        config: named("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
    }
}

/// The facts that hold for a whole run.
pub fn facts(home: &Home) -> HostFacts {
    HostFacts { system_roots: system_roots(), ..identity(home) }
}

/// The facts that a plan needs: no file is read.
pub fn identity(home: &Home) -> HostFacts {
    HostFacts {
        home: home.clone(),
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        system_roots: String::new(),
        http_port: HTTP_PORT,
        found: std::collections::BTreeMap::new(),
    }
}

/// The system's bundle of trusted roots, from where the common systems keep it.
fn system_roots() -> String {
    const BUNDLES: [&str; 4] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    BUNDLES.iter().find_map(|path| fs::read_to_string(Path::new(path)).ok()).unwrap_or_default()
}
