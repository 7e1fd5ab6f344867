//! Pure. What the end of an agent's transcript tells that no hook does: a person has broken the turn off. Observed with
//! Claude Code 2.1.197 and Codex 0.169.0 on 2026-11-30.

use serde_json::Value;

/// When the turn was broken off, RFC 3339, where that is the last that was said in a transcript of which this is the end.
pub fn interrupted(end: &[u8]) -> Option<String> {
    let lines = end.split(|byte| *byte == b'\n').rev();
    // A line that is being written, or whose begin was cut off, is none.
    let mut said = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok()).filter(is_said);
    let last = said.next()?;
    let broken = last["payload"]["type"] == "turn_aborted" || is_broken_off(&last["message"]["content"]);
    broken.then(|| last["timestamp"].as_str().map(str::to_owned)).flatten()
}

/// Whether a line belongs to the conversation: both agents note other things between.
fn is_said(line: &Value) -> bool {
    let payload = &line["payload"]["type"];
    match line["type"].as_str() {
        Some("user" | "assistant" | "response_item" | "turn_context") => true,
        Some("event_msg") => {
            payload == "turn_aborted" || payload == "user_message" || payload == "task_started"
        }
        _ => false,
    }
}

fn is_broken_off(content: &Value) -> bool {
    let words =
        |text: &Value| text.as_str().is_some_and(|text| text.starts_with("[Request interrupted by user"));
    words(content)
        || content.as_array().is_some_and(|blocks| blocks.iter().any(|block| words(&block["text"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAUDE: &str = r#"{"type":"user","message":{"role":"user","content":[{"type":"tool_result"}]},"timestamp":"1"}
{"type":"user","message":{"role":"user","content":[{"type":"text","text":"[Request interrupted by user for tool use]"}]},"timestamp":"2"}
"#;
    const CODEX: &str = r#"{"timestamp":"1","type":"response_item","payload":{"type":"message","role":"developer"}}
{"timestamp":"2","type":"event_msg","payload":{"type":"turn_aborted","reason":"interrupted"}}
"#;

    #[test]
    fn a_turn_that_was_broken_off_is_known_to_both() {
        for text in [CLAUDE, CODEX] {
            assert_eq!(interrupted(text.as_bytes()).as_deref(), Some("2"));
            let between = format!(
                "{text}{{\"type\":\"file-history-snapshot\"}}\n{{\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\"}}}}\n"
            );
            assert_eq!(interrupted(between.as_bytes()).as_deref(), Some("2"));
        }
    }

    #[test]
    fn what_goes_on_was_not() {
        for next in [
            r#"{"type":"user","message":{"role":"user","content":"go on"},"timestamp":"3"}"#,
            r#"{"type":"event_msg","payload":{"type":"task_started"},"timestamp":"3"}"#,
            r#"{"type":"assistant","message":{"content":[{"type":"text","text":"a [Request interrupted by user"}]},"timestamp":"3"}"#,
        ] {
            assert_eq!(interrupted(format!("{CLAUDE}{next}\n").as_bytes()), None, "{next}");
        }
    }

    #[test]
    fn odd_bytes_say_nothing() {
        for odd in [&b""[..], b"\n\n", b"\xff\xfe\n{", b"[]\n7\nnull", b"{\"type\":\"user\",\"message\":7}"] {
            assert_eq!(interrupted(odd), None);
        }
        assert_eq!(interrupted(&CLAUDE.as_bytes()[20..]).as_deref(), Some("2"), "its begin was cut off");
    }
}
