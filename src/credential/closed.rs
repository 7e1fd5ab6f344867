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
/// Where keys are made with a login that is lent: host, part of the path.
const MINTING: [(&str, &str); 5] = [
    ("api.anthropic.com", "/oauth/claude_cli/create_api_key"),
    ("api.anthropic.com", "/organizations/api_keys"),
    ("api.openai.com", "/realtime/client_secrets"),
    ("api.openai.com", "/realtime/sessions"),
    ("api.openai.com", "/organization/admin_api_keys"),
];

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
    MINTING.iter().any(|(host, part)| *host == asked.host && path.contains(part)).then_some(Closed::Minting)
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
        let headers = HeaderMap::new();
        let method = &Method::POST;
        closed(&Asked { secure: true, host, port: 443, method, path, query: None, headers: &headers })
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
}
