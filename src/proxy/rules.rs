//! Pure. What a session may do where: `proxy.hosts` and `proxy.access` of the manifest, held against one request.
//! What cannot be told from a request is not allowed.

use crate::manifest::host::most_specific;
use crate::manifest::project::{Access, Host, HostAccess, Rule};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Methods that only read.
const READING: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

/// The rules of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The cap on every host but the model's.
    pub access: Access,
    /// What is said by name and by pattern.
    pub hosts: BTreeMap<String, Host>,
    /// Where the session's agent reaches its model: allowed unless named itself, and under no cap.
    pub models: BTreeSet<String>,
}

/// A request whose destination is settled.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The destination's name, in lower case, or its address.
    pub host: &'a str,
    /// The method; `CONNECT` before anything is known of what travels inside.
    pub method: &'a str,
    /// The path, as it was sent.
    pub path: &'a str,
    /// The query, as it was sent.
    pub query: Option<&'a str>,
}

/// What the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It passes.
    Pass,
    /// Bytes pass that nobody looks at.
    Tunnel,
    /// It does not, for this reason.
    Refuse(Broken),
}

/// A rule that a request breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The key of the manifest, such as `proxy.hosts."*"`.
    pub rule: String,
    /// Where it stands, such as `clauderon.yaml:12`; empty for what holds by default.
    pub place: String,
    /// What it says.
    pub says: String,
    /// What to change.
    pub help: String,
}

impl Rules {
    /// Holds the rules against a request.
    pub fn rule(&self, request: &Request<'_>) -> Ruling {
        let model = self.models.contains(request.host);
        let found =
            most_specific(&self.hosts, request.host).filter(|(name, _)| !model || *name == request.host);
        let Some((name, host)) = found else {
            return self.capped(request, model).map_or(Ruling::Pass, Ruling::Refuse);
        };
        if host.rules.is_empty() {
            return Ruling::Refuse(forbidden(name, host, request));
        }
        if host.rules.iter().any(|rule| rule.access == HostAccess::Tunnel) {
            return if request.method == "CONNECT" { Ruling::Tunnel } else { Ruling::Pass };
        }
        if request.method == "CONNECT" {
            return Ruling::Pass;
        }
        if let Some(broken) = self.capped(request, model) {
            return Ruling::Refuse(broken);
        }
        if host.rules.iter().any(|rule| allows(rule, request)) {
            return Ruling::Pass;
        }
        Ruling::Refuse(unfit(name, host, request))
    }

    fn capped(&self, request: &Request<'_>, model: bool) -> Option<Broken> {
        let free = model || self.access == Access::ReadWrite || request.method == "CONNECT" || reads(request);
        (!free).then(|| Broken {
            rule: "proxy.access".to_owned(),
            place: String::new(),
            says: "`read-only`, and this request may change something".to_owned(),
            help: "`proxy: {access: read-write}` lifts the cap of all hosts".to_owned(),
        })
    }
}

/// Whether a request only reads: by its method, or because it is git's fetch.
fn reads(request: &Request<'_>) -> bool {
    let pushes = || request.query.is_some_and(|query| query.contains("git-receive-pack"));
    let fetches =
        || request.method == "POST" && is_plain(request.path) && request.path.ends_with("/git-upload-pack");
    (READING.contains(&request.method) && !pushes()) || fetches()
}

/// Whether a rule allows a request.
pub fn allows(rule: &Rule, request: &Request<'_>) -> bool {
    let access = rule.access == HostAccess::ReadWrite || reads(request);
    let method =
        rule.methods.as_ref().is_none_or(|methods| methods.iter().any(|method| method == request.method));
    let path = rule.paths.as_ref().is_none_or(|paths| {
        is_plain(request.path) && paths.iter().any(|pattern| fits(pattern, request.path))
    });
    access && method && path
}

/// Whether a path can be read in one way only: servers differ in what they make of the rest.
pub(super) fn is_plain(path: &str) -> bool {
    let odd = |byte: u8| byte == b'%' || byte == b'\\' || byte == b';' || !byte.is_ascii_graphic();
    path.starts_with('/')
        && !path.bytes().any(odd)
        && !path.contains("//")
        && !path.split('/').any(|segment| segment == "." || segment == "..")
}

/// Whether a path fits a pattern: `*` is anything within a segment, `**` any number of segments.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    // fitting[n]: whether the patterns so far fit the first n segments.
    let mut fitting = vec![false; path.len() + 1];
    fitting[0] = true;
    for segment in pattern {
        let mut next = vec![false; path.len() + 1];
        for n in 0..=path.len() {
            next[n] = if segment == "**" {
                fitting[n] || (n > 0 && next[n - 1])
            } else {
                n > 0 && fitting[n - 1] && segment_fits(segment.as_bytes(), path[n - 1].as_bytes())
            };
        }
        fitting = next;
    }
    fitting[path.len()]
}

fn segment_fits(pattern: &[u8], segment: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last `*` stood, and what it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while from < segment.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == segment[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, from) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

fn key(name: &str) -> String {
    format!("proxy.hosts.\"{name}\"")
}

fn forbidden(name: &str, host: &Host, request: &Request<'_>) -> Broken {
    Broken {
        rule: key(name),
        place: host.place.clone(),
        says: "`false`: nothing is allowed there".to_owned(),
        help: format!("`proxy: {{hosts: {{\"{}\": true}}}}` allows it", request.host),
    }
}

fn unfit(name: &str, host: &Host, request: &Request<'_>) -> Broken {
    let what = match host.rules.as_slice() {
        [rule] if rule.access == HostAccess::ReadOnly && !reads(request) => {
            "`read-only`, and this request may change something"
        }
        [rule]
            if rule.methods.as_ref().is_some_and(|methods| !methods.iter().any(|m| m == request.method)) =>
        {
            "other methods alone"
        }
        [_] if !is_plain(request.path) => "paths, and this one can be read in more than one way",
        [_] => "other paths alone",
        _ => "rules that this request fits none of",
    };
    Broken {
        rule: key(name),
        place: host.place.clone(),
        says: what.to_owned(),
        help: "widen the rule, or add one: of a list any item may allow".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(hosts: &[(&str, &[Rule])], access: Access) -> Rules {
        let host =
            |rules: &[Rule]| Host { rules: rules.to_vec(), place: "c.yaml:1".to_owned(), ..Host::default() };
        Rules {
            access,
            hosts: hosts.iter().map(|(name, rules)| ((*name).to_owned(), host(rules))).collect(),
            models: BTreeSet::from(["api.anthropic.com".to_owned()]),
        }
    }

    fn rule(access: HostAccess, methods: &[&str], paths: &[&str]) -> Rule {
        let list = |words: &[&str]| {
            (!words.is_empty()).then(|| words.iter().map(|word| (*word).to_owned()).collect())
        };
        Rule { access, methods: list(methods), paths: list(paths) }
    }

    fn passes(rules: &Rules, text: &str) -> bool {
        let mut words = text.split(' ');
        let (method, host, target) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or(""));
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        !matches!(rules.rule(&Request { host, method, path, query }), Ruling::Refuse(_))
    }

    #[test]
    fn the_most_specific_name_wins() {
        let open = [Rule::default()];
        let rules = rules(
            &[("*", &[]), ("*.acme.dev", &open), ("*.secret.acme.dev", &[]), ("a.secret.acme.dev", &open)],
            Access::ReadWrite,
        );
        for (host, expected) in [
            ("acme.dev", false),
            ("x.acme.dev", true),
            ("y.x.acme.dev", true),
            ("secret.acme.dev", true),
            ("b.secret.acme.dev", false),
            ("a.secret.acme.dev", true),
            ("b.a.secret.acme.dev", false),
            ("xacme.dev", false),
            ("acme.dev.evil.org", false),
            ("10.0.0.1", false),
            // The model is reached whatever `*` says.
            ("api.anthropic.com", true),
            ("x.api.anthropic.com", false),
        ] {
            assert_eq!(passes(&rules, &format!("GET {host} /")), expected, "{host}");
            assert_eq!(passes(&rules, &format!("CONNECT {host}")), expected, "{host}");
        }
    }

    #[test]
    fn read_only_leaves_reading_and_gits_fetch() {
        let capped = rules(&[("w.dev", &[rule(HostAccess::ReadWrite, &[], &[])])], Access::ReadOnly);
        let one = rules(&[("w.dev", &[rule(HostAccess::ReadOnly, &[], &[])])], Access::ReadWrite);
        for rules in [capped, one] {
            for (text, expected) in [
                ("GET w.dev /", true),
                ("HEAD w.dev /", true),
                ("OPTIONS w.dev /", true),
                ("POST w.dev /", false),
                ("PUT w.dev /", false),
                ("DELETE w.dev /", false),
                ("QUERY w.dev /", false),
                ("get w.dev /", false),
                ("CONNECT w.dev", true),
                ("GET w.dev /a.git/info/refs?service=git-upload-pack", true),
                ("POST w.dev /a.git/git-upload-pack", true),
                ("GET w.dev /a.git/info/refs?service=git-receive-pack", false),
                ("POST w.dev /a.git/git-receive-pack", false),
                ("POST w.dev /a.git/git-receive-pack/../git-upload-pack", false),
                ("POST w.dev /a.git/git-receive-pack%2f../git-upload-pack", false),
                ("POST api.anthropic.com /v1/messages", true),
            ] {
                assert_eq!(passes(&rules, text), expected, "{text}");
            }
        }
    }

    #[test]
    fn methods_and_paths_hold_together_and_any_rule_of_a_list_allows() {
        let rules = rules(
            &[(
                "api.dev",
                &[
                    rule(HostAccess::ReadWrite, &["POST"], &["/v1/search", "/v1/jobs/*/start"]),
                    rule(HostAccess::ReadOnly, &[], &["/docs/**"]),
                ],
            )],
            Access::ReadWrite,
        );
        for (text, expected) in [
            ("POST api.dev /v1/search", true),
            ("POST api.dev /v1/search?q=%2e%2e", true),
            ("GET api.dev /v1/search", false),
            ("POST api.dev /v1/search/", false),
            ("POST api.dev /v1/jobs/7/start", true),
            ("POST api.dev /v1/jobs/7/8/start", false),
            ("POST api.dev /v1/jobs//start", false),
            ("GET api.dev /docs/a/b/c", true),
            ("GET api.dev /docs", true),
            ("GET api.dev /docs/../v1/secret", false),
            ("GET api.dev /docs/%2e%2e/v1/secret", false),
            ("GET api.dev /docs/..;/v1/secret", false),
            ("GET api.dev /docs\\..\\v1", false),
            ("DELETE api.dev /docs/a", false),
        ] {
            assert_eq!(passes(&rules, text), expected, "{text}");
        }
    }

    #[test]
    fn a_refusal_says_which_rule_and_where() {
        let rules = rules(&[("*", &[])], Access::ReadWrite);
        let asked = Request { host: "evil.org", method: "GET", path: "/", query: None };
        let Ruling::Refuse(broken) = rules.rule(&asked) else { panic!("it passes") };
        assert_eq!((broken.rule.as_str(), broken.place.as_str()), ("proxy.hosts.\"*\"", "c.yaml:1"));
        assert!(broken.help.contains("evil.org"));
    }

    #[test]
    fn a_tunnel_is_one_only_before_anything_is_seen() {
        let rules = rules(&[("t.dev", &[rule(HostAccess::Tunnel, &[], &[])])], Access::ReadOnly);
        let asked = |method| Request { host: "t.dev", method, path: "/", query: None };
        assert_eq!(rules.rule(&asked("CONNECT")), Ruling::Tunnel);
    }

    /// The pattern as a regular expression would have it, by brute force.
    fn fits_slowly(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], rest) => rest.is_empty(),
            (["**", rest @ ..], path) => (0..=path.len()).any(|n| fits_slowly(rest, &path[n..])),
            ([one, rest @ ..], [segment, others @ ..]) => {
                glob_slowly(one, segment) && fits_slowly(rest, others)
            }
            _ => false,
        }
    }

    fn glob_slowly(pattern: &str, text: &str) -> bool {
        match pattern.chars().next() {
            None => text.is_empty(),
            Some('*') => (0..=text.len()).any(|n| glob_slowly(&pattern[1..], &text[n..])),
            Some(letter) => text.starts_with(letter) && glob_slowly(&pattern[1..], &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn patterns_mean_what_brute_force_says(
            pattern in prop::collection::vec(prop_oneof![Just("**".to_owned()), "[ab*]{1,4}"], 1..5),
            path in prop::collection::vec("[ab]{0,4}", 1..6),
        ) {
            let (pattern, path) = (format!("/{}", pattern.join("/")), format!("/{}", path.join("/")));
            let slow = fits_slowly(
                &pattern.split('/').collect::<Vec<_>>(),
                &path.split('/').collect::<Vec<_>>(),
            );
            prop_assert_eq!(fits(&pattern, &path), slow, "{} {}", pattern, path);
        }

        #[test]
        fn arbitrary_requests_never_panic(host in ".{0,20}", method in ".{0,8}", path in ".{0,40}", query in ".{0,9}") {
            let rules = rules(&[("*.a", &[rule(HostAccess::ReadOnly, &["GET"], &["/**/x*y"])])], Access::ReadOnly);
            let _ = rules.rule(&Request { host: &host, method: &method, path: &path, query: Some(&query) });
        }
    }
}
