//! Requests beside the conversation (a title, a quota check) and their answers. Pure.
//! Claude Code 2.1.197 offers no tools in them; Codex 0.169 does, but dictates the answer's shape.

use serde_json::{Map, Value, json};

use crate::script::Beat;
use crate::tools::{list, offered};

const ANSWER: &str = "A scripted model";

/// Whether a request is one that no script is about.
pub fn is_side(body: &Value) -> bool {
    schema(body).is_some() || offered(body).is_empty()
}

/// The answer to such a request, in the shape that it dictates.
pub fn beat(body: &Value) -> Beat {
    let say = schema(body).map_or_else(|| ANSWER.to_owned(), |schema| filled(schema).to_string());
    Beat { say, ..Beat::default() }
}

/// Either provider's place for the schema of an answer.
fn schema(body: &Value) -> Option<&Value> {
    let formats = [&body["output_config"]["format"], &body["text"]["format"]];
    formats.into_iter().find(|format| format["type"] == "json_schema").map(|format| &format["schema"])
}

fn filled(schema: &Value) -> Value {
    let required = list(schema, "required").iter().filter_map(Value::as_str);
    Value::Object(required.map(|name| (name.to_owned(), json!(ANSWER))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_tools_is_a_side_request() {
        let body = json!({"max_tokens": 1, "tools": []});
        assert!(is_side(&body));
        assert_eq!(beat(&body), Beat { say: ANSWER.into(), ..Beat::default() });
    }

    #[test]
    fn an_answer_in_a_dictated_shape_is_a_side_request_even_with_tools() {
        let format = json!({"type": "json_schema", "schema": {"required": ["title"]}});
        for body in [
            json!({"tools": [{"name": "exec"}], "text": {"format": format}}),
            json!({"output_config": {"format": format}}),
        ] {
            assert!(is_side(&body), "{body}");
            assert_eq!(beat(&body).say, json!({"title": ANSWER}).to_string());
        }
    }

    #[test]
    fn a_turn_of_the_conversation_is_none() {
        assert!(!is_side(&json!({"tools": [{"name": "Bash"}], "text": {"verbosity": "low"}})));
    }
}
