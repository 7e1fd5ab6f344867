//! The swap against tables and against anything at all.

use super::super::binding::SLOT;
use super::super::known::{Kind, bindings};
use super::*;
use crate::manifest::project::{Credential, HostAccess, Rule, Target};
use crate::secret::Secret;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use proptest::prelude::*;

const CLAUDE: &str = "sk-ant-oat01-clauderon-proxy-placeholder";
const REAL: &str = "real-canary";

fn own(name: &str, host: &str, header: &str, value: &str, rule: Rule) -> Vec<Binding> {
    let target = Target { host: host.into(), port: 443, header: header.into(), value: value.into() };
    let credential =
        Credential { target: Some(target), rule, place: "c.yaml:7".to_owned(), ..Credential::default() };
    bindings(name, &credential, Kind::Token)
}

fn lent() -> Vec<Binding> {
    let read_only = Rule { access: HostAccess::ReadOnly, ..Rule::default() };
    let github = Credential { rule: read_only, place: "c.yaml:9".to_owned(), ..Credential::default() };
    let paths = Rule {
        methods: Some(vec!["POST".to_owned()]),
        paths: Some(vec!["/v1/*".to_owned()]),
        ..Rule::default()
    };
    [
        bindings("anthropic", &Credential::default(), Kind::Token),
        bindings("github", &github, Kind::Token),
        own("key", "keys.dev", "X-Api-Key", "{}", Rule::default()),
        own("bound", "bound.dev", "authorization", "Bearer {}", paths),
    ]
    .concat()
}

/// What reaches the upstream in a header, or the refusal: `POST https://host/path` and `name: value` lines.
fn sent(text: &str) -> Result<HeaderMap, Misplaced> {
    let mut lines = text.lines();
    let (method, url) = lines.next().unwrap().split_once(' ').unwrap();
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, target) = rest.split_at(rest.find('/').unwrap());
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let method = &method.parse().unwrap();
    let port = port.parse().unwrap();
    let asked = Asked { secure: scheme == "https", host, port, method, path, query, headers: &headers };
    match swap(&lent(), &asked) {
        Swap::Pass => Ok(headers),
        Swap::Refuse(misplaced) => Err(misplaced),
        Swap::Fill { headers: filled, .. } => {
            let value = Secret::new(REAL.to_owned());
            for (name, shape) in filled {
                headers.insert(name, shape.fill(&value).unwrap());
            }
            Ok(headers)
        }
    }
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[track_caller]
fn check(text: &str, header: &str, expected: &str) {
    let headers = sent(text).unwrap_or_else(|misplaced| panic!("{text}: {misplaced:?}"));
    assert_eq!(headers.get(header).map_or("none", |it| it.to_str().unwrap()), expected, "{text}");
}

#[track_caller]
fn refused(text: &str, part: &str) {
    let misplaced = sent(text).expect_err(text);
    let all = format!("{} {} {}", misplaced.rule, misplaced.place, misplaced.says);
    assert!(all.contains(part), "{text}: {all}");
}

#[test]
fn a_placeholder_is_swapped_in_place_where_it_belongs() {
    let messages = "POST https://api.anthropic.com/v1/messages?beta=true";
    check(&format!("{messages}\nauthorization: Bearer {CLAUDE}"), "authorization", "Bearer real-canary");
    check(&format!("{messages}\nauthorization: bearer  {CLAUDE}"), "authorization", "bearer real-canary");
    let api = "GET https://api.github.com/user";
    check(&format!("{api}\nauthorization: token clauderon-proxy"), "authorization", "token real-canary");
    let git = "GET https://github.com/a/b.git/info/refs?service=git-upload-pack";
    for user in ["x-access-token", "me", ""] {
        let header = basic(&format!("{user}:clauderon-proxy"));
        let expected = basic(&format!("{user}:real-canary"));
        check(&format!("{git}\nauthorization: {header}"), "authorization", &expected);
    }
    check("GET https://keys.dev/\nx-api-key: clauderon-proxy-key", "x-api-key", REAL);
    check(
        "GET https://keys.dev/\nauthorization: Bearer clauderon-proxy-key",
        "authorization",
        "Bearer real-canary",
    );
    check(
        "POST https://bound.dev/v1/x\nauthorization: Bearer clauderon-proxy-bound",
        "authorization",
        "Bearer real-canary",
    );
}

#[test]
fn nothing_there_is_filled_and_something_else_is_left_alone() {
    check("GET https://api.anthropic.com/api/hello", "authorization", "Bearer real-canary");
    let git = "POST https://github.com/a/b/git-upload-pack";
    check(git, "authorization", &basic("x-access-token:real-canary"));
    check("GET https://keys.dev/", "x-api-key", REAL);
    check("GET https://keys.dev/\nauthorization: Bearer mine", "x-api-key", "none");
    check("GET https://api.github.com/\nauthorization: Bearer mine", "authorization", "Bearer mine");
    check("GET https://api.github.com/\nauthorization: Basic bm9uZQ==", "authorization", "Basic bm9uZQ==");
}

#[test]
fn nothing_is_lent_outside_of_a_binding() {
    for url in [
        "GET http://api.anthropic.com:80/",
        "GET http://api.anthropic.com:443/",
        "GET https://api.anthropic.com:8443/",
        "GET https://api.anthropic.com.evil.dev/",
        "GET https://xapi.anthropic.com/",
        "GET https://evil.dev/",
        "TRACE https://api.anthropic.com/",
        "trace https://api.anthropic.com/",
        "DEBUG https://api.anthropic.com/",
        "DELETE https://api.github.com/repos/a/b",
        "POST https://api.github.com/graphql",
        "GET https://api.github.com/\nx-http-method-override: DELETE",
        "GET https://github.com/a/b",
        "GET https://github.com/a/b.git/info/refs?service=git-receive-pack",
        "POST https://github.com/a/b.git/git-receive-pack",
        "POST https://github.com/a/b.git/git-receive-pack/../git-upload-pack",
        "GET https://github.com/a/%62/info/refs",
        "GET https://bound.dev/v1/x",
        "POST https://bound.dev/v1/x/y",
        "POST https://bound.dev/v1/../v2",
        "POST https://bound.dev/v1/%2e%2e",
        "POST https://bound.dev//v1/x",
    ] {
        check(url, "authorization", "none");
        for placeholder in [CLAUDE, "clauderon-proxy", "clauderon-proxy-bound"] {
            refused(&format!("{url}\nauthorization: Bearer {placeholder}"), "credentials.");
        }
    }
}

#[test]
fn a_placeholder_in_any_header_that_opens_something_is_refused_where_it_does_not_belong() {
    let hidden = STANDARD.encode("user:clauderon-proxy");
    for header in [
        "authorization: Bearer clauderon-proxy",
        "authorization: clauderon-proxy",
        "authorization: Bearer CLAUDERON-PROXY",
        "proxy-authorization: Basic dTpjbGF1ZGVyb24tcHJveHk=",
        "x-api-key: clauderon-proxy-key",
        "private-token: clauderon-proxy",
        "cookie: a=b; session=clauderon-proxy; c=d",
        &format!("authorization: Basic {hidden}"),
        &format!("authorization: basic {}", hidden.trim_end_matches('=')),
        &format!("cookie: login={}", hidden.trim_end_matches('=')),
        "authorization: Bearer what-clauderon-proxy-else",
    ] {
        refused(&format!("POST https://evil.dev/\n{header}"), "credentials");
    }
    refused("GET https://evil.dev/\nauthorization: token clauderon-proxy", "c.yaml:9 not lent to `evil.dev`");
    refused(
        "POST https://api.github.com/x\nauthorization: token clauderon-proxy",
        "not lent to such a request",
    );
    refused("GET https://evil.dev/\nauthorization: Bearer clauderon-proxy-none", "no such credential");
    // Its own host, and yet the wrong place or form.
    let api = "GET https://api.anthropic.com/";
    for header in [
        format!("cookie: {CLAUDE}"),
        format!("x-api-key: {CLAUDE}"),
        format!("proxy-authorization: Bearer {CLAUDE}"),
        format!("authorization: Bearer {CLAUDE}, Bearer {CLAUDE}"),
        format!("authorization: Bearer {CLAUDE}\nauthorization: Bearer {CLAUDE}"),
        format!("authorization: Bearer {CLAUDE}\nauthorization: Bearer mine"),
        format!("authorization: Bearer x{CLAUDE}"),
        format!("authorization: {}", basic(&format!("{CLAUDE}:x"))),
        format!("authorization: {}", basic(&format!("{CLAUDE}:{CLAUDE}"))),
        "authorization: Bearer clauderon-proxy".to_owned(),
        "authorization: Bearer clauderon-proxy-key".to_owned(),
    ] {
        refused(&format!("{api}\n{header}"), "credentials");
    }
    // Headers that open nothing, and URLs, pass.
    check(
        "GET https://evil.dev/?clauderon-proxy\nuser-agent: clauderon-proxy",
        "user-agent",
        "clauderon-proxy",
    );
}

#[test]
fn a_connect_is_let_pass_and_lends_nothing() {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer clauderon-proxy"))]);
    let asked = Asked {
        secure: true,
        host: "api.github.com",
        port: 443,
        method: &Method::CONNECT,
        path: "",
        query: None,
        headers: &headers,
    };
    assert_eq!(swap(&lent(), &asked), Swap::Pass);
}

proptest! {
    /// Whatever is asked: a value goes only to a bound host and port under TLS, and only in a header that is its.
    #[test]
    fn a_value_goes_nowhere_else(
        secure: bool,
        host in "(api\\.anthropic\\.com|github\\.com|api\\.github\\.com|keys\\.dev|bound\\.dev|evil\\.dev|[a-z.]{0,12})",
        port in prop_oneof![Just(443_u16), any::<u16>()],
        method in "(GET|POST|PUT|TRACE|HEAD|OPTIONS|[A-Z]{1,6})",
        path in "/[a-z0-9/%.;?-]{0,20}",
        headers in proptest::collection::vec((
            "(authorization|cookie|x-api-key|proxy-authorization|x-[a-z]{1,8})",
            "(Bearer |Basic |token |)(clauderon-proxy|clauderon-proxy-key|sk-ant-oat01-clauderon-proxy-placeholder|[ -~]{0,20})",
        ), 0..4),
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in &headers {
            map.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let method: Method = method.parse().unwrap();
        let asked = Asked { secure, host: &host, port, method: &method, path: &path, query: None, headers: &map };
        let lent = lent();
        match swap(&lent, &asked) {
            Swap::Fill { binding, headers } => {
                let of = &lent[binding];
                prop_assert!(secure && port == of.port && host == of.host);
                prop_assert_eq!(of.fit(&asked), Fit::Here);
                prop_assert!(method != Method::TRACE);
                for (name, _) in headers {
                    prop_assert!(name == AUTHORIZATION || name.as_str() == of.header);
                }
            }
            Swap::Pass => {
                let marked = map.iter().any(|(name, value)| opens(&lent, name) && holds_mark(value));
                prop_assert!(!marked || method == Method::CONNECT);
            }
            Swap::Refuse(_) => prop_assert!(map.values().any(holds_mark)),
        }
    }

    /// What is filled in is the value whole, and a value that no header can hold is not cut to fit.
    #[test]
    fn a_value_is_whole_or_not_there(value in "\\PC{0,40}", template in "(Bearer |token |Basic user:|)\\{\\}") {
        prop_assert!(template.contains(SLOT));
        let shape = Shape::of(&template).unwrap();
        let filled = shape.fill(&Secret::new(value.clone()));
        if let Some(header) = filled {
            prop_assert!(header.is_sensitive());
            let text = String::from_utf8(header.as_bytes().to_vec()).unwrap();
            match shape {
                Shape::Basic(_) => prop_assert_eq!(text, basic(&format!("user:{value}"))),
                Shape::Text(before, _) => prop_assert_eq!(text, format!("{before}{value}")),
            }
        }
    }
}
