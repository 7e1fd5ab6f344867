//! What `ps` tells of changes that are not done yet: what a running `up` waits for, else what the next one would do.

use super::context::Engine;
use super::status::Status;
use super::{idle, up};
use crate::manifest::effect::Effect;
use crate::manifest::project::Project;
use crate::plan::action;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Fills in what is pending. A plan that cannot be made is no reason to show nothing else.
pub async fn fill(project: Option<&Project>, engine: &Engine, statuses: &mut [Status]) {
    let there = statuses.iter().any(|status| status.container.is_some());
    let mut planned = match project.filter(|_| there) {
        Some(project) => changes(project, engine).await.unwrap_or_default(),
        None => BTreeMap::new(),
    };
    for status in statuses.iter_mut().filter(|status| status.container.is_some()) {
        let waiting = idle::waiting(&engine.home, &status.id);
        status.pending = waiting.or_else(|| planned.remove(&status.id)).unwrap_or_default();
    }
}

/// The changes of a project's sessions that a plan finds, by the sessions' ids.
async fn changes(
    project: &Project,
    engine: &Engine,
) -> Result<BTreeMap<String, Vec<Value>>, crate::error::Error> {
    let plan = up::changes(project, engine).await?;
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for session in plan.sessions {
        let alters = [action::Effect::Live, action::Effect::Restart, action::Effect::Recreate];
        let fields = session.reasons.iter().filter(|reason| reason.effect.is_some());
        if alters.contains(&session.effect) {
            let told = fields.map(|reason| idle::change(reason, &session.effect, "up"));
            all.entry(session.id.clone()).or_default().extend(told);
        }
    }
    for deferred in plan.deferred {
        let what = match deferred.reason.effect {
            Some(Effect::NewCheckout) => "checkout",
            _ => "renew",
        };
        let told = idle::change(&deferred.reason, &"keep", what);
        all.entry(deferred.id).or_default().push(told);
    }
    Ok(all)
}

/// Fills in that the manifest in this directory is not valid: what it asks for is not known, and waits for an edit.
pub fn invalid(root: &str, statuses: &mut [Status]) {
    let change =
        json!({ "field": "manifest", "old": null, "new": null, "effect": null, "waits_for": "edit" });
    for status in statuses.iter_mut().filter(|status| status.root == root && status.pending.is_empty()) {
        status.pending.push(change.clone());
    }
}

/// The strongest of what is pending, and what it waits for, in one cell.
pub fn text(pending: &[Value]) -> String {
    let word = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    let mut cells: Vec<String> = pending
        .iter()
        .map(|change| match change["waits_for"].as_str() {
            Some("idle") => format!("{}, waits for idle", word(change, "effect")),
            Some("up") => format!("{} at `up`", word(change, "effect")),
            Some("edit") => "the manifest is not valid".to_owned(),
            Some("renew") => format!("{} at `up --renew`", word(change, "field")),
            _ => format!("{} at a new checkout", word(change, "field")),
        })
        .collect();
    cells.sort();
    cells.dedup();
    if cells.is_empty() { "-".to_owned() } else { cells.join("; ") }
}
