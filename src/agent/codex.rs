//! Pure. Codex CLI, observed with 0.169.0 on 2026-11-24.

use super::Launch;
use crate::manifest::project::{Mode, Permissions, Session};
use serde_json::{Value, json};

/// The hook events that are reported.
pub const HOOK_EVENTS: [&str; 11] = [
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PermissionRequest",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
    "Stop",
    "SessionEnd",
];

/// The command line.
pub fn launch(session: &Session) -> Launch {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let batch = session.mode == Mode::Batch;
    // Codex's own sandbox cannot start in a container without capabilities: the container is the border.
    let mut common = match session.permissions {
        Permissions::Bypass => words(&["--dangerously-bypass-approvals-and-sandbox"]),
        Permissions::AcceptEdits => words(&["-s", "danger-full-access", "-c", "approval_policy=on-request"]),
        Permissions::Ask => words(&["-s", "read-only", "-c", "approval_policy=on-request"]),
    };
    if !batch {
        // Without it this version asks for a part that the npm package does not bring.
        common.push("--no-daemon".to_owned());
    }
    if batch {
        common.push("--skip-git-repo-check".to_owned());
    }
    if let Some(model) = &session.agent.model {
        common.extend(["--model".to_owned(), model.clone()]);
    }
    common.extend(session.agent.args.iter().cloned());
    Launch {
        program: "codex".to_owned(),
        // A conversation that is older than the session's newest one was put aside.
        resumable: "newer /run/clauderon/conversation \"$CODEX_HOME\"/sessions/*/*/*/*.jsonl".to_owned(),
        subcommand: if batch { words(&["exec"]) } else { Vec::new() },
        common,
        // The home is the session's own: the last conversation is the session's.
        resume: words(&["resume", "--last"]),
        separator: words(&["--"]),
        from_stdin: words(&["-"]),
        ..Launch::default()
    }
}

/// `/etc/codex/requirements.toml`: hooks from there run without asking for trust, beside the user's own.
pub fn requirements() -> String {
    let mut text =
        "allow_managed_hooks_only = false\n[hooks]\nmanaged_dir = \"/workspace/.clauderon/hooks\"\n"
            .to_owned();
    for event in HOOK_EVENTS {
        // Codex allows SessionEnd 3 seconds.
        text.push_str(&format!(
            "[[hooks.{event}]]\nmatcher = \"*\"\n[[hooks.{event}.hooks]]\ntype = \"command\"\n\
             command = \"bash -c '/workspace/.clauderon/hooks/send_status.sh {event}'\"\ntimeout = 3\n"
        ));
    }
    text
}

/// `/etc/codex/config.toml`: the workspace is trusted, so that an interactive start asks nothing. Codex rewrites the
/// file of that name in its home, which is left to it.
pub fn config() -> String {
    "check_for_update_on_startup = false\n\n[projects.\"/workspace\"]\ntrust_level = \"trusted\"\n".to_owned()
}

/// `auth.json`: a placeholder key, as the proxy expects it.
pub fn auth() -> Value {
    json!({ "auth_mode": "apikey", "OPENAI_API_KEY": crate::credential::known::CODEX_KEY })
}
