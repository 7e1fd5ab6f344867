//! Pure. What stands inside a container for the credentials that are lent: variables, and the agents' own files.

use crate::agent::codex;
use crate::credential::known::{self, Found, Kind, implied, placeholder, variables};
use crate::manifest::project::{AgentKind, Session};
use serde_json::Value;
use std::collections::BTreeMap;

type Founds = BTreeMap<String, Found>;

/// The variables. What the guide names is there whether a credential is lent or not: tools ask for it.
pub fn placeholders(session: &Session, found: &Founds) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut put = |names: &[&str], value: &str| {
        all.extend(names.iter().map(|name| ((*name).to_owned(), value.to_owned())));
    };
    put(&["GH_TOKEN", "GITHUB_TOKEN"], known::GITHUB);
    for name in implied(session.agent.kind) {
        let kind = kind(session, found, name);
        if *name == "openai" && logged_in(found) {
            continue;
        }
        put(variables(name, kind), &placeholder(name, kind));
    }
    for (name, credential) in &session.credentials {
        let kind = kind(session, found, name);
        if !implied(session.agent.kind).contains(&name.as_str()) {
            put(variables(name, kind), &placeholder(name, kind));
        }
        let own: Vec<&str> = credential.environment.iter().map(String::as_str).collect();
        put(&own, &placeholder(name, kind));
    }
    all
}

/// The sort of a credential's value; the guide's where nothing is known of it.
fn kind(session: &Session, found: &Founds, name: &str) -> Kind {
    let lent = session.credentials.contains_key(name);
    found
        .get(name)
        .filter(|found| lent && found.source.is_some())
        .map_or_else(|| if name == "openai" { Kind::Key } else { Kind::Token }, |found| found.kind)
}

/// Whether codex goes by a login of `ChatGPT`'s: it does where there is one.
fn logged_in(found: &Founds) -> bool {
    found.get("chatgpt").is_some_and(|found| found.source.is_some())
}

/// `auth.json` for codex.
pub fn codex_auth(found: &Founds) -> Value {
    match found.get("chatgpt").filter(|found| found.source.is_some()) {
        Some(login) => known::codex_login(&login.about),
        None => codex::auth(),
    }
}

/// `.credentials.json` for claude, where its credential is a login.
pub fn claude_login(found: &Founds) -> Option<Value> {
    let login = found.get("anthropic").filter(|found| found.source.is_some() && found.kind == Kind::Login)?;
    Some(known::claude_login(&login.about))
}

/// What of this recreates a container when it changes. What the guide gives in any case is left out, so that containers
/// of before stay.
pub fn fields(session: &Session, found: &Founds) -> BTreeMap<String, String> {
    let usual = Session { credentials: BTreeMap::new(), ..session.clone() };
    let mut fields = BTreeMap::new();
    let usual = placeholders(&usual, &Founds::new());
    for (name, value) in placeholders(session, found) {
        if usual.get(&name) != Some(&value) {
            fields.insert(format!("credentials.{name}"), value);
        }
    }
    for (agent, name) in [(AgentKind::Claude, "anthropic"), (AgentKind::Codex, "chatgpt")] {
        let login = found.get(name).is_some_and(|found| found.source.is_some() && found.kind == Kind::Login);
        if session.agent.kind == agent && login {
            fields.insert(format!("credentials.{name}"), "login".to_owned());
        }
    }
    fields
}
