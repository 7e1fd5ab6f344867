//! The laws of the rules, before requests that are made up to break them.

use super::laws::{hold, hold_text};
use proptest::prelude::*;

fn host() -> impl Strategy<Value = String> {
    let names: &'static [&str] = &["docs", "jobs", "free", "never", "x", "a.docs", "docs.", "", "*"];
    let known = prop::sample::select(names).prop_map(|name| format!("{name}.acme.dev"));
    prop_oneof![
        6 => known,
        1 => prop::sample::select(&["acme.dev", "xacme.dev", "docs.acme.dev.", "docs.acme.dev.evil.org", "10.0.0.1", "api.anthropic.com", "api.anthropic.com.", "::1"]).prop_map(str::to_owned),
        1 => ".{0,20}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(&[
        "/",
        "docs",
        "v1",
        "jobs",
        "start",
        "secret",
        "..",
        ".",
        "%2e",
        "%2E%2e",
        "%2f",
        "%252f",
        "%25",
        "\\",
        ";",
        ";x=1",
        "*",
        "**",
        "//",
        "%00",
        "\u{ff0e}",
        "\u{2215}",
        "a",
        "/docs/",
        "/v1/jobs/",
        "git-upload-pack",
        "git-receive-pack",
        "/git-upload-pack",
        " ",
        "\t",
        "#",
        "?",
        "@",
    ]);
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

fn method() -> impl Strategy<Value = String> {
    let known: &'static [&str] =
        &["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "CONNECT", "get", "QUERY", " GET", ""];
    prop::sample::select(known).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn no_request_breaks_a_law_of_the_rules(
        host in host(), method in method(), path in path(),
        query in prop::option::of(prop::sample::select(&["service=git-receive-pack", "service=git-upload-pack", "a=/../b", ""])),
    ) {
        hold(&host, &method, &path, query);
        hold(&host, &method, &format!("/docs/{path}"), query);
        hold(&host, &method, &format!("/v1/jobs/{path}/start"), query);
    }
}

#[test]
fn what_the_fuzzers_of_rules_and_swap_once_found_holds() {
    for (target, hold) in [("rules", hold_text as fn(&str)), ("swap", super::swaps::hold_text)] {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut read = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            hold(&String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()));
            read += 1;
        }
        assert!(read >= 5, "only {read} files of {target} were read");
    }
}
