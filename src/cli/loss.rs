//! What a session's checkout holds that is nowhere else, and its removal.

use crate::daemon::record::Record;
use crate::home::Home;
use crate::worktree::error::Error;
use crate::worktree::lost::{self, Loss};
use crate::{fs, worktree};
use std::path::Path;

/// What the removal of a session's checkout would lose.
pub fn losses(record: &Record) -> Result<Vec<Loss>, Error> {
    let Some(checkout) = record.checkout.as_deref().filter(|checkout| fs::exists(checkout)) else {
        return Ok(Vec::new());
    };
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
    let checkout = record.checkout.as_deref().filter(|checkout| fs::exists(checkout))?;
    if checkout != place {
        return Some("it is no directory of clauderon's own".to_owned());
    }
    if !std::fs::symlink_metadata(&place).is_ok_and(|found| found.is_dir()) {
        return Some("it is no directory".to_owned());
    }
    let records = [home.session(&record.id).record(), place.with_extension("json")];
    records.iter().find_map(|path| other_kind(path))
}

/// The kind of checkout that a record tells of, where it is not the one that is removed whole.
fn other_kind(record: &Path) -> Option<String> {
    if !fs::exists(record) {
        return None;
    }
    let told = fs::read_to_string(record).ok();
    let told: Option<serde_json::Value> = told.and_then(|text| serde_json::from_str(&text).ok());
    let Some(told) = told else { return Some("what is remembered of it cannot be read".to_owned()) };
    let kinds = ["kind", "checkout_kind", "layout"].iter().filter_map(|name| told.get(name));
    let mut others = kinds.filter(|kind| !kind.is_null() && *kind != "clone");
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
        assert_eq!(of(r#"{"kind": "clone"}"#), None);
        for other in [r#"{"kind": "shared"}"#, r#"{"layout": "worktree"}"#, r#"{"kind": {"x": 1}}"#, "{", ""]
        {
            assert!(of(other).is_some(), "{other}");
        }
    }
}
