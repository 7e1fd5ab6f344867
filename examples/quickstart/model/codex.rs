//! The scripted model as `OpenAI`'s responses API speaks. Pure.
//! The shapes are those that Codex 0.169 reads.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::script::{Beat, Call};
use crate::tools::{list, offered};

/// The last item of a request for a compaction, whose answer is an item that only the provider can read.
const COMPACTION: &str = "compaction_trigger";

/// The accounts of a login: what codex asks before its first turn.
pub fn accounts() -> Reply {
    let account = json!({
        "id": "acct-1",
        "account_user_id": "user-1__acct-1",
        "structure": "personal",
        "plan_type": "plus",
        "workspace_backend_origin": "NO_CONSTRAINT",
        "account_routing_override": "NO_CONSTRAINT",
    });
    Reply::json(
        StatusCode::OK,
        &json!({"accounts": [account], "account_ordering": ["acct-1"], "default_account_id": "acct-1"}),
    )
}

/// Answers `/v1/responses`; `number` tells one answer from another.
pub fn reply(body: &Value, beat: &Beat, number: u64) -> Reply {
    let items = items(body, beat, number);
    let response = response(body, &items, number);
    let reply = if body["stream"] == true {
        Reply::events(&events(&items, &response), beat.delay_ms)
    } else {
        Reply::json(StatusCode::OK, &response)
    };
    reply.telling(&response["usage"])
}

fn items(body: &Value, beat: &Beat, number: u64) -> Vec<Value> {
    let mut items = Vec::new();
    if list(body, "input").last().is_some_and(|item| item["type"] == COMPACTION) {
        let id = format!("cmp_{number:08}");
        return vec![json!({"type": "compaction", "id": id, "encrypted_content": "of a scripted model"})];
    }
    if !beat.say.is_empty() {
        let content = json!([{"type": "output_text", "text": beat.say, "annotations": []}]);
        items.push(json!({"type": "message", "id": format!("msg_{number:08}"), "role": "assistant", "status": "completed", "content": content}));
    }
    match &beat.call {
        None => {}
        Some(Call::Run(command)) => items.push(shell_call(body, command, number)),
        Some(Call::Tool(name, input)) => items.push(tool_call(body, name, input, number)),
    }
    items
}

/// Asks for a tool by its name: in a program, where this request offers to run one.
fn tool_call(body: &Value, name: &str, input: &Value, number: u64) -> Value {
    if offered(body).contains(&"exec") {
        let program = format!("text(await tools.{name}({input}));");
        call("custom_tool_call", "exec", ("input", program), number)
    } else {
        call("function_call", name, ("arguments", input.to_string()), number)
    }
}

/// Asks for a command through whichever tool this request offers for it.
fn shell_call(body: &Value, command: &str, number: u64) -> Value {
    let tools = offered(body);
    let (kind, name, payload, text) = if tools.contains(&"exec") {
        ("custom_tool_call", "exec", "input", program(command))
    } else if tools.contains(&"exec_command") {
        ("function_call", "exec_command", "arguments", unified_arguments(command).to_string())
    } else if tools.contains(&"shell_command") {
        ("function_call", "shell_command", "arguments", json!({"command": command}).to_string())
    } else {
        ("function_call", "shell", "arguments", json!({"command": ["bash", "-c", command]}).to_string())
    };
    call(kind, name, (payload, text), number)
}

fn call(kind: &str, name: &str, (payload, text): (&str, String), number: u64) -> Value {
    json!({
        "type": kind,
        "id": format!("tool_{number:08}"),
        "call_id": format!("call_{number:08}"),
        "status": "completed",
        "name": name,
        payload: text,
    })
}

/// The JavaScript that newer models write in the place of calls; JSON is a part of it.
fn program(command: &str) -> String {
    format!("text(await tools.exec_command({}));", unified_arguments(command))
}

/// Asks for the longest wait that Codex grants, so that a command ends within one call.
fn unified_arguments(command: &str) -> Value {
    json!({"cmd": command, "yield_time_ms": 30_000})
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
            "input_tokens_details": {"cached_tokens": input / 2},
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

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = "echo \"it's\" > 'a b' && printf '\\n'";

    fn call(tool: &str) -> Value {
        shell_call(&json!({"tools": [{"type": "function", "name": tool}]}), COMMAND, 1)
    }

    #[test]
    fn a_command_goes_through_the_tool_on_offer() {
        let arguments =
            |call: &Value| serde_json::from_str::<Value>(call["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(arguments(&call("exec_command"))["cmd"], COMMAND);
        assert_eq!(arguments(&call("shell_command")), json!({"command": COMMAND}));
        assert_eq!(arguments(&call("shell")), json!({"command": ["bash", "-c", COMMAND]}));
        assert_eq!(call("shell")["type"], "function_call");
    }

    #[test]
    fn a_program_carries_the_command_as_json() {
        let call = call("exec");
        assert_eq!((&call["type"], &call["name"]), (&json!("custom_tool_call"), &json!("exec")));
        let program = call["input"].as_str().unwrap();
        let arguments =
            program.strip_prefix("text(await tools.exec_command(").unwrap().strip_suffix("));").unwrap();
        assert_eq!(serde_json::from_str::<Value>(arguments).unwrap()["cmd"], COMMAND);
    }

    #[test]
    fn a_stream_opens_carries_each_item_and_completes() {
        let beat = Beat { say: "Hm.".into(), call: Some(Call::Run("ls".into())), delay_ms: 9 };
        let reply = reply(&json!({"stream": true, "tools": [{"name": "shell"}]}), &beat, 3);
        let name = |piece: &bytes::Bytes| {
            let text = std::str::from_utf8(piece).unwrap().lines().next().unwrap().to_owned();
            text.strip_prefix("event: response.").unwrap().to_owned()
        };
        let names: Vec<_> = reply.pieces.iter().map(name).collect();
        let expected = [
            "created",
            "output_item.added",
            "output_text.delta",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "completed",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn who_asks_for_no_stream_gets_a_whole_response() {
        let reply = reply(&json!({}), &Beat { say: "Bye.".into(), ..Beat::default() }, 1);
        let response: Value = serde_json::from_slice(&reply.pieces[0]).unwrap();
        assert_eq!(response["output"][0]["content"][0]["text"], "Bye.");
        assert_eq!(response["status"], "completed");
    }
}
