//! Pure. Which requests ask a model for something that is paid for, and what is answered once a budget is spent.

use super::denials::Rule;
use super::judge::{Asked, Refusal};
use super::ledger::Spent;
use super::rules::is_plain;
use crate::manifest::project::Period;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

/// What only counts.
const COUNTING: [&str; 2] = ["/v1/messages/count_tokens", "/v1/responses/input_tokens"];

/// Whether a request asks a model. A path that can be read in more than one way is one.
pub fn asks(asked: &Asked<'_>) -> bool {
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS, Method::CONNECT, Method::DELETE];
    if reads.contains(asked.method) {
        return false;
    }
    let path = asked.path;
    match asked.host {
        "api.anthropic.com" | "api.openai.com" => {
            !is_plain(path) || (path.starts_with("/v1/") && !COUNTING.contains(&path))
        }
        "chatgpt.com" => !is_plain(path) || path.starts_with("/backend-api/codex/responses"),
        _ => false,
    }
}

/// A budget in the provider's own words: of what is answered so, Claude Code 2.1.197 and Codex 0.169 show the text and end
/// the turn at once. To 402, 403 and 5xx the latter tries five times more, of 429 it shows no text.
pub fn spent(asked: &Asked<'_>, spent: &Spent) -> Refusal {
    let (key, reason) = (spent.key, spent.words());
    let anew = match spent.per {
        Period::Conversation => "",
        Period::Day => ", or wait until midnight",
    };
    let message = format!(
        "clauderon: {reason}. Raise `{key}` in the manifest and run `clauderon up`{anew}; then go on here"
    );
    let rule = Rule { rule: key.to_owned(), place: String::new() };
    said(asked, StatusCode::BAD_REQUEST, reason, ["invalid_request_error", "budget_spent"], &message).of(rule)
}

/// Too many requests at once for a budget: what they come to is not known yet. Both agents try again by themselves.
pub fn crowded(asked: &Asked<'_>, most: usize) -> Refusal {
    let reason = format!("{most} requests to the model are under way");
    let message = format!("clauderon: {reason}, and under a budget there are no more at once");
    said(
        asked,
        StatusCode::SERVICE_UNAVAILABLE,
        reason,
        ["overloaded_error", "server_is_overloaded"],
        &message,
    )
}

fn said(
    asked: &Asked<'_>,
    status: StatusCode,
    reason: String,
    [kind, code]: [&str; 2],
    message: &str,
) -> Refusal {
    let body: Value = if asked.host == "api.anthropic.com" {
        json!({ "type": "error", "error": { "type": kind, "message": message } })
    } else {
        json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
    };
    let refusal = Refusal::plain(status, reason, format!("{body}\n"));
    Refusal { content_type: "application/json", ..refusal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;

    #[test]
    fn what_is_paid_for_is_known_by_method_host_and_path() {
        let headers = HeaderMap::new();
        for (method, host, path, expected) in [
            ("POST", "api.anthropic.com", "/v1/messages", true),
            ("POST", "api.anthropic.com", "/v1/messages/count_tokens", false),
            ("POST", "api.anthropic.com", "/v1/messages/batches", true),
            ("POST", "api.anthropic.com", "//v1/messages", true),
            ("POST", "api.anthropic.com", "/api/../v1/messages", true),
            ("POST", "api.anthropic.com", "/%76%31/messages", true),
            ("POST", "api.anthropic.com", "/v1/messages/count_tokens/../", true),
            ("POST", "api.anthropic.com", "/api/event_logging/v2/batch", false),
            ("GET", "api.anthropic.com", "/v1/models", false),
            ("PUT", "api.anthropic.com", "/v1/messages", true),
            ("POST", "api.openai.com", "/v1/responses", true),
            ("POST", "api.openai.com", "/v1/chat/completions", true),
            ("POST", "api.openai.com", "/v1/responses/input_tokens", false),
            ("POST", "chatgpt.com", "/backend-api/codex/responses", true),
            ("POST", "chatgpt.com", "/backend-api/codex/responses/compact", true),
            ("POST", "chatgpt.com", "/backend-api/codex/analytics-events/events", false),
            ("POST", "example.com", "/v1/messages", false),
        ] {
            let method = method.parse().unwrap();
            let asked = Asked {
                secure: true,
                host,
                port: 443,
                method: &method,
                path,
                query: None,
                headers: &headers,
            };
            assert_eq!(asks(&asked), expected, "{method} {host}{path}");
        }
    }
}
