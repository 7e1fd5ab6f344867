//! The scripted model as Anthropic's messages API speaks. Pure.
//! The shapes are those that Claude Code 2.1.197 reads.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::script::{Beat, Call};

/// Answers `/v1/messages`; `number` tells one answer from another.
pub fn reply(body: &Value, beat: &Beat, number: u64) -> Reply {
    let message = message(body, beat, number);
    let reply = if body["stream"] == true {
        Reply::events(&events(&message), beat.delay_ms)
    } else {
        Reply::json(StatusCode::OK, &message)
    };
    reply.telling(&message["usage"])
}

/// Answers `/v1/messages/count_tokens`, by a rule of thumb.
pub fn count_tokens(body: &Value) -> Reply {
    Reply::json(StatusCode::OK, &json!({"input_tokens": tokens(body)}))
}

fn message(body: &Value, beat: &Beat, number: u64) -> Value {
    let mut content = Vec::new();
    if !beat.say.is_empty() {
        content.push(json!({"type": "text", "text": beat.say}));
    }
    let called = beat.call.as_ref().map(|call| match call {
        Call::Run(command) => ("Bash", json!({"command": command, "description": "A step of the script"})),
        Call::Tool(name, input) => (name.as_str(), input.clone()),
    });
    if let Some((name, input)) = called {
        content.push(
            json!({"type": "tool_use", "id": format!("toolu_{number:08}"), "name": name, "input": input}),
        );
    }
    json!({
        "id": format!("msg_{number:08}"),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": if beat.call.is_some() { "tool_use" } else { "end_turn" },
        "stop_sequence": null,
        "usage": usage(body, &json!(content)),
    })
}

/// Takes a whole message apart into the events that a stream carries it in.
fn events(message: &Value) -> Vec<Value> {
    let mut opening = message.clone();
    opening["content"] = json!([]);
    opening["stop_reason"] = Value::Null;
    opening["usage"]["output_tokens"] = json!(1);
    let mut events = vec![json!({"type": "message_start", "message": opening})];
    let content = message["content"].as_array().map_or(&[][..], Vec::as_slice);
    for (index, block) in content.iter().enumerate() {
        events.extend(block_events(index, block));
    }
    events.push(json!({
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": null},
        "usage": {"output_tokens": message["usage"]["output_tokens"]},
    }));
    events.push(json!({"type": "message_stop"}));
    events
}

fn block_events(index: usize, block: &Value) -> [Value; 3] {
    let mut opening = block.clone();
    let delta = if block["type"] == "text" {
        opening["text"] = json!("");
        json!({"type": "text_delta", "text": block["text"]})
    } else {
        opening["input"] = json!({});
        json!({"type": "input_json_delta", "partial_json": block["input"].to_string()})
    };
    [
        json!({"type": "content_block_start", "index": index, "content_block": opening}),
        json!({"type": "content_block_delta", "index": index, "delta": delta}),
        json!({"type": "content_block_stop", "index": index}),
    ]
}

/// The first message counts as new, of which a few tokens are not worth caching; all else is read from the cache.
fn usage(body: &Value, content: &Value) -> Value {
    let all = tokens(body);
    let new = tokens(&body["messages"][0]).min(all);
    let read = all - new;
    json!({
        "input_tokens": new.min(3),
        "cache_creation_input_tokens": new - new.min(3),
        "cache_read_input_tokens": read,
        "output_tokens": tokens(content),
    })
}

/// About four bytes a token.
fn tokens(value: &Value) -> usize {
    value.to_string().len() / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events_of(beat: &Beat) -> Vec<Value> {
        let reply = reply(&json!({"stream": true}), beat, 3);
        let data = |piece: &bytes::Bytes| {
            let text = std::str::from_utf8(piece).unwrap().to_owned();
            serde_json::from_str(text.split_once("data: ").unwrap().1).unwrap()
        };
        reply.pieces.iter().map(data).collect()
    }

    #[test]
    fn words_and_a_command_are_two_blocks_of_one_stream() {
        let events =
            events_of(&Beat { say: "Hm.".into(), call: Some(Call::Run("ls 'a b'".into())), delay_ms: 0 });
        assert_eq!(events[0]["message"]["content"], json!([]));
        assert_eq!(events[2]["delta"]["text"], "Hm.");
        assert_eq!(events[4]["content_block"]["input"], json!({}));
        let input: Value =
            serde_json::from_str(events[5]["delta"]["partial_json"].as_str().unwrap()).unwrap();
        assert_eq!(input["command"], "ls 'a b'");
        assert_eq!(events[7]["delta"]["stop_reason"], "tool_use");
        assert_eq!(events[8]["type"], "message_stop");
    }

    #[test]
    fn words_alone_end_the_turn() {
        let events = events_of(&Beat { say: "Bye.".into(), ..Beat::default() });
        assert_eq!(events[2]["delta"]["text"], "Bye.");
        assert_eq!(events[4]["delta"]["stop_reason"], "end_turn");
    }

    #[test]
    fn who_asks_for_no_stream_gets_a_whole_message() {
        let beat = Beat { say: "Bye.".into(), ..Beat::default() };
        let reply = reply(&json!({"max_tokens": 1, "model": "m"}), &beat, 1);
        let message: Value = serde_json::from_slice(&reply.pieces[0]).unwrap();
        assert_eq!((&message["content"][0]["text"], &message["model"]), (&json!("Bye."), &json!("m")));
        assert_eq!(reply.content_type, "application/json");
    }
}
