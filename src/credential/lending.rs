//! Pure. What the daemon is told of the credentials of a session: where each comes from and where it belongs.

use super::binding::Binding;
use super::known::{Found, bindings};
use crate::manifest::project::{Session, Source};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One credential as it is lent; its value is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lending {
    /// Its name.
    pub name: String,
    /// Where its value comes from; `None` where nothing was found.
    pub source: Option<Source>,
    /// Where it belongs.
    pub bindings: Vec<Binding>,
}

/// What is lent to a session, with what was found.
pub fn lendings(session: &Session, found: &BTreeMap<String, Found>) -> Vec<Lending> {
    let mut lendings = Vec::new();
    for (name, credential) in &session.credentials {
        let source =
            found.get(name).and_then(|found| found.source.clone()).or_else(|| credential.from.clone());
        let kind = super::known::kind(name, source.as_ref(), &credential.environment);
        let mut bindings = bindings(name, credential, kind);
        for binding in &mut bindings {
            binding.sets = source.is_some();
        }
        lendings.push(Lending { name: name.clone(), source, bindings });
    }
    lendings
}
