//! Laws of the swap, judged by other means than its own: shared by the tests and the fuzzer.

use clauderon::credential::binding::Binding;
use clauderon::credential::known::{Kind, bindings};
use clauderon::credential::swap::{Swap, swap};
use clauderon::manifest::project::{Credential, HostAccess, Rule};
use clauderon::proxy::judge::Asked;
use clauderon::secret::Secret;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

const CANARY: &str = "real-canary-of-the-host";

/// Claude's token, and GitHub's for reading.
fn lent() -> Vec<Binding> {
    let reading = Rule { access: HostAccess::ReadOnly, ..Rule::default() };
    let github = Credential { rule: reading, ..Credential::default() };
    [bindings("anthropic", &Credential::default(), Kind::Token), bindings("github", &github, Kind::Token)]
        .concat()
}

/// A request as the fuzzer writes it: scheme, host, port, method, path, then `name: value` lines of its head.
pub fn hold_text(text: &str) {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (scheme, host, port, method, path) = (next(), next().to_lowercase(), next(), next(), next());
    let (Ok(port), Ok(method)) = (port.parse(), method.parse::<Method>()) else { return };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let secure = scheme == "https";
    hold(&Asked { secure, host: &host, port, method: &method, path, query, headers: &headers });
}

/// Holds the laws against one request.
fn hold(asked: &Asked<'_>) {
    match swap(&lent(), asked) {
        Swap::Fill { headers, .. } => {
            let hosts = ["api.anthropic.com", "api.github.com", "uploads.github.com", "github.com"];
            assert!(
                asked.secure && asked.port == 443 && hosts.contains(&asked.host),
                "{asked:?} is lent a value"
            );
            assert!(
                asked.method != Method::TRACE && asked.method != Method::CONNECT,
                "{asked:?} is lent a value"
            );
            if asked.host != "api.anthropic.com" {
                let fetches = asked.method == Method::POST && asked.path.ends_with("/git-upload-pack");
                let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(asked.method);
                assert!(reads || fetches, "{asked:?} is lent what is for reading");
            }
            let value = Secret::new(CANARY.to_owned());
            let filled: Vec<_> = headers
                .iter()
                .map(|(name, shape)| (name, shape.fill(&value).expect("a value that fits")))
                .collect();
            assert!(filled.iter().all(|(name, _)| name.as_str() == "authorization"), "{asked:?}: {filled:?}");
        }
        // CONNECT's own head goes to nobody.
        Swap::Pass if asked.method == Method::CONNECT => {}
        Swap::Pass => {
            let plain = |value: &HeaderValue| {
                String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase().contains("clauderon-proxy")
            };
            let opening = asked.headers.iter().filter(|(name, _)| {
                ["authorization", "proxy-authorization", "cookie", "x-api-key", "private-token"]
                    .contains(&name.as_str())
            });
            for (name, value) in opening {
                assert!(!plain(value), "{asked:?} passes with a placeholder in `{name}`");
            }
        }
        Swap::Refuse(_) => {}
    }
}
