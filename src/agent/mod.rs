//! Pure. What is known of each agent's command line, hooks and files; one file an agent, with the version and
//! the date of the observation.

pub mod claude;
pub mod codex;

use crate::manifest::project::{AgentKind, Session};

/// How an agent is started: the words of its command line in the order of the fields, the prompt last.
/// `$CLAUDERON_CONVERSATION_ID` stands for the conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Launch {
    /// The program, found in the image's `PATH`.
    pub program: String,
    /// The subcommand, where there is one.
    pub subcommand: Vec<String>,
    /// A `bash` command that succeeds when there is a conversation to go on with.
    pub resumable: String,
    /// A file that would keep a new conversation from its id; empty where there is none.
    pub discard: String,
    /// Options of a new conversation.
    pub fresh: Vec<String>,
    /// Options that go on with a conversation.
    pub resumed: Vec<String>,
    /// Options of either, the manifest's own arguments last.
    pub common: Vec<String>,
    /// The subcommand that goes on with a conversation, after all options.
    pub resume: Vec<String>,
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

/// The hosts at which an agent reaches its model.
pub fn models(kind: AgentKind) -> &'static [&'static str] {
    match kind {
        AgentKind::Claude => &["api.anthropic.com"],
        AgentKind::Codex => &["api.openai.com", "chatgpt.com"],
    }
}

/// How the agent of a session is started.
pub fn launch(session: &Session) -> Launch {
    match session.agent.kind {
        AgentKind::Claude => claude::launch(session),
        AgentKind::Codex => codex::launch(session),
    }
}
