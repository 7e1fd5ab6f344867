//! Which source each credential of a session would use, and whether there is anything: nothing is run for it, and no
//! value is kept.

use super::known::{Found, Kind, Places, candidates, kind};
use super::read::{self, At};
use super::refresh::Provider;
use crate::manifest::project::{Session, Source};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What of the host is searched.
#[derive(Clone, Copy)]
pub struct Searched<'a> {
    /// Directories of the user.
    pub places: &'a Places,
    /// Whether a variable of the environment has a value.
    pub has: &'a dyn Fn(&str) -> bool,
}

/// What a source is at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum There {
    /// There is a value.
    Found,
    /// There is none, for this reason.
    Missing(String),
    /// Only running it would tell.
    Untried,
}

/// Whether a source has a value.
pub fn look(source: &Source, searched: Searched<'_>) -> There {
    match source {
        Source::Env(name) if (searched.has)(name) => There::Found,
        Source::Env(name) => There::Missing(format!("the variable `{name}` is not set")),
        Source::File { path, pointer, fixed } => {
            read::file(At { path, fixed: *fixed }, pointer).map_or_else(There::Missing, |_| There::Found)
        }
        Source::Op(_) | Source::Command { .. } => There::Untried,
    }
}

/// What is found of each credential of a session.
pub fn find(session: &Session, searched: Searched<'_>) -> BTreeMap<String, Found> {
    let one = |(name, credential): (&String, &crate::manifest::project::Credential)| {
        let source = credential.from.clone().or_else(|| {
            let all = candidates(name, searched.places).into_iter();
            all.into_iter().find(|source| look(source, searched) == There::Found)
        });
        let kind = kind(name, source.as_ref(), &credential.environment);
        let about = source.as_ref().filter(|_| kind == Kind::Login).map_or(Value::Null, about);
        (name.clone(), Found { source, kind, about })
    };
    session.credentials.iter().map(|(name, credential)| (name, credential.as_ref())).map(one).collect()
}

/// What an agent shows of its login; no token is in it.
fn about(source: &Source) -> Value {
    let Source::File { path, fixed, .. } = source else { return Value::Null };
    let Ok(document) = read::document(At { path, fixed: *fixed }) else { return Value::Null };
    match Provider::of(source) {
        Some(Provider::Claude) => {
            let login = &document["claudeAiOauth"];
            json!({
                "scopes": login["scopes"], "subscriptionType": login["subscriptionType"],
                "rateLimitTier": login["rateLimitTier"],
            })
        }
        Some(Provider::Codex) => json!({ "account_id": document["tokens"]["account_id"] }),
        None => Value::Null,
    }
}
