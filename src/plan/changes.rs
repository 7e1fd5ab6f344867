//! Pure. What the manifest says otherwise than what is there: each field with its old and its new value, fit to be shown.

use super::action::Reason;
use super::observed::{Container, Known};
use crate::manifest::effect::{Effect, of_field};
use crate::proxy::redact::words;
use crate::render::desired::Desired;
use crate::render::fields::{Fields, IMAGE, PROMPT, counts_alone, spec_hash};
use std::collections::BTreeSet;

/// What stands in the place of a value that is not shown.
const HIDDEN: &str = "(hidden)";

/// Every field that differs, by name.
pub fn changes(wanted: &Desired, found: &Container, known: &Known) -> Vec<Reason> {
    let (label, made) = (found.label("spec"), found.fields());
    let mut reasons = Vec::new();
    let hash = spec_hash(&wanted.fields, &wanted.image);
    if label != hash || made.get(IMAGE) != wanted.fields.get(IMAGE) {
        let alone = |name: &str| counts_alone(name, label);
        reasons.extend(differences(&made, &wanted.fields, alone, |effect| effect == Effect::Recreate));
    }
    // What an older release kept on the container holds where the session's record says nothing.
    let mut kept = made;
    kept.retain(|name, _| wanted.kept.contains_key(name));
    kept.extend(known.kept.clone());
    let alone = |name: &str| !known.kept.is_empty() && counts_alone(name, &hash);
    reasons.extend(differences(&kept, &wanted.kept, alone, |effect| effect != Effect::Recreate));
    reasons.sort_by(|left, right| left.field.cmp(&right.field));
    reasons
}

/// The fields that are no part of a container and differ between two states of a session.
pub fn between(old: &Fields, new: &Fields) -> Vec<Reason> {
    differences(old, new, |_| true, |effect| effect != Effect::Recreate)
}

/// The differing fields of the wanted effects. A field that one side lacks differs where it `alone` says so.
fn differences(
    old: &Fields,
    new: &Fields,
    alone: impl Fn(&str) -> bool,
    wanted: impl Fn(Effect) -> bool,
) -> Vec<Reason> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differing = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let both = |name: &String| old.contains_key(name) && new.contains_key(name);
    let counting = differing.filter(|name| both(name) || alone(name));
    let reasons = counting.filter_map(|name| {
        let effect = of_field(name).filter(|effect| wanted(*effect))?;
        let value = |side: &Fields| side.get(name).map(|value| shown(name, value));
        Some(Reason { field: name.clone(), old: value(old), new: value(new), effect: Some(effect) })
    });
    reasons.collect()
}

/// A value as a person may see it: a plan ends up in logs and in front of others.
fn shown(field: &str, value: &str) -> String {
    let begins = |heads: &[&str]| heads.iter().any(|head| field.starts_with(head));
    if begins(&["environment."]) {
        return HIDDEN.to_owned();
    }
    if field == PROMPT || begins(&["agent.args", "labels.", "credentials.", "proxy.hosts."]) {
        return words(value);
    }
    value.to_owned()
}
