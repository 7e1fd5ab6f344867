//! What a session's checkout holds that is nowhere else, and its removal.

use crate::daemon::record::Record;
use crate::home::Home;
use crate::manifest::project;
use crate::worktree::error::Error;
use crate::worktree::lost::{self, Loss};
use crate::{fs, worktree};
use std::path::Path;

/// Where a session's checkout is, or what is remembered of one that is part of the user's repository.
pub fn place(record: &Record) -> Option<&Path> {
    let linked = |checkout: &Path| {
        record.kind != project::Checkout::Clone && fs::exists(&checkout.with_extension("json"))
    };
    record.checkout.as_deref().filter(|checkout| fs::exists(checkout) || linked(checkout))
}

/// What the removal of a session's checkout would lose.
pub fn losses(record: &Record) -> Result<Vec<Loss>, Error> {
    let Some(checkout) = place(record) else { return Ok(Vec::new()) };
    match record.parent.as_deref() {
        Some(parent) => lost::would_be_lost(checkout, parent, &record.id),
        None => lost::alone(checkout, &record.excludes),
    }
}

/// Removes a session's checkout.
pub fn remove_checkout(record: &Record) -> Result<(), Error> {
    match (record.checkout.as_deref(), record.parent.as_deref()) {
        (Some(checkout), Some(parent)) => worktree::remove::remove(checkout, parent, &record.id),
        (Some(checkout), None) => worktree::remove::remove_directory(checkout),
        _ => Ok(()),
    }
}

/// Why the checkout of a record is not one that `prune` knows how to remove: a directory of the session's own, beneath
/// our own home, made as this release makes them. What another kind of checkout holds is the user's.
pub fn foreign(home: &Home, record: &Record) -> Option<String> {
    let place = home.session(&record.id).checkout();
    let checkout = self::place(record)?;
    if checkout != place {
        return Some("it is no directory of clauderon's own".to_owned());
    }
    if fs::exists(&place) && !std::fs::symlink_metadata(&place).is_ok_and(|found| found.is_dir()) {
        return Some("it is no directory".to_owned());
    }
    let records = [home.session(&record.id).record(), place.with_extension("json")];
    records.iter().find_map(|path| other_kind(path))
}

/// The kinds that this release knows how to remove; of a shared one the user's working tree stays.
const KNOWN: [&str; 3] = ["clone", "worktree", "shared"];

/// The kind of checkout that a record tells of, where it is none of them.
fn other_kind(record: &Path) -> Option<String> {
    if !fs::exists(record) {
        return None;
    }
    let told = fs::read_to_string(record).ok();
    let told: Option<serde_json::Value> = told.and_then(|text| serde_json::from_str(&text).ok());
    let Some(told) = told else { return Some("what is remembered of it cannot be read".to_owned()) };
    let kinds = ["kind", "checkout_kind", "layout"].iter().filter_map(|name| told.get(name));
    let known = |kind: &&serde_json::Value| kind.as_str().is_some_and(|kind| KNOWN.contains(&kind));
    let mut others = kinds.filter(|kind| !kind.is_null() && !known(kind));
    others.next().map(|kind| format!("it is a checkout of the kind {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_of_another_kind_is_not_ours_to_remove() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("session.json");
        assert_eq!(other_kind(&path), None);
        let of = |text: &str| {
            fs::replace(&path, text.as_bytes(), 0o600).unwrap();
            other_kind(&path)
        };
        assert_eq!(of("{}"), None);
        for known in KNOWN {
            assert_eq!(of(&format!(r#"{{"kind": "{known}"}}"#)), None);
        }
        for other in [r#"{"kind": "copy"}"#, r#"{"layout": "cow"}"#, r#"{"kind": {"x": 1}}"#, "{", ""] {
            assert!(of(other).is_some(), "{other}");
        }
    }
}
