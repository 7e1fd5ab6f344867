//! Which changes take away, and that none of them gives.

use super::*;
use crate::proxy::rules::{Request, Ruling};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Rules in few words: `read-only; * false; a.dev GET /x, POST /y; b.dev at 10.0.0.5:1`.
fn rules(text: &str) -> Rules {
    let mut rules = Rules { models: BTreeSet::from(["m.dev".to_owned()]), ..Rules::default() };
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once(' ') {
            None => rules.access = Access::ReadOnly,
            Some((name, said)) => drop(rules.hosts.insert(name.to_owned(), host(said))),
        }
    }
    rules
}

fn host(text: &str) -> Host {
    let mut host = Host::default();
    for item in text.split(',').map(str::trim).filter(|item| *item != "false") {
        let mut rule = Rule::default();
        for word in item.split(' ') {
            match word {
                "true" => {}
                "read-only" => rule.access = HostAccess::ReadOnly,
                "tunnel" => rule.access = HostAccess::Tunnel,
                _ if word.starts_with('/') => rule.paths.get_or_insert_default().push(word.to_owned()),
                _ if word.starts_with('@') => host.address = Some(word.to_owned()),
                _ => rule.methods.get_or_insert_default().push(word.to_owned()),
            }
        }
        host.rules.push(rule);
    }
    host
}

/// The old rules, the wanted ones, and what holds at once; `all` and `none` are the wanted and the old ones.
const TABLE: &[(&str, &str, &str)] = &[
    ("", "a.dev false", "all"),
    ("", "read-only", "all"),
    ("read-only", "", "none"),
    ("a.dev false", "", "none"),
    ("a.dev false", "a.dev true", "none"),
    ("a.dev false", "a.dev read-only", "none"),
    ("a.dev true", "a.dev read-only", "all"),
    ("a.dev read-only", "a.dev true", "none"),
    ("a.dev true", "a.dev GET, POST", "all"),
    ("a.dev GET POST", "a.dev GET", "all"),
    ("a.dev GET", "a.dev GET POST", "none"),
    ("a.dev GET", "a.dev read-only", "none"),
    ("a.dev true", "a.dev /x", "all"),
    ("a.dev /x/**", "a.dev /x/y", "all"),
    ("a.dev /x/*", "a.dev /x/y/z", "none"),
    ("a.dev /x/y", "a.dev /x/**", "none"),
    ("a.dev GET /x, POST /y", "a.dev POST /y", "all"),
    ("a.dev GET /x, POST /y", "a.dev GET /y", "none"),
    // A name of its own is an exception: without it, the pattern holds.
    ("* false; a.dev true", "* false", "all"),
    ("a.dev read-only", "", "none"),
    ("* false", "* false; a.dev true", "none"),
    ("*.dev false; a.dev true", "a.dev true", "none"),
    ("", "* false; a.dev true", "all"),
    ("", "*.dev false; * read-only", "all"),
    // What gives and what takes away in one edit: the second holds, the first waits.
    ("a.dev true; b.dev false", "a.dev false; b.dev true", "a.dev false; b.dev false"),
    ("read-only; a.dev true", "a.dev false", "read-only; a.dev false"),
    ("x.dev false", "* false; a.dev true; x.dev true", "* false; a.dev true; x.dev false"),
    // Another place, and bytes that nobody sees or that are seen now, are never less.
    ("a.dev true", "a.dev true @10.0.0.5:1", "none"),
    ("a.dev true @10.0.0.5:1", "a.dev true", "none"),
    ("a.dev true @10.0.0.5:1", "", "none"),
    ("a.dev true @10.0.0.5:1", "a.dev read-only @10.0.0.5:1", "all"),
    ("a.dev true @10.0.0.5:1", "a.dev false", "all"),
    ("*.dev true @10.0.0.5:1", "*.dev true @10.0.0.5:1; a.dev read-only", "none"),
    ("a.dev true", "a.dev tunnel", "none"),
    ("a.dev tunnel", "a.dev read-only", "none"),
    ("a.dev tunnel", "a.dev false", "all"),
    // No pattern and no cap is said of a model.
    ("m.dev read-only; * false", "* false", "none"),
    ("", "m.dev false", "all"),
];

#[test]
fn what_takes_away_holds_and_the_rest_waits() {
    for (old, wanted, expected) in TABLE {
        let expected = match *expected {
            "all" => rules(wanted),
            "none" => rules(old),
            other => rules(other),
        };
        assert_eq!(narrowed(&rules(old), &rules(wanted)), expected, "{old} → {wanted}");
    }
}

#[test]
fn another_set_of_models_is_another_agent() {
    let (old, mut wanted) = (rules(""), rules("a.dev false"));
    wanted.models.clear();
    assert!(!is_narrower(&old, &wanted));
    assert_eq!(narrowed(&old, &wanted).models, old.models);
}

const NAMES: [&str; 8] = ["*", "*.dev", "*.a.dev", "a.dev", "b.a.dev", "c.org", "m.dev", "*.org"];
const HOSTS: [&str; 11] = [
    "a.dev",
    "b.a.dev",
    "c.b.a.dev",
    "dev",
    "x.dev",
    "c.org",
    "d.org",
    "org",
    "m.dev",
    "n.m.dev",
    "10.0.0.1",
];
const PATHS: [&str; 6] = ["/x", "/x/**", "/x/*", "/x/y", "/**/y", "/x/*/z"];

fn any_rule() -> impl Strategy<Value = Rule> {
    let access = prop_oneof![
        3 => Just(HostAccess::ReadWrite), 3 => Just(HostAccess::ReadOnly), 1 => Just(HostAccess::Tunnel)
    ];
    let methods = prop::sample::subsequence(vec!["GET", "POST", "DELETE"], 0..3);
    let paths = prop::sample::subsequence(PATHS.to_vec(), 0..3);
    let list = |words: Vec<&str>| (!words.is_empty()).then(|| words.into_iter().map(str::to_owned).collect());
    (access, methods, paths).prop_map(move |(access, methods, paths)| Rule {
        access,
        methods: list(methods),
        paths: list(paths),
    })
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let address = prop_oneof![6 => Just(None), 1 => Just(Some("10.0.0.5:1".to_owned()))];
    let host = (prop::collection::vec(any_rule(), 0..3), address).prop_map(|(rules, address)| Host {
        rules,
        address,
        ..Host::default()
    });
    let hosts = prop::collection::btree_map(prop::sample::select(NAMES.to_vec()), host, 0..5);
    (hosts, any::<bool>()).prop_map(|(hosts, capped)| Rules {
        access: if capped { Access::ReadOnly } else { Access::ReadWrite },
        hosts: hosts.into_iter().map(|(name, host)| (name.to_owned(), host)).collect::<BTreeMap<_, _>>(),
        models: BTreeSet::from(["m.dev".to_owned()]),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_passes_that_was_refused(
        old in any_rules(),
        wanted in any_rules(),
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE", "CONNECT", "get"]),
        path in prop_oneof!["(/[xyz]){1,3}", Just("/x/../y".to_owned()), Just("/a/git-upload-pack".to_owned())],
        query in prop_oneof![Just(None), Just(Some("service=git-receive-pack"))],
    ) {
        let now = narrowed(&old, &wanted);
        for host in HOSTS {
            let request = Request { host, method, path: &path, query };
            let (before, after) = (old.rule(&request), now.rule(&request));
            let given = matches!(before, Ruling::Refuse(_)) && !matches!(after, Ruling::Refuse(_));
            prop_assert!(!given, "{request:?}: {before:?} became {after:?} by {now:?}");
            let unseen = after == Ruling::Tunnel && before != Ruling::Tunnel;
            prop_assert!(!unseen, "{request:?} became a tunnel by {now:?}");
            let dialled = |rules: &Rules| most_specific(&rules.hosts, host).and_then(|(_, it)| it.address.clone());
            let refused = matches!(now.rule(&Request { method: "CONNECT", ..request }), Ruling::Refuse(_));
            prop_assert!(refused || dialled(&old) == dialled(&now), "{host} is dialled elsewhere by {now:?}");
        }
        prop_assert!(is_narrower(&old, &now));
    }
}
