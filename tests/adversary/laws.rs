//! What holds of the manifest's rules whatever a request looks like. The fuzzer of `tests/long` holds it too.

use clauderon::manifest::project::{Access, Host, HostAccess, Rule};
use clauderon::proxy::rules::{Request, Rules, Ruling};
use std::collections::{BTreeMap, BTreeSet};

fn rule(access: HostAccess, methods: &[&str], paths: &[&str]) -> Rule {
    let list =
        |words: &[&str]| (!words.is_empty()).then(|| words.iter().map(|word| (*word).to_owned()).collect());
    Rule { access, methods: list(methods), paths: list(paths) }
}

fn rules(access: Access) -> Rules {
    let all = [
        ("*", vec![]),
        ("*.acme.dev", vec![rule(HostAccess::ReadOnly, &[], &[])]),
        ("docs.acme.dev", vec![rule(HostAccess::ReadWrite, &["GET"], &["/docs/**"])]),
        ("jobs.acme.dev", vec![rule(HostAccess::ReadWrite, &["POST"], &["/v1/jobs/*/start"])]),
        ("free.acme.dev", vec![Rule::default()]),
        ("never.acme.dev", vec![]),
    ];
    let host = |rules| Host { rules, ..Host::default() };
    Rules {
        access,
        hosts: all
            .into_iter()
            .map(|(name, rules)| (name.to_owned(), host(rules)))
            .collect::<BTreeMap<_, _>>(),
        models: BTreeSet::from(["api.anthropic.com".to_owned()]),
    }
}

/// A path as the most obliging of servers reads it: decoded until nothing is left to decode, without parameters and
/// empty segments, with its dots followed.
fn obliging(path: &str) -> Vec<String> {
    let mut bytes = path.as_bytes().to_vec();
    loop {
        let mut decoded = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let digits = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
            match digits.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| bytes[at] == b'%') {
                Some(byte) => {
                    decoded.push(byte);
                    at += 3;
                }
                None => {
                    decoded.push(bytes[at]);
                    at += 1;
                }
            }
        }
        if decoded.len() == bytes.len() {
            break;
        }
        bytes = decoded;
    }
    let mut segments = Vec::new();
    for segment in String::from_utf8_lossy(&bytes).replace('\\', "/").split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    segments
}

/// Holds every law against a request, whose host is what the wire makes of one: in lower case.
pub fn hold(host: &str, method: &str, path: &str, query: Option<&str>) {
    let host = &*host.to_lowercase();
    let request = Request { host, method, path, query };
    let passes = |access| !matches!(rules(access).rule(&request), Ruling::Refuse(_));
    let (open, capped) = (passes(Access::ReadWrite), passes(Access::ReadOnly));
    // A cap allows nothing.
    assert!(open || !capped, "{request:?} passes under a cap alone");
    if method == "CONNECT" || host == "api.anthropic.com" {
        return;
    }
    let fetches = method == "POST" && path.ends_with("/git-upload-pack");
    let reads = ["GET", "HEAD", "OPTIONS"].contains(&method) || fetches;
    assert!(!capped || reads, "{request:?} passes a cap and does not read");
    // What is not named is `*`, however it ends or begins.
    assert!(!open || host.ends_with(".acme.dev"), "{request:?} passes at a host that is not named");
    let segments = obliging(path);
    match host {
        "never.acme.dev" => assert!(!open, "{request:?} passes where nothing may"),
        "free.acme.dev" => assert!(open, "{request:?} does not pass where all may"),
        "docs.acme.dev" if open => {
            assert!(
                method == "GET" && segments.first().is_some_and(|it| it == "docs"),
                "{request:?} left /docs"
            );
        }
        "jobs.acme.dev" if open => {
            let fits = matches!(&segments[..], [v1, jobs, .., start] if v1 == "v1" && jobs == "jobs" && start == "start");
            assert!(method == "POST" && fits && segments.len() == 4, "{request:?} left /v1/jobs/*/start");
        }
        "docs.acme.dev" | "jobs.acme.dev" => {}
        _ => assert!(!open || reads, "{request:?} passes read-only and does not read"),
    }
}

/// A request as the fuzzer writes it: host, method, path and, where there is one, query, a line each.
pub fn hold_text(text: &str) {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (host, method, path) = (next(), next(), next());
    hold(host, method, path, lines.next());
}
