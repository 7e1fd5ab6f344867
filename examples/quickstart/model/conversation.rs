//! What a request's body tells of the conversation so far, for either provider. Pure.
//! Bodies are other people's bytes: whatever is missing reads as empty.

use serde::Serialize;
use serde_json::Value;

use crate::side::is_side;
use crate::tools::list;

/// How Claude Code and Codex open the text blocks that they add to the user's own.
const ADDED_BY_THE_AGENT: [&str; 5] = [
    "<system-reminder>",
    "<environment_context>",
    "<user_instructions>",
    "# AGENTS.md instructions",
    "<permissions",
];

/// The state of a conversation, as far as a script needs it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// What the user said last, byte for byte.
    pub user_text: String,
    /// How many messages there are.
    pub turns: usize,
    /// How many commands have answered since the user spoke.
    pub tool_results: usize,
    /// Whether this is no turn of the conversation, but a request beside it.
    pub side: bool,
    /// All that was said, in order, without what the agents add.
    pub said: Vec<Said>,
}

/// A piece of text of a conversation.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Who said it: `user` or `assistant`.
    pub role: String,
    /// What, byte for byte.
    pub text: String,
}

/// Reads the body of Anthropic's `/v1/messages`.
pub fn from_messages(body: &Value) -> Conversation {
    let mut conversation = Conversation { side: is_side(body), ..Conversation::default() };
    for message in list(body, "messages") {
        conversation.turns += 1;
        if let Some(role @ ("user" | "assistant")) = message["role"].as_str() {
            match &message["content"] {
                Value::String(text) => conversation.hear(role, text),
                Value::Array(blocks) => blocks.iter().for_each(|block| conversation.read(role, block)),
                _ => {}
            }
        }
    }
    conversation
}

/// Reads the body of `OpenAI`'s `/v1/responses`.
pub fn from_responses(body: &Value) -> Conversation {
    let mut conversation = Conversation { side: is_side(body), ..Conversation::default() };
    for item in list(body, "input") {
        conversation.turns += 1;
        match item["role"].as_str() {
            Some(role @ ("user" | "assistant")) => {
                for block in list(item, "content") {
                    conversation.read(role, block);
                }
            }
            Some(_) => {}
            None => conversation.read("tool", item),
        }
    }
    conversation
}

impl Conversation {
    fn read(&mut self, role: &str, block: &Value) {
        match block["type"].as_str() {
            Some("text" | "input_text" | "output_text") => {
                self.hear(role, block["text"].as_str().unwrap_or_default());
            }
            Some("tool_result" | "function_call_output" | "custom_tool_call_output") => {
                self.tool_results += 1;
            }
            _ => {}
        }
    }

    fn hear(&mut self, role: &str, text: &str) {
        if ADDED_BY_THE_AGENT.iter().any(|opening| text.starts_with(opening)) {
            return;
        }
        self.said.push(Said { role: role.to_owned(), text: text.to_owned() });
        if role == "user" {
            text.clone_into(&mut self.user_text);
            self.tool_results = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(role: &str, text: &str) -> Said {
        Said { role: role.into(), text: text.into() }
    }

    #[test]
    fn both_sides_of_a_conversation_are_kept_in_order() {
        let claude = json!({"messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": [{"type": "text", "text": "two"}, {"type": "tool_use"}]},
            {"role": "user", "content": [{"type": "tool_result", "content": "ok"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "three"}]},
        ]});
        let message = |role: &str, kind: &str, text: &str| json!({"role": role, "content": [{"type": kind, "text": text}]});
        let codex = json!({"input": [
            message("user", "input_text", "one"),
            message("assistant", "output_text", "two"),
            {"type": "function_call_output", "output": "ok"},
            message("assistant", "output_text", "three"),
        ]});
        for conversation in [from_messages(&claude), from_responses(&codex)] {
            assert_eq!(
                conversation.said,
                [said("user", "one"), said("assistant", "two"), said("assistant", "three")]
            );
            assert_eq!((conversation.user_text.as_str(), conversation.tool_results), ("one", 1));
        }
    }

    #[test]
    fn the_users_own_words_are_kept_byte_for_byte() {
        let words = " -x 'it' \"now\" $(id) \u{1f600}\r\n\ttail\n";
        let body = json!({"tools": [{"name": "Bash"}], "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>\nadded\n</system-reminder>"},
                {"type": "text", "text": words},
            ]},
            {"role": "system", "content": "more tools"},
        ]});
        let said = vec![said("user", words)];
        let expected = Conversation { user_text: words.into(), turns: 2, tool_results: 0, side: false, said };
        assert_eq!(from_messages(&body), expected);
    }

    #[test]
    fn results_are_counted_since_the_user_spoke() {
        let result = json!({"role": "user", "content": [{"type": "tool_result", "content": "ok"}]});
        let said = |text: &str| json!({"role": "user", "content": text});
        let body = json!({"messages": [said("one"), result, said("two"), result, result]});
        let conversation = from_messages(&body);
        assert_eq!((conversation.user_text.as_str(), conversation.tool_results), ("two", 2));
        assert!(conversation.side);
    }

    #[test]
    fn a_reminder_beside_a_result_is_not_the_user_speaking() {
        let body = json!({"messages": [
            {"role": "user", "content": "one"},
            {"role": "user", "content": [
                {"type": "tool_result", "content": "ok"},
                {"type": "text", "text": "<system-reminder>x</system-reminder>"},
            ]},
        ]});
        let conversation = from_messages(&body);
        assert_eq!((conversation.user_text.as_str(), conversation.tool_results), ("one", 1));
    }

    #[test]
    fn codex_is_read_as_well() {
        let message = |role: &str, text: &str| json!({"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]});
        let body = json!({"input": [
            message("developer", "You are Codex"),
            message("user", "<environment_context>\n</environment_context>"),
            message("user", "fix it"),
            {"type": "function_call", "name": "exec_command"},
            {"type": "function_call_output", "output": "ok"},
            {"type": "custom_tool_call_output", "output": [{"type": "input_text", "text": "not the user"}]},
        ]});
        let said = vec![said("user", "fix it")];
        let expected =
            Conversation { user_text: "fix it".into(), turns: 6, tool_results: 2, side: true, said };
        assert_eq!(from_responses(&body), expected);
    }

    #[test]
    fn other_shapes_read_as_empty() {
        for body in
            [json!(null), json!({"messages": [3, {"role": "user", "content": 1}]}), json!({"input": {}})]
        {
            assert_eq!(from_messages(&body).user_text, "");
            assert_eq!(from_responses(&body).user_text, "");
        }
    }
}
