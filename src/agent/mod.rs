//! Pure. What is known of each agent's command line, hooks and files; one file an agent, with the version and
//! the date of the observation.

pub mod claude;
pub mod codex;

use crate::manifest::project::{AgentKind, Session};

/// How an agent is started: the words of its command line before the prompt, fresh and resumed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Launch {
    /// The program, found in the image's `PATH`.
    pub program: String,
    /// A `bash` test that holds when there is a conversation to go on with.
    pub resumable: String,
    /// The words of a new conversation. `$CLAUDERON_CONVERSATION_ID` stands for the conversation.
    pub fresh: Vec<String>,
    /// The words that go on with a conversation.
    pub resumed: Vec<String>,
    /// The words after either, before the prompt: the manifest's own arguments last.
    pub common: Vec<String>,
    /// What stands between the options and the prompt.
    pub separator: Vec<String>,
    /// What stands for the prompt where it comes by standard input.
    pub from_stdin: Vec<String>,
}

/// The program of an agent.
pub fn program(kind: AgentKind) -> &'static str {
    match kind {
        AgentKind::Claude => "claude",
        AgentKind::Codex => "codex",
    }
}

/// How the agent of a session is started.
pub fn launch(session: &Session) -> Launch {
    match session.agent.kind {
        AgentKind::Claude => claude::launch(session),
        AgentKind::Codex => codex::launch(session),
    }
}

/// One hook entry, in the shape that both agents read.
fn hook(event: &str) -> serde_json::Value {
    serde_json::json!({
        "matcher": "*",
        "hooks": [{
            "type": "command",
            "command": format!("bash -c '/workspace/.clauderon/hooks/send_status.sh {event}'"),
            "timeout": 10,
        }],
    })
}
