//! Pure. The container's environment: the guide's variables, and those seen to matter beyond it.

use super::facts::{GitIdentity, HostFacts, SessionFacts};
use super::identity::conversation_id;
use super::placeholders::placeholders;
use crate::manifest::project::{AgentKind, Checkout, Egress, Session};
use std::collections::BTreeMap;

/// The port on which the link listens for the proxy, inside the container.
pub const PROXY_PORT: u16 = 47100;
/// The port on which the link listens for hooks, inside the container.
pub const HOOKS_PORT: u16 = 47101;
/// The bundle of trusted roots inside the container.
pub const CA_BUNDLE: &str = "/etc/clauderon/proxy-ca.pem";
/// What the agent and clauderon write for themselves into `/workspace`, where git's own list is the user's.
pub const EXCLUDES: &str = "/etc/clauderon/gitignore";

type Variables = BTreeMap<String, String>;

/// Defaults, then the manifest's own, then what may not be changed.
pub fn environment(id: &str, session: &Session, host: &HostFacts, facts: &SessionFacts) -> Variables {
    let mut variables = Variables::new();
    defaults(&mut variables, session, facts);
    identity(&mut variables, &facts.identity);
    if session.egress == Egress::Sealed {
        proxy(&mut variables);
        variables.extend(placeholders(session, &host.found(&session.name)));
    }
    variables.extend(session.environment.clone());
    fixed(&mut variables, (id, facts.conversation), session, host);
    git(&mut variables, facts);
    variables
}

fn put(variables: &mut Variables, name: &str, value: impl Into<String>) {
    variables.insert(name.to_owned(), value.into());
}

fn defaults(variables: &mut Variables, session: &Session, facts: &SessionFacts) {
    put(variables, "TERM", "xterm-256color");
    if facts.image.environment.contains_key("LANG") {
        put(variables, "LANG", "en_US.UTF-8");
    }
    put(variables, "CARGO_HOME", "/workspace/.cargo");
    put(variables, "SCCACHE_DIR", "/workspace/.cache/sccache");
    // Without sccache in the image a wrapper of that name makes every build fail, it does not fall back.
    if facts.probe.programs.iter().any(|program| program == "sccache") {
        put(variables, "RUSTC_WRAPPER", "sccache");
    }
    put(variables, "DISABLE_AUTOUPDATER", "1");
    // Else claude complains that it is not installed under the home directory.
    put(variables, "DISABLE_INSTALLATION_CHECKS", "1");
    if session.agent.kind == AgentKind::Codex {
        put(variables, "CODEX_HOME", "/workspace/.codex");
    }
}

fn identity(variables: &mut Variables, identity: &GitIdentity) {
    if let Some(name) = &identity.name {
        put(variables, "GIT_AUTHOR_NAME", name);
        put(variables, "GIT_COMMITTER_NAME", name);
    }
    if let Some(email) = &identity.email {
        put(variables, "GIT_AUTHOR_EMAIL", email);
        put(variables, "GIT_COMMITTER_EMAIL", email);
    }
}

fn proxy(variables: &mut Variables) {
    let url = format!("http://host.docker.internal:{PROXY_PORT}");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        put(variables, name, &url);
    }
    for name in ["NO_PROXY", "no_proxy"] {
        put(variables, name, "localhost,127.0.0.1,host.docker.internal");
    }
    for name in [
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "CARGO_HTTP_CAINFO",
    ] {
        put(variables, name, CA_BUNDLE);
    }
    put(variables, "NODE_USE_ENV_PROXY", "1");
}

fn fixed(variables: &mut Variables, (id, conversation): (&str, u32), session: &Session, host: &HostFacts) {
    put(variables, "HOME", "/workspace");
    put(variables, "CLAUDERON_SESSION_ID", id);
    put(variables, "CLAUDERON_CONVERSATION_ID", conversation_id(id, conversation));
    let port = if session.egress == Egress::Sealed { HOOKS_PORT } else { host.http_port };
    put(variables, "CLAUDERON_HTTP_PORT", port.to_string());
    if host.uid == 0 {
        put(variables, "IS_SANDBOX", "1");
    }
}

/// What git is to know beyond any config. Only a clone has an exclude file of its own.
fn git(variables: &mut Variables, facts: &SessionFacts) {
    let mut settings = vec![("safe.directory", "/workspace")];
    if facts.checkout.kind != Checkout::Clone {
        settings.push(("core.excludesFile", EXCLUDES));
    }
    put(variables, "GIT_CONFIG_COUNT", settings.len().to_string());
    for (number, (key, value)) in settings.into_iter().enumerate() {
        put(variables, &format!("GIT_CONFIG_KEY_{number}"), key);
        put(variables, &format!("GIT_CONFIG_VALUE_{number}"), value);
    }
}
