//! Credentials on the side of the command line: what is found of each, what is handed to the daemon, what is told.

use super::{ground, host};
use crate::credential::find::{Searched, There, find, look};
use crate::credential::known::{Found, KNOWN, candidates};
use crate::credential::lending::{Lending, lendings};
use crate::daemon::control::Handed;
use crate::daemon::record;
use crate::error::Error;
use crate::fs;
use crate::home::Home;
use crate::manifest::host::most_specific;
use crate::manifest::project::{Egress, Host, Project, Session, Source};
use crate::render::desired::Desired;
use crate::render::identity::{owner, session_id};
use crate::secret::Secret;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::env;
use std::path::Path;

/// What is found of all sessions' credentials: by session, then by name.
pub type Founds = BTreeMap<String, BTreeMap<String, Found>>;

fn has(name: &str) -> bool {
    env::var(name).is_ok_and(|value| !value.trim().is_empty())
}

/// Whether there is a value at a source.
pub fn there(source: &Source) -> There {
    look(source, Searched { places: &host::places(), has: &has })
}

/// What is found of the credentials of these sessions. What a search no longer finds stays as it was lent: the variable
/// of another terminal is no reason to make a container anew.
pub fn found(home: &Home, project: &Project, sessions: &[&Session]) -> Founds {
    let places = host::places();
    let owner = owner(rustix::process::getuid().as_raw(), home.path());
    let one = |session: &&Session| {
        let mut found = find(session, Searched { places: &places, has: &has });
        let before = record::read(home, &session_id(&owner, project, &session.name)).ok().flatten();
        for lending in before.iter().flat_map(|record| &record.credentials) {
            let gone = found.get(&lending.name).is_some_and(|found| found.source.is_none());
            if gone && matches!(lending.source, Some(Source::Env(_))) {
                let said = session.credentials.get(&lending.name).map(|said| said.environment.as_slice());
                let kind = crate::credential::known::kind(
                    &lending.name,
                    lending.source.as_ref(),
                    said.unwrap_or_default(),
                );
                let kept = Found { source: lending.source.clone(), kind, about: Value::Null };
                found.insert(lending.name.clone(), kept);
            }
        }
        (session.name.clone(), found)
    };
    pinned(project, sessions.iter().map(one).collect())
}

/// What a session is lent by the manifest as it is now, each credential from where it was lent so far, but where the
/// manifest names another place.
pub fn as_before(session: &Session, before: &[Lending]) -> Vec<Lending> {
    let mut found = BTreeMap::new();
    for (name, said) in &session.credentials {
        let known = before.iter().find(|lending| lending.name == *name);
        let source = said.from.clone().or_else(|| known.and_then(|lending| lending.source.clone()));
        let kind = crate::credential::known::kind(name, source.as_ref(), &said.environment);
        found.insert(name.clone(), Found { source, kind, about: Value::Null });
    }
    lendings(session, &found)
}

/// Hands the values of variables to the daemon, which holds them in memory alone.
pub async fn hand(home: &Home, desired: &[Desired], founds: &Founds) -> Result<(), Error> {
    let none = BTreeMap::new();
    for desired in desired {
        let session = &desired.session;
        let lendings = lendings(session, founds.get(&session.name).unwrap_or(&none));
        let variable = |source: Option<Source>| match source {
            Some(Source::Env(name)) => Some(name),
            _ => None,
        };
        let names = lendings.into_iter().filter_map(|lending| variable(lending.source));
        let value =
            |name: String| env::var(&name).ok().map(|it| (name, Handed(Secret::new(it.trim().to_owned()))));
        let values: BTreeMap<String, Handed> =
            names.filter_map(value).filter(|(_, value)| !value.0.expose().is_empty()).collect();
        if !values.is_empty() {
            let mut daemon = ground::daemon(home).await?;
            daemon.lend(&desired.id, values).await.map_err(super::remedy::daemon_error)?;
        }
    }
    Ok(())
}

/// What a session's credentials take from this machine, a line each, for a person to agree to. The agent's own is lent
/// to the agent's own provider unasked.
pub fn taken(session: &Session) -> Vec<String> {
    let name = &session.name;
    let mut taken = Vec::new();
    for (credential, said) in &session.credentials {
        let kind = crate::credential::known::kind(credential, said.from.as_ref(), &said.environment);
        let bindings = crate::credential::known::bindings(credential, said, kind);
        let own = crate::credential::known::implied(session.agent.kind).contains(&credential.as_str());
        if said.from.is_some() || !own {
            let from = said.from.as_ref().map_or("your own".to_owned(), |from| format!("`{from}`"));
            let mut hosts: Vec<String> =
                bindings.iter().map(|binding| format!("`{}:{}`", binding.host, binding.port)).collect();
            hosts.dedup();
            let rule = serde_json::to_string(&said.rule).unwrap_or_default();
            taken.push(format!(
                "{name}: the credential `{credential}` ({from}), lent to {} {rule}",
                hosts.join(", ")
            ));
        }
        for binding in &bindings {
            // By a pattern too: its `ca` is believed of this host as well.
            if let Some((_, Host { address, ca, .. })) = most_specific(&session.hosts, &binding.host)
                && (address.is_some() || ca.is_some())
            {
                let at = address.as_ref().map_or("its own address".to_owned(), |at| format!("`{at}`"));
                let by = ca.as_ref().map_or(String::new(), |ca| {
                    format!(", believed by `{}` ({})", ca.display(), fingerprint(ca))
                });
                taken.push(format!(
                    "{name}: `{}` is sent the credential `{credential}` at {at}{by}",
                    binding.host
                ));
            }
        }
    }
    taken
}

/// Bytes that a file of certificates may have.
const LARGEST_AUTHORITY: u64 = 1 << 20;

/// What a `ca` names.
pub fn authority(path: &Path) -> Result<String, fs::Error> {
    fs::read_bounded(path, LARGEST_AUTHORITY).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// What tells one content of a `ca` from another: who agreed to one did not agree to what takes its place.
fn fingerprint(path: &Path) -> String {
    let digits = |text: String| {
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    authority(path).map_or("which cannot be read".to_owned(), |text| format!("sha256 {}", digits(text)))
}

/// The same credentials with each file that was found inside the project named by where it leads now, and fixed there: what
/// a later commit puts there as a link, nobody has agreed to. What a manifest names is fixed since it was read.
fn pinned(project: &Project, mut founds: Founds) -> Founds {
    for found in founds.values_mut().flat_map(BTreeMap::values_mut) {
        if let Some(Source::File { path, fixed, .. }) = &mut found.source
            && path.starts_with(&project.root)
            && !*fixed
        {
            (*path, *fixed) = (fs::real(path), true);
        }
    }
    founds
}

/// Which source each credential of a session uses and whether it has a value, as data.
pub fn told(home: &Home, project: &Project, session: &Session) -> Value {
    let founds = found(home, project, &[session]);
    let mut map = Map::new();
    for (name, found) in founds.into_values().flatten() {
        map.insert(name.clone(), one(&name, found.source.as_ref()));
    }
    if session.egress == Egress::Open { Value::Object(Map::new()) } else { Value::Object(map) }
}

/// The known credentials outside of any project.
pub fn known() -> Value {
    let places = host::places();
    let one = |name: &str| {
        let source = candidates(name, &places).into_iter().find(|source| there(source) == There::Found);
        (name.to_owned(), one(name, source.as_ref()))
    };
    Value::Object(KNOWN.into_iter().map(one).collect())
}

fn one(name: &str, source: Option<&Source>) -> Value {
    let Some(source) = source else {
        let tried: Vec<String> = candidates(name, &host::places()).iter().map(ToString::to_string).collect();
        return json!({ "source": null, "found": false, "reason": format!("looked for at {}", tried.join(", ")) });
    };
    match there(source) {
        There::Found => json!({ "source": source.to_string(), "found": true }),
        There::Missing(reason) => json!({ "source": source.to_string(), "found": false, "reason": reason }),
        There::Untried => {
            json!({ "source": source.to_string(), "found": null, "reason": "it is run when it is needed" })
        }
    }
}
