//! An answer before it is put on the wire: a status and the pieces of its body. Pure.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;

/// An answer: the first piece leaves at once, the rest after the delay.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status of the answer.
    pub status: StatusCode,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body, in the pieces it is sent in.
    pub pieces: Vec<Bytes>,
    /// How long the model thinks between the first piece and the next.
    pub delay: Duration,
    /// What it says of its tokens, in the provider's own words.
    pub usage: Value,
}

impl Reply {
    /// A whole JSON document.
    pub fn json(status: StatusCode, value: &Value) -> Self {
        let pieces = vec![Bytes::from(value.to_string())];
        Self { status, content_type: "application/json", pieces, delay: Duration::ZERO, usage: Value::Null }
    }

    /// A stream of server-sent events.
    pub fn events<'a>(events: impl IntoIterator<Item = &'a Value>, delay_ms: u64) -> Self {
        let pieces = events.into_iter().map(encode).collect();
        let delay = Duration::from_millis(delay_ms);
        let (status, content_type) = (StatusCode::OK, "text/event-stream");
        Self { status, content_type, pieces, delay, usage: Value::Null }
    }

    /// The same, with what is recorded of its tokens.
    pub fn telling(self, usage: &Value) -> Self {
        Self { usage: usage.clone(), ..self }
    }
}

/// Writes one event; both providers name it as its `type` does.
fn encode(event: &Value) -> Bytes {
    let name = event["type"].as_str().unwrap_or("message");
    Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line_of_data_whatever_it_says() {
        let event = json!({"type": "delta", "text": "one\ntwo\r\n\u{2028}'\"$(id)"});
        let encoded = encode(&event);
        let text = std::str::from_utf8(&encoded).unwrap();
        let data = text.strip_prefix("event: delta\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        assert_eq!(data.lines().count(), 1);
        assert_eq!(serde_json::from_str::<Value>(data).unwrap(), event);
    }

    #[test]
    fn each_event_is_a_piece_of_its_own() {
        let reply = Reply::events(&[json!({"type": "a"}), json!({"type": "b"})], 7);
        assert_eq!(
            reply.pieces,
            ["event: a\ndata: {\"type\":\"a\"}\n\n", "event: b\ndata: {\"type\":\"b\"}\n\n"]
        );
        assert_eq!(reply.delay, Duration::from_millis(7));
    }
}
