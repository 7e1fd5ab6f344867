//! `plan`: what `up` would do, and why.

use super::args::{Format, Plan as Args};
use super::up::{self, Asked, count};
use super::{Code, context, output};
use crate::error::Error;
use crate::plan::action::{Deferred, Effect, Plan, Reason, SessionPlan};
use crate::plan::images::Fetch;
use crate::plan::up::Options;
use serde_json::{Value, json};
use std::path::PathBuf;

/// `clauderon plan`.
pub async fn run(file: &[PathBuf], args: &Args) -> Result<Code, Error> {
    let project = context::project(file)?;
    let asked = Asked { names: &args.sessions, options: Options::default(), fetch: None };
    let planned = up::planned(&project, &asked).await?;
    print(planned.plan(), args.format);
    Ok(if args.exit_code && !planned.plan().is_empty() { 5 } else { 0 })
}

/// Says before `up` does it what happens to sessions that are there, and why.
pub fn say(plan: &Plan) {
    let changed = plan.sessions.iter().filter(|session| session.effect != Effect::Create);
    changed.for_each(|session| output::say(&session.to_string()));
    plan.deferred.iter().for_each(|deferred| output::say(&deferred.to_string()));
    plan.notes.iter().for_each(|note| output::say(&format!("note: {note}")));
}

/// Prints a plan.
pub fn print(plan: &Plan, format: Format) {
    match format {
        Format::Json => {
            let images = plan.images.iter().flat_map(image_actions);
            let actions = images.chain(plan.sessions.iter().flat_map(actions));
            let actions: Vec<_> = actions.chain(plan.deferred.iter().map(kept)).collect();
            let mut summary = format!("{} to change", count(plan.sessions.len()));
            if !plan.images.is_empty() {
                summary.push_str(&format!(", images to get: {}", plan.images.len()));
            }
            output::data(&format!("{:#}\n", json!({ "actions": actions, "summary": summary })));
        }
        Format::Text if !plan.is_empty() => output::data(&plan.to_string()),
        Format::Text if plan.images.is_empty() => output::data(&format!("{plan}nothing to do\n")),
        Format::Text => output::data(&format!("{plan}nothing else to do, unless the image has changed\n")),
    }
}

/// The actions for an image: one a session.
fn image_actions(fetch: &Fetch) -> Vec<Value> {
    let one = |session| {
        json!({
            "op": fetch.op, "session": session, "target": fetch.reference,
            "reason": { "field": fetch.reason, "old": null, "new": null }, "effect": "create",
        })
    };
    fetch.sessions.iter().map(one).collect()
}

/// The actions of a session as the JSON of `plan`: one a reason, with the effect of its field.
fn actions(session: &SessionPlan) -> Vec<Value> {
    let one = |reason: &Reason| {
        let effect = reason.effect.map_or_else(|| json!(session.effect), |effect| json!(effect));
        json!({
            "op": session.effect, "session": session.session, "target": session.id, "reason": reason,
            "effect": effect, "waits_for": session.waits.then_some("idle"),
        })
    };
    session.reasons.iter().map(one).collect()
}

/// A change that leaves what is there alone.
fn kept(deferred: &Deferred) -> Value {
    let Deferred { session, id, reason } = deferred;
    json!({
        "op": "keep", "session": session, "target": id, "reason": reason, "effect": reason.effect,
        "waits_for": null,
    })
}
