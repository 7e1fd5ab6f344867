//! Pure. The files that a session's container is shown, as paths on the host and content.

use super::facts::{HostFacts, SessionFacts};
use super::{mounts, placeholders, script};
use crate::agent::{claude, codex};
use crate::manifest::project::{AgentKind, Checkout, Session};
use std::path::PathBuf;
use std::sync::LazyLock;

/// One file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where, on the host.
    pub path: PathBuf,
    /// What.
    pub content: Vec<u8>,
    /// The permission bits.
    pub mode: u32,
    /// Written only where there is none: the agent rewrites it.
    pub once: bool,
}

/// All files of a session, their directories implied.
pub fn files(
    id: &str,
    session: &Session,
    host: &HostFacts,
    facts: &SessionFacts,
) -> Result<Vec<File>, script::Error> {
    let (home, found) = (host.home.session(id), host.found(&session.name));
    let file = |path: PathBuf, content: String, mode| File {
        path,
        content: content.into_bytes(),
        mode,
        once: false,
    };
    let mut files = vec![
        file(home.run().join("entry.sh"), script::entry(session)?, 0o755),
        file(home.run().join("prompt"), session.prompt.clone().unwrap_or_default(), 0o644),
        file(home.hooks().join("send_status.sh"), script::send_status(&facts.token)?, 0o755),
        file(home.ca_bundle(), bundle(host, &facts.authorities), 0o644),
    ];
    if facts.checkout.kind != Checkout::Clone {
        let lines = mounts::excludes(session).iter().map(|line| format!("{line}\n")).collect();
        files.push(file(home.etc().join("gitignore"), lines, 0o644));
    }
    if facts.conversation > 1 {
        files.push(file(home.conversation(), format!("{}\n", facts.conversation), 0o644));
    }
    match session.agent.kind {
        AgentKind::Claude => {
            let settings_path = home.managed_settings().join("managed-settings.json");
            files.push(file(settings_path, managed_settings(facts.probe.managed_settings.as_deref()), 0o644));
            let seed = file(home.claude_json(), format!("{}\n", claude::seed()), 0o600);
            files.push(File { once: true, ..seed });
            let login = placeholders::claude_login(&found);
            let login = login.map_or(String::new(), |login| format!("{login}\n"));
            files.push(file(home.etc().join("claude/.credentials.json"), login, 0o600));
        }
        AgentKind::Codex => {
            let directory = home.etc().join("codex");
            files.push(file(directory.join("config.toml"), codex::config(), 0o644));
            files.push(file(home.managed_settings().join("config.toml"), codex::config(), 0o644));
            let requirements = home.managed_settings().join("requirements.toml");
            files.push(file(requirements, REQUIREMENTS.clone(), 0o644));
            let auth = placeholders::codex_auth(&found);
            files.push(file(directory.join("auth.json"), format!("{auth}\n"), 0o600));
        }
    }
    Ok(files)
}

/// The settings as text; those of an image that has none of its own are the same for every session.
fn managed_settings(own: Option<&str>) -> String {
    static PLAIN: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", claude::managed_settings(None)));
    match own {
        None => PLAIN.clone(),
        own => format!("{:#}\n", claude::managed_settings(own)),
    }
}

/// The same for every session.
static REQUIREMENTS: LazyLock<String> = LazyLock::new(codex::requirements);

/// Directories that are mounted though no file of ours lies in them.
pub fn directories(id: &str, session: &Session, host: &HostFacts) -> Vec<PathBuf> {
    let home = host.home.session(id);
    let own = match session.agent.kind {
        AgentKind::Claude => home.claude_projects(),
        AgentKind::Codex => home.codex(),
    };
    vec![home.spool(), own]
}

/// The system's roots and the proxy's authority in one bundle.
pub fn bundle(host: &HostFacts, authorities: &[String]) -> String {
    let parts = std::iter::once(&host.system_roots).chain(authorities);
    parts.map(|part| format!("{}\n", part.trim_end())).collect()
}
