//! The scripted model as OpenAI's responses API speaks. Pure.
//! The shapes are those that Codex 0.169 reads.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::conversation::{Conversation, from_responses};
use crate::reply::{Reply, SIDE_ANSWER};
use crate::script::{Beat, Script};

/// Answers `/v1/responses`; `number` tells one answer from another.
pub fn reply(body: &Value, script: &Script, number: u64) -> Reply {
    let conversation = from_responses(body);
    let beat = beat_of(&conversation, script);
    let items = items(body, &beat, number);
    let response = response(body, &items, number);
    if body["stream"] == true {
        Reply::events(&events(&items, &response), beat.delay_ms)
    } else {
        Reply::json(StatusCode::OK, &response)
    }
}

fn beat_of(conversation: &Conversation, script: &Script) -> Beat {
    if conversation.has_tools {
        script.beat(&conversation.user_text, conversation.tool_results)
    } else {
        Beat { say: SIDE_ANSWER.to_owned(), ..Beat::default() }
    }
}

fn items(body: &Value, beat: &Beat, number: u64) -> Vec<Value> {
    let mut items = Vec::new();
    if !beat.say.is_empty() {
        let content = json!([{"type": "output_text", "text": beat.say, "annotations": []}]);
        items.push(json!({"type": "message", "id": format!("msg_{number:08}"), "role": "assistant", "status": "completed", "content": content}));
    }
    if let Some(command) = &beat.run {
        items.push(shell_call(body, command, number));
    }
    items
}

/// Asks for a command through whichever tool this request offers for it.
fn shell_call(body: &Value, command: &str, number: u64) -> Value {
    let tools = body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let offered = |name: &str| tools.iter().any(|tool| tool["name"] == name);
    let (name, arguments) = if offered("exec_command") {
        ("exec_command", json!({"cmd": command}))
    } else if offered("shell_command") {
        ("shell_command", json!({"command": command}))
    } else {
        ("shell", json!({"command": ["bash", "-c", command]}))
    };
    json!({
        "type": "function_call",
        "id": format!("fc_{number:08}"),
        "call_id": format!("call_{number:08}"),
        "name": name,
        "arguments": arguments.to_string(),
        "status": "completed",
    })
}

fn response(body: &Value, items: &[Value], number: u64) -> Value {
    let (input, output) = (tokens(body), tokens(&json!(items)));
    json!({
        "id": format!("resp_{number:08}"),
        "object": "response",
        "status": "completed",
        "model": body["model"],
        "output": items,
        "usage": {
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input + output,
        },
    })
}

fn events(items: &[Value], response: &Value) -> Vec<Value> {
    let mut opening = response.clone();
    opening["status"] = json!("in_progress");
    opening["output"] = json!([]);
    opening["usage"] = Value::Null;
    let mut events = vec![json!({"type": "response.created", "response": opening})];
    for (index, item) in items.iter().enumerate() {
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item}));
        if item["type"] == "message" {
            events.push(json!({
                "type": "response.output_text.delta",
                "item_id": item["id"],
                "output_index": index,
                "content_index": 0,
                "delta": item["content"][0]["text"],
            }));
        }
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    events.push(json!({"type": "response.completed", "response": response}));
    events
}

/// About four bytes a token.
fn tokens(value: &Value) -> usize {
    value.to_string().len() / 4
}
