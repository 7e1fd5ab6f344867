//! Pure. What the agents of a session ask a person: a sub-agent asks beside the others, which go on meanwhile.

use serde_json::Value;

/// Questions that are kept in mind.
const MOST: usize = 64;

/// The open questions, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Asks(Vec<Ask>);

#[derive(Clone, Debug)]
struct Ask {
    /// The sub-agent that asks; none is the agent itself.
    agent: Option<String>,
    /// `permission` or `question`.
    what: &'static str,
    /// For which tool, and what it would do.
    tool: Option<(String, Value)>,
}

impl Asks {
    /// For what is waited.
    pub fn first(&self) -> Option<&'static str> {
        self.0.first().map(|ask| ask.what)
    }

    /// Nobody asks any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Hears a hook.
    pub fn hear(&mut self, kind: &str, data: &Value) {
        let agent = data["agent_id"].as_str();
        let question = data["tool_name"] == "AskUserQuestion";
        match kind {
            // A question is a tool that ends when a person has answered; that it may be asked is asked, too.
            "PreToolUse" => {
                self.answered(agent, None);
                if question {
                    self.ask(agent, "question", data);
                }
            }
            "PermissionRequest" if question => self.ask(agent, "question", data),
            "PermissionRequest" => self.ask(agent, "permission", data),
            "Elicitation" => self.ask(agent, "question", data),
            // Told some seconds after the question: what is asked may be known already.
            "Notification" if data["notification_type"] == "permission_prompt" && self.0.is_empty() => {
                self.ask(agent, "permission", data);
            }
            "PostToolUse" | "PostToolUseFailure" | "PermissionDenied" => self.answered(agent, Some(data)),
            "ElicitationResult" | "SubagentStop" | "UserPromptSubmit" => self.answered(agent, None),
            _ => {}
        }
    }

    fn ask(&mut self, agent: Option<&str>, what: &'static str, data: &Value) {
        let tool = data["tool_name"].as_str().map(|name| (name.to_owned(), core(data)));
        self.0.retain(|ask| ask.agent.as_deref() != agent || ask.tool != tool);
        if self.0.len() < MOST {
            self.0.push(Ask { agent: agent.map(str::to_owned), what, tool });
        }
    }

    /// What an agent does next answers what it has asked; of tools that run beside each other, each its own.
    fn answered(&mut self, agent: Option<&str>, by: Option<&Value>) {
        self.0.retain(|ask| {
            let others = ask.agent.as_deref() != agent;
            let other_tool = by.is_some_and(|data| {
                ask.tool
                    .as_ref()
                    .is_some_and(|(name, what)| data["tool_name"] != name.as_str() || core(data) != *what)
            });
            others || other_tool
        });
    }
}

/// What a tool would do. Codex adds its reasons to what it asks; an answered question comes with its answers.
fn core(data: &Value) -> Value {
    let input = &data["tool_input"];
    for name in ["command", "questions"] {
        if !input[name].is_null() {
            return input[name].clone();
        }
    }
    input.clone()
}
