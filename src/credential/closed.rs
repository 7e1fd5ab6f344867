//! Pure. Ways by which a container could come to a real token: the providers' token endpoints, answered here and never
//! passed on, and endpoints that mint keys, refused.

use crate::proxy::judge::Asked;
use hyper::Method;
use serde_json::{Value, json};

use super::known::{CLAUDE_TOKEN, CODEX_ACCESS};

/// A way that is closed.
#[derive(Clone, Debug, PartialEq)]
pub enum Closed {
    /// A token is asked for: this is the answer.
    Token(Value),
    /// A key is asked for.
    Minting,
}

/// Hosts that give tokens to Claude's users.
const CLAUDE: [&str; 4] = ["platform.claude.com", "console.anthropic.com", "claude.ai", "api.anthropic.com"];
/// Hosts that give tokens to Codex's users.
const CODEX: [&str; 2] = ["auth.openai.com", "auth.api.openai.org"];
/// Where what is lent could be turned into a key of the container's own: each host, and what its paths are.
const MINTING: [(&str, Part); 10] = [
    ("api.anthropic.com", Part::Holds("/oauth/claude_cli/create_api_key")),
    ("api.anthropic.com", Part::Holds("/organizations/api_keys")),
    ("api.openai.com", Part::Holds("/organization/admin_api_keys")),
    // The administrations: keys, service accounts, invitations, members. Reading stays.
    ("api.anthropic.com", Part::Below("/organizations")),
    ("api.openai.com", Part::Below("/organization")),
    // Keys that live shortly, of `/realtime`, `/chatkit` and whatever is called so next.
    ("api.openai.com", Part::Ends("sessions")),
    ("api.openai.com", Part::Ends("client_secrets")),
    // Tokens of an app, of its installations and its users, and of runners.
    ("api.github.com", Part::Ends("access_tokens")),
    ("api.github.com", Part::Below("/applications")),
    ("api.github.com", Part::Ends("-token")),
];

/// What a path is, in lower case. But for `Holds` only who does more than read is meant.
#[derive(Clone, Copy)]
enum Part {
    /// It holds these segments.
    Holds(&'static str),
    /// It is this segment or below it, after a version or without.
    Below(&'static str),
    /// Its last segment ends so.
    Ends(&'static str),
}

impl Part {
    fn fits(self, path: &str, reads: bool) -> bool {
        match self {
            Self::Holds(part) => path.contains(part),
            Self::Below(part) => {
                let rest = unversioned(path).strip_prefix(part);
                !reads && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Ends(end) => !reads && path.ends_with(end),
        }
    }
}

/// A path without the `/v1` at its begin.
fn unversioned(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/v") else { return path };
    let after = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    if after.len() < rest.len() && after.starts_with('/') { after } else { path }
}

/// Whether a request is one of them.
pub fn closed(asked: &Asked<'_>) -> Option<Closed> {
    if *asked.method == Method::CONNECT {
        return None;
    }
    let path = plain(asked.path);
    let token = path.contains("/oauth/token") || path.contains("/oauth2/token");
    if token && CLAUDE.contains(&asked.host) {
        return Some(Closed::Token(json!({
            "token_type": "Bearer", "access_token": CLAUDE_TOKEN, "refresh_token": CLAUDE_TOKEN,
            "expires_in": 28800, "scope": super::known::CLAUDE_SCOPES.join(" "),
        })));
    }
    if token && CODEX.contains(&asked.host) {
        return Some(Closed::Token(json!({
            "access_token": CODEX_ACCESS, "refresh_token": CODEX_ACCESS,
            "token_type": "Bearer", "expires_in": 864_000,
        })));
    }
    let reading = [Method::GET, Method::HEAD, Method::OPTIONS].contains(asked.method);
    let reads = reading && asked.overriding().next().is_none();
    MINTING
        .iter()
        .any(|(host, part)| *host == asked.host && part.fits(&path, reads))
        .then_some(Closed::Minting)
}

/// A path as the most generous server may read it: decoded, in lower case, without empty segments and dots.
fn plain(path: &str) -> String {
    let mut decoded = path.to_owned();
    for _ in 0..3 {
        decoded = unescaped(&decoded);
    }
    let mut plain = String::new();
    for segment in decoded.split(['/', '\\']) {
        let segment = segment.split(';').next().unwrap_or_default();
        match segment {
            "" | "." => {}
            ".." => plain.truncate(plain.rfind('/').unwrap_or(0)),
            segment => {
                plain.push('/');
                plain.push_str(&segment.to_ascii_lowercase());
            }
        }
    }
    plain
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;

    fn asked(host: &str, path: &str) -> Option<Closed> {
        asked_with(&Method::POST, &HeaderMap::new(), host, path)
    }

    fn asked_with(method: &Method, headers: &HeaderMap, host: &str, path: &str) -> Option<Closed> {
        closed(&Asked { secure: true, host, port: 443, method, path, query: None, headers })
    }

    #[test]
    fn token_endpoints_are_answered_with_placeholders_alone() {
        for (host, path) in [
            ("platform.claude.com", "/v1/oauth/token"),
            ("console.anthropic.com", "/v1/oauth/token"),
            ("api.anthropic.com", "/v1//oauth/%74oken"),
            ("auth.openai.com", "/oauth/token"),
            ("auth.openai.com", "/x/../OAuth/%2574oken/"),
        ] {
            let Some(Closed::Token(reply)) = asked(host, path) else { panic!("{host}{path} is open") };
            for key in ["access_token", "refresh_token"] {
                assert!(reply[key].as_str().unwrap().contains("clauderon-proxy"), "{reply}");
            }
        }
    }

    #[test]
    fn no_key_is_minted_however_the_path_is_written() {
        for path in [
            "/api/oauth/claude_cli/create_api_key",
            "/api/oauth//claude_cli/./create_api_key",
            "/api/oauth/claude_cli/Create_API_key",
            "/api/oauth/claude_cli/%63reate_api_key",
            "/api/oauth/claude_cli;x=1/create_api_key/",
            "/api/oauth/x/../claude_cli/create_api_key",
        ] {
            assert_eq!(asked("api.anthropic.com", path), Some(Closed::Minting), "{path}");
        }
        for path in ["/v1/messages", "/api/oauth/usage", "/v1/oauth%", "/%zz"] {
            assert_eq!(asked("api.anthropic.com", path), None, "{path}");
        }
        assert_eq!(asked("evil.example", "/oauth/token"), None);
    }

    #[test]
    fn no_key_is_minted_of_a_key_and_what_is_no_minting_stays_open() {
        let minting = [
            ("api.openai.com", "/v1/realtime/client_secrets"),
            ("api.openai.com", "/v1/realtime/sessions"),
            ("api.openai.com", "/v1/realtime/transcription_sessions"),
            ("api.openai.com", "/v1/realtime/translations/client_secrets/"),
            ("api.openai.com", "/v1/chatkit/sessions"),
            ("api.openai.com", "/v1/chatkit/Session%73"),
            ("api.openai.com", "/v1/organization/projects/p/service_accounts"),
            ("api.openai.com", "/v1/organization/admin_api_keys"),
            ("api.openai.com", "/v1//organization/invites"),
            ("api.openai.com", "/v2/x/../organization"),
            ("api.openai.com", "/organization/projects"),
            ("api.anthropic.com", "/v1/organizations/invites"),
            ("api.anthropic.com", "/v1/organizations/workspaces/w/members"),
            ("api.github.com", "/app/installations/1/access_tokens"),
            ("api.github.com", "/applications/c/token/scoped"),
            ("api.github.com", "/repos/o/r/actions/runners/registration-token"),
        ];
        for (host, path) in minting {
            assert_eq!(asked(host, path), Some(Closed::Minting), "{host}{path}");
            let mut headers = HeaderMap::new();
            headers.insert("x-http-method-override", "POST".parse().unwrap());
            let got = asked_with(&Method::GET, &headers, host, path);
            assert_eq!(got, Some(Closed::Minting), "GET that is a POST: {host}{path}");
        }
        for (host, path) in [
            ("api.openai.com", "/v1/responses"),
            ("api.openai.com", "/v1/organizational"),
            ("api.openai.com", "/v1/chatkit/sessions/s/cancel"),
            ("api.openai.com", "/version/organization"),
            ("api.anthropic.com", "/v1/messages"),
            ("api.anthropic.com", "/api/claude_code/organizations/metrics"),
            ("api.github.com", "/repos/o/r/pulls"),
            ("api.github.com", "/repos/o/applications/issues"),
            ("sessions.example", "/v1/chatkit/sessions"),
        ] {
            assert_eq!(asked(host, path), None, "{host}{path}");
        }
        let read = |path| asked_with(&Method::GET, &HeaderMap::new(), "api.openai.com", path);
        assert_eq!(read("/v1/organization/usage/completions"), None);
        assert_eq!(read("/v1/organization/admin_api_keys"), Some(Closed::Minting));
    }
}
