//! Pure. A session's record with that part of an edit of its manifest that only takes away.

use super::record::Record;
use crate::credential::lending::Lending;
use crate::credential::narrow as lent;
use crate::manifest::host::most_specific;
use crate::manifest::project::Budget;
use crate::proxy::narrow as ruled;
use crate::proxy::rules::Rules;
use crate::render::fields::Fields;
use std::collections::{BTreeMap, BTreeSet};

/// What the manifest says now of what is live.
pub struct Wanted<'a> {
    /// What may be done where.
    pub rules: &'a Rules,
    /// What is lent, from where it was lent so far.
    pub credentials: &'a [Lending],
    /// What may be asked of the model.
    pub budget: Budget,
    /// The fields that are no part of a container.
    pub kept: &'a Fields,
}

/// The record with what only takes away. Its fields say what holds: what waits for `up` is still another than wanted.
pub fn narrowed(before: &Record, wanted: &Wanted<'_>) -> Record {
    let rules = ruled::narrowed(&before.rules, wanted.rules);
    let credentials = lent::narrowed(&before.credentials, wanted.credentials);
    let budget = smaller(before.budget, wanted.budget);
    let mut fields = before.fields.clone();
    // A release that kept no fields made this record: a plan finds differences without them.
    if !fields.is_empty() {
        let limits = limits(before.budget, budget, wanted.budget);
        for field in changed(before, &rules, &credentials, wanted.credentials).into_iter().chain(limits) {
            match wanted.kept.get(&field) {
                Some(value) => drop(fields.insert(field, value.clone())),
                None => drop(fields.remove(&field)),
            }
        }
    }
    Record { authorities: authorities(before, &rules), rules, credentials, budget, fields, ..before.clone() }
}

/// The smaller of two budgets, limit by limit. Those of different periods are not held against each other.
fn smaller(before: Budget, wanted: Budget) -> Budget {
    if !before.limits() {
        return wanted;
    }
    if before.per != wanted.per {
        return before;
    }
    let least = |before: Option<u64>, wanted: Option<u64>| before.into_iter().chain(wanted).min();
    Budget {
        tokens: least(before.tokens, wanted.tokens),
        requests: least(before.requests, wanted.requests),
        per: before.per,
    }
}

/// The fields of the limits that changed: they hold as wanted.
fn limits(before: Budget, now: Budget, wanted: Budget) -> Vec<String> {
    let fields = [
        ("budget.tokens", before.tokens != now.tokens),
        ("budget.requests", before.requests != now.requests),
        ("budget.per", before != now && now == wanted),
    ];
    fields.into_iter().filter(|(_, changed)| *changed).map(|(field, _)| field.to_owned()).collect()
}

/// The fields of what changed. A host whose key holds as wanted has changed as its field says.
fn changed(before: &Record, rules: &Rules, now: &[Lending], wanted: &[Lending]) -> BTreeSet<String> {
    let mut changed = BTreeSet::new();
    if before.rules.access != rules.access {
        changed.insert("proxy.access".to_owned());
    }
    let names = before.rules.hosts.keys().chain(rules.hosts.keys());
    let differs = |name: &&String| before.rules.hosts.get(*name) != rules.hosts.get(*name);
    changed.extend(names.filter(differs).map(|name| format!("proxy.hosts.{name}")));
    for lending in &before.credentials {
        let after = now.iter().find(|after| after.name == lending.name);
        let keys: &[&str] = match after {
            None => &["access", "from", "header", "host", "methods", "paths", "value"],
            Some(after) if after != lending && wanted.contains(after) => &["access", "methods", "paths"],
            Some(_) => &[],
        };
        changed.extend(keys.iter().map(|key| format!("credentials.{}.{key}", lending.name)));
    }
    changed
}

/// The certificates that were believed already: of a new name, those of the pattern that it stood under.
fn authorities(before: &Record, rules: &Rules) -> BTreeMap<String, String> {
    let of = |name: &String| {
        let (key, _) = most_specific(&before.rules.hosts, name)?;
        before.authorities.get(key).cloned()
    };
    let named = rules.hosts.iter().filter(|(_, host)| host.ca.is_some() && !host.rules.is_empty());
    named.filter_map(|(name, _)| Some((name.clone(), of(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::project::{Access, Host, Rule};
    use serde_json::json;

    fn record() -> Record {
        let record = json!({
            "id": "a", "project": "p", "root": "/p", "session": "s", "container": "c", "parent": null,
            "branch": null, "checkout": null, "active": true, "conversation": 1,
        });
        serde_json::from_value(record).unwrap()
    }

    fn fields(of: &[(&str, &str)]) -> Fields {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_smaller_budget_holds_limit_by_limit_and_never_a_larger_one() {
        use crate::manifest::project::Period::{self, Conversation, Day};
        let of = |tokens, requests, per: Period| Budget { tokens, requests, per };
        let none = Budget::default();
        for (before, wanted, expected, changed) in [
            (of(Some(9), None, Day), of(Some(5), None, Day), of(Some(5), None, Day), vec!["tokens", "per"]),
            (of(Some(5), None, Day), of(Some(9), None, Day), of(Some(5), None, Day), vec![]),
            (of(Some(5), None, Day), none, of(Some(5), None, Day), vec![]),
            (none, of(Some(5), Some(6), Day), of(Some(5), Some(6), Day), vec!["tokens", "requests", "per"]),
            // One is taken, the other waits.
            (of(Some(5), None, Day), of(Some(9), Some(3), Day), of(Some(5), Some(3), Day), vec!["requests"]),
            // What is less by the day may be more by the conversation.
            (of(Some(5), None, Day), of(Some(1), None, Conversation), of(Some(5), None, Day), vec![]),
        ] {
            let now = smaller(before, wanted);
            assert_eq!(now, expected, "{before:?} {wanted:?}");
            let fields: Vec<String> = changed.iter().map(|field| format!("budget.{field}")).collect();
            assert_eq!(limits(before, now, wanted), fields, "{before:?} {wanted:?}");
        }
    }

    #[test]
    fn fields_say_what_holds_and_what_waits_differs() {
        let open = Host { rules: vec![Rule::default()], ..Host::default() };
        let mut before = record();
        before.rules.hosts = BTreeMap::from([("b.dev".to_owned(), Host::default())]);
        before.fields =
            fields(&[("proxy.access", "read-write"), ("proxy.hosts.b.dev", "false"), ("prompt", "x")]);
        let hosts = [("a.dev".to_owned(), Host::default()), ("b.dev".to_owned(), open)];
        let rules = Rules { access: Access::ReadOnly, hosts: hosts.into(), ..Rules::default() };
        let kept = fields(&[
            ("proxy.access", "read-only"),
            ("proxy.hosts.a.dev", "false"),
            ("proxy.hosts.b.dev", "read-write"),
            ("prompt", "y"),
        ]);
        let budget = Budget::default();
        let after = narrowed(&before, &Wanted { rules: &rules, credentials: &[], budget, kept: &kept });
        let expected = fields(&[
            ("proxy.access", "read-only"),
            ("proxy.hosts.a.dev", "false"),
            ("proxy.hosts.b.dev", "false"),
            ("prompt", "x"),
        ]);
        assert_eq!(after.fields, expected);
        assert!(after.rules.hosts["b.dev"].rules.is_empty() && after.rules.access == Access::ReadOnly);
        assert_eq!(Record { rules: before.rules.clone(), fields: before.fields.clone(), ..after }, before);
    }
}
