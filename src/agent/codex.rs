//! Pure. Codex CLI, observed with 0.169.0 on 2026-11-24.

use super::Launch;
use crate::manifest::project::{Mode, Permissions, Session};
use serde_json::{Value, json};

/// The hook events that are reported.
pub const HOOK_EVENTS: [&str; 9] = [
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PermissionRequest",
    "PreCompact",
    "PostCompact",
    "Stop",
    "SessionEnd",
];

/// The command line.
pub fn launch(session: &Session) -> Launch {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let batch = session.mode == Mode::Batch;
    let mut common = match session.permissions {
        Permissions::Bypass => words(&["--dangerously-bypass-approvals-and-sandbox"]),
        Permissions::AcceptEdits => {
            words(&["-c", "sandbox_mode=workspace-write", "-c", "approval_policy=on-request"])
        }
        Permissions::Ask => words(&["-c", "sandbox_mode=read-only", "-c", "approval_policy=on-request"]),
    };
    // The hooks come from a file of ours, mounted read-only; without the flag they wait for a person's trust.
    common.push("--dangerously-bypass-hook-trust".to_owned());
    if batch {
        common.push("--skip-git-repo-check".to_owned());
    }
    if let Some(model) = &session.agent.model {
        common.extend(["--model".to_owned(), model.clone()]);
    }
    common.extend(session.agent.args.iter().cloned());
    Launch {
        program: "codex".to_owned(),
        resumable: "-n \"$(find \"$CODEX_HOME/sessions\" -name '*.jsonl' -print -quit 2>/dev/null)\""
            .to_owned(),
        fresh: if batch { words(&["exec"]) } else { Vec::new() },
        resumed: if batch { words(&["exec", "resume", "--last"]) } else { words(&["resume", "--last"]) },
        common,
        separator: words(&["--"]),
        from_stdin: words(&["-"]),
    }
}

/// `hooks.json`.
pub fn hooks() -> Value {
    let hooks = HOOK_EVENTS.iter().map(|event| ((*event).to_owned(), json!([super::hook(event)])));
    json!({ "hooks": hooks.collect::<serde_json::Map<_, _>>() })
}

/// `config.toml`: the workspace is trusted, so that an interactive start asks nothing.
pub fn config() -> String {
    "check_for_update_on_startup = false\n\n[projects.\"/workspace\"]\ntrust_level = \"trusted\"\n".to_owned()
}

/// `auth.json`: a placeholder key, as the proxy expects it.
pub fn auth() -> Value {
    json!({ "OPENAI_API_KEY": "sk-openai-clauderon-proxy-placeholder" })
}
