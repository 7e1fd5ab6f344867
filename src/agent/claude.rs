//! Pure. Claude Code, observed with 2.1.197 on 2026-11-24.

use super::Launch;
use crate::credential::known::CLAUDE_KEY;
use crate::manifest::project::{Mode, Permissions, Session};
use serde_json::{Value, json};

/// The hook events that are reported. This version ignores names it does not know, with a warning.
pub const HOOK_EVENTS: [&str; 17] = [
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "Notification",
    "PermissionRequest",
    "PermissionDenied",
    "Elicitation",
    "ElicitationResult",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
    "Stop",
    "StopFailure",
    "SessionEnd",
];

/// The transcript of the session's conversation.
const TRANSCRIPT: &str = "/workspace/.claude/projects/-workspace/$CLAUDERON_CONVERSATION_ID.jsonl";

/// The command line.
pub fn launch(session: &Session) -> Launch {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut common = match session.permissions {
        Permissions::Bypass => words(&["--dangerously-skip-permissions"]),
        Permissions::AcceptEdits => words(&["--permission-mode", "acceptEdits"]),
        Permissions::Ask => words(&["--permission-mode", "default"]),
    };
    if session.mode == Mode::Batch {
        common.insert(0, "--print".to_owned());
    }
    if let Some(model) = &session.agent.model {
        common.extend(["--model".to_owned(), model.clone()]);
    }
    common.extend(session.agent.args.iter().cloned());
    Launch {
        program: "claude".to_owned(),
        // A transcript without a turn, left by a stop right after the start, is no conversation to the agent.
        resumable: format!("holds '\"type\":\"user\"' \"{TRANSCRIPT}\""),
        discard: TRANSCRIPT.to_owned(),
        fresh: words(&["--session-id", "$CLAUDERON_CONVERSATION_ID"]),
        resumed: words(&["--resume", "$CLAUDERON_CONVERSATION_ID"]),
        common,
        // Without it a prompt that begins with a dash is read as an option.
        separator: words(&["--"]),
        ..Launch::default()
    }
}

/// The managed settings: our hooks beside what the image's own settings hold.
pub fn managed_settings(own: Option<&str>) -> Value {
    let own = own.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut settings = own.filter(Value::is_object).unwrap_or_else(|| json!({}));
    if !settings["hooks"].is_object() {
        settings["hooks"] = json!({});
    }
    // In `.claude.json` the same yes is carried over into the repository's own settings file.
    settings["skipDangerousModePermissionPrompt"] = json!(true);
    for event in HOOK_EVENTS {
        let hooks = &mut settings["hooks"][event];
        if !hooks.is_array() {
            *hooks = json!([]);
        }
        if let Some(list) = hooks.as_array_mut() {
            list.push(hook(event));
        }
    }
    settings
}

/// The first content of `.claude.json`: with it an interactive start asks nothing. The agent rewrites it.
pub fn seed() -> Value {
    // A key is known by its last 20 characters (2.1.197): the placeholder is asked about otherwise.
    let key = &CLAUDE_KEY[CLAUDE_KEY.len() - 20..];
    json!({
        "hasCompletedOnboarding": true,
        "customApiKeyResponses": { "approved": [key], "rejected": [] },
        "projects": { "/workspace": { "hasTrustDialogAccepted": true } },
    })
}

/// One hook entry, in the shape that the agent reads.
fn hook(event: &str) -> Value {
    json!({
        "matcher": "*",
        "hooks": [{
            "type": "command",
            "command": format!("bash -c '/workspace/.clauderon/hooks/send_status.sh {event}'"),
            "timeout": 10,
        }],
    })
}
