//! What a request's body tells of the conversation so far, for either provider. Pure.
//! Bodies are other people's bytes: whatever is missing reads as empty.

use serde_json::Value;

/// How Claude Code and Codex open the text blocks that they add to the user's own.
const ADDED_BY_THE_AGENT: [&str; 5] =
    ["<system-reminder>", "<environment_context>", "<user_instructions>", "# AGENTS.md instructions", "<permissions"];

/// The state of a conversation, as far as a script needs it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// What the user said last, byte for byte.
    pub user_text: String,
    /// How many messages there are.
    pub turns: usize,
    /// How many commands have answered since the user spoke.
    pub tool_results: usize,
    /// Whether the model is offered any tool: side requests are not.
    pub has_tools: bool,
}

/// Reads the body of Anthropic's `/v1/messages`.
pub fn from_messages(body: &Value) -> Conversation {
    let mut conversation = Conversation { has_tools: has_tools(body), ..Conversation::default() };
    for message in list(body, "messages") {
        conversation.turns += 1;
        if message["role"] == "user" {
            match &message["content"] {
                Value::String(text) => conversation.hear(text),
                Value::Array(blocks) => blocks.iter().for_each(|block| conversation.read(block)),
                _ => {}
            }
        }
    }
    conversation
}

/// Reads the body of `OpenAI`'s `/v1/responses`.
pub fn from_responses(body: &Value) -> Conversation {
    let mut conversation = Conversation { has_tools: has_tools(body), ..Conversation::default() };
    for item in list(body, "input") {
        conversation.turns += 1;
        if item["role"] == "user" {
            list(item, "content").iter().for_each(|block| conversation.read(block));
        } else {
            conversation.read(item);
        }
    }
    conversation
}

impl Conversation {
    fn read(&mut self, block: &Value) {
        match block["type"].as_str() {
            Some("text" | "input_text") => self.hear(block["text"].as_str().unwrap_or_default()),
            Some("tool_result" | "function_call_output" | "custom_tool_call_output") => self.tool_results += 1,
            _ => {}
        }
    }

    fn hear(&mut self, text: &str) {
        if ADDED_BY_THE_AGENT.iter().any(|opening| text.starts_with(opening)) {
            return;
        }
        text.clone_into(&mut self.user_text);
        self.tool_results = 0;
    }
}

fn has_tools(body: &Value) -> bool {
    !list(body, "tools").is_empty()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
