//! Pure. Which part of a change of rules only takes away. That part holds at once; the rest waits for `up`.

use super::rules::{Rules, fits, is_plain};
use crate::manifest::host::most_specific;
use crate::manifest::project::{Access, Host, HostAccess, Rule};
use std::collections::BTreeSet;

/// Stands for every label that no name has: what is said of it is said of all names that only a pattern fits.
const ANY: &str = "\u{1}";

/// The old rules with everything of the wanted ones that only takes away. They never pass a request that the old ones
/// refuse, and dial nothing that the old ones did not.
pub fn narrowed(old: &Rules, wanted: &Rules) -> Rules {
    let mut now = old.clone();
    let capped = Rules { access: wanted.access, ..now.clone() };
    if is_narrower(&now, &capped) {
        now = capped;
    }
    // As a whole, where that is possible: `*: false` beside a new name is no reason to take that name away.
    let whole = Rules { hosts: wanted.hosts.clone(), ..now.clone() };
    if is_narrower(&now, &whole) {
        return whole;
    }
    let mut keys: Vec<&String> = now.hosts.keys().chain(wanted.hosts.keys()).collect();
    // Names before patterns, long ones before short ones: what a pattern is to take away, its exceptions keep.
    keys.sort_by_key(|key| (key.starts_with('*'), std::cmp::Reverse(key.len())));
    keys.dedup();
    let keys: Vec<String> = keys.into_iter().cloned().collect();
    for key in keys {
        let mut next = now.clone();
        match wanted.hosts.get(&key) {
            Some(host) => drop(next.hosts.insert(key, host.clone())),
            None => drop(next.hosts.remove(&key)),
        }
        if is_narrower(&now, &next) {
            now = next;
        }
    }
    now
}

/// Whether the new rules can be told to pass nothing that the old ones refuse. What is not sure is a no.
pub fn is_narrower(old: &Rules, new: &Rules) -> bool {
    let capped = new.access == Access::ReadOnly || old.access == Access::ReadWrite;
    let names = old.hosts.keys().chain(new.hosts.keys()).chain(&old.models);
    // Two names of which the same keys are the most specific are treated alike: one of each kind is enough.
    let probes: BTreeSet<String> =
        names.map(|name| name.replacen('*', ANY, 1)).chain([ANY.to_owned()]).collect();
    capped && old.models == new.models && probes.iter().all(|probe| covers_at(old, new, probe))
}

/// What the rules say of a name; nothing is said of a model by a pattern.
fn said<'a>(rules: &'a Rules, name: &str) -> Option<&'a Host> {
    let model = rules.models.contains(name);
    most_specific(&rules.hosts, name).filter(|(key, _)| !model || *key == name).map(|(_, host)| host)
}

fn covers_at(old: &Rules, new: &Rules, name: &str) -> bool {
    let free = Host { rules: vec![Rule::default()], ..Host::default() };
    let (before, after) = (said(old, name).unwrap_or(&free), said(new, name).unwrap_or(&free));
    if after.rules.is_empty() {
        return true;
    }
    let dialled = |rules: &Rules| {
        most_specific(&rules.hosts, name)
            .map(|(_, host)| (host.address.clone(), host.ca.clone()))
            .unwrap_or_default()
    };
    dialled(old) == dialled(new)
        && is_tunnel(before) == is_tunnel(after)
        && after.rules.iter().all(|rule| before.rules.iter().any(|wider| covers(wider, rule)))
}

fn is_tunnel(host: &Host) -> bool {
    host.rules.iter().any(|rule| rule.access == HostAccess::Tunnel)
}

/// Whether a rule allows everything that another does, as far as that can be told.
pub fn covers(wider: &Rule, rule: &Rule) -> bool {
    let access = wider.access == rule.access
        || (wider.access == HostAccess::ReadWrite && rule.access == HostAccess::ReadOnly);
    let methods = wider.methods.as_ref().is_none_or(|all| {
        rule.methods.as_ref().is_some_and(|methods| methods.iter().all(|method| all.contains(method)))
    });
    let literal = |path: &str| !path.contains('*') && is_plain(path);
    let path = |all: &[String], path: &String| {
        all.contains(path) || (literal(path) && all.iter().any(|pattern| fits(pattern, path)))
    };
    let paths = wider
        .paths
        .as_ref()
        .is_none_or(|all| rule.paths.as_ref().is_some_and(|paths| paths.iter().all(|one| path(all, one))));
    access && methods && paths
}

#[cfg(test)]
#[path = "narrow_tests.rs"]
mod tests;
