//! Which tools a request offers to the model, wherever the agent put them. Pure.

use serde_json::Value;

/// Codex 0.169 sends them as an item of the input to most models and as `tools` to older ones.
const TOOLS_AS_INPUT: &str = "additional_tools";

/// The names of all tools on offer, those inside namespaces included.
pub fn offered(body: &Value) -> Vec<&str> {
    let as_input = list(body, "input").iter().filter(|item| item["type"] == TOOLS_AS_INPUT);
    let lists = std::iter::once(body).chain(as_input).map(|holder| list(holder, "tools"));
    lists.flatten().flat_map(names).collect()
}

/// The name of a tool, or of those in a namespace; `OpenAI`'s own have only a type.
fn names(tool: &Value) -> Vec<&str> {
    if tool["type"] == "namespace" {
        list(tool, "tools").iter().filter_map(|inner| inner["name"].as_str()).collect()
    } else {
        tool["name"].as_str().or_else(|| tool["type"].as_str()).into_iter().collect()
    }
}

/// An array inside a value, or nothing.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_and_typed_tools_are_found() {
        let body = json!({"tools": [{"name": "Bash"}, {"type": "web_search"}, {}, 7]});
        assert_eq!(offered(&body), ["Bash", "web_search"]);
    }

    #[test]
    fn tools_in_namespaces_of_the_input_are_found() {
        let body = json!({"input": [
            {"type": "additional_tools", "tools": [
                {"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}, {"name": "wait"}]}
            ]},
            {"type": "message", "tools": [{"name": "no"}]},
        ]});
        assert_eq!(offered(&body), ["exec", "wait"]);
    }

    #[test]
    fn anything_else_offers_nothing() {
        for body in
            [json!(null), json!([]), json!({"tools": "all", "input": 3}), json!({"input": [{"tools": 1}]})]
        {
            assert!(offered(&body).is_empty(), "{body}");
        }
    }
}
