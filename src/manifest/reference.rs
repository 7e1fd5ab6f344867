//! Pure. The reference of the manifest's keys as Markdown, written from the schema alone.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::effect::{self, Effect};
use super::schema::shape;

const INTRODUCTION: &str = "# The manifest\n\n\
    <!-- Written from the schema: change the doc comments in src/manifest/written, then run \
    `CLAUDERON_BLESS=1 cargo test manifest`. -->\n\n\
    `clauderon.yaml` declares the agent sessions of a project. It is looked for in the working directory and above \
    it, up to the root of the repository. For completion and checks in an editor, see \
    [editors](editors.md).\n\n";

const RULES: &str = "\n\n\
    - Short forms expand first: `agent: codex` is `agent: {kind: codex}`.\n\
    - Maps merge, lists replace; volumes merge by their target. Another kind of agent replaces the whole `agent`; \
    `image` or `build` in a session replaces both.\n\
    - `false` turns a cache, a budget or a timeout off, and `repository: false` the checkout.\n\
    - A key twice in one map is an error, and so is an unknown one.\n\
    - Paths are seen from the manifest's directory; `~/` is the home directory.\n\n";

/// The reference.
pub fn reference() -> String {
    let schema = shape();
    let mut text = INTRODUCTION.to_owned();
    text.push_str(schema["description"].as_str().unwrap_or_default());
    text.push_str(RULES);
    effects(&mut text);
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        section(&mut text, &schema, key, value);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What changes do, from the table that the plan goes by.
fn effects(text: &mut String) {
    text.push_str(EFFECTS);
    for (effect, what) in [
        (Effect::Live, "It holds at once; the agent is not disturbed."),
        (
            Effect::Restart,
            "The agent is started again in the same container and goes on with its conversation.",
        ),
        (Effect::Recreate, "The container is replaced: same checkout, same caches, same conversation."),
        (
            Effect::NewConversation,
            "What runs is left alone; `clauderon up --renew SESSION` begins a new conversation. A batch session is \
             given its prompt whenever it is started.",
        ),
        (
            Effect::NewCheckout,
            "What is there is left alone; it counts when the checkout is made, after `clauderon down --checkouts`.",
        ),
    ] {
        let keys = effect::DECLARED.iter().filter(|(key, its)| *its == effect && !STRUCTURE.contains(key));
        let keys: Vec<String> = keys.map(|(key, _)| format!("`{key}`")).collect();
        let _ = writeln!(text, "| {effect} | {what} | {} |", keys.join(", "));
    }
    text.push_str(WAITING);
}

/// Keys that are no setting of a session.
const STRUCTURE: [&str; 2] = ["name", "sessions"];

const EFFECTS: &str = "## What a change does\n\n\
    Each key has one effect on a session that is there already. `clauderon plan` and `up` name it behind each change; \
    of several, the strongest is done. Values of `environment` are not shown, and neither is what looks like a \
    credential.\n\n\
    | effect | what is done | keys |\n| --- | --- | --- |\n";

const WAITING: &str = "\nWhile an agent works, a restart and a recreation wait until it is idle: 10 minutes at most, \
    or as long as `--idle-timeout` says; then `up` says so, exits with 4 and has left the session alone. `--now` does \
    not wait. `clauderon ps` shows what is waited for. An image that has other content under its reference recreates \
    too. What a container was made from is kept in its labels as fields and a versioned hash, and only what both \
    versions know is compared: a new release recreates nothing for its own sake.\n\n";

fn section(text: &mut String, schema: &Value, key: &str, value: &Value) {
    let _ = writeln!(text, "## `{key}`\n\n{}\n", string(value, "description"));
    let _ = writeln!(text, "Type: {}. Default: {}.\n", types(schema, value).join(" or "), default(value));
    choices(text, value);
    let examples = value["examples"].as_array().cloned().unwrap_or_default();
    let shown: Vec<String> = examples.into_iter().map(|example| yaml(key, example)).collect();
    let _ = writeln!(text, "```yaml\n{}\n```\n", shown.join("\n# or\n"));
    if key == "sessions" {
        return;
    }
    for (name, properties) in definitions(schema, value) {
        table(text, schema, &name, &properties);
    }
}

fn table(text: &mut String, schema: &Value, definition: &str, properties: &Map<String, Value>) {
    text.push_str("| key | type | default | example | what |\n| --- | --- | --- | --- | --- |\n");
    for (key, value) in properties {
        let example = value["examples"].get(0).map_or_else(String::new, |example| format!("`{example}`"));
        let mut what = string(value, "description").to_owned();
        for (word, meaning) in words(value) {
            let _ = write!(what, " `{word}`: {meaning}");
        }
        let kind = types(schema, value).join(" or ");
        let row = [format!("`{}`", effect::path(definition, key)), kind, default(value), example, what];
        let _ = writeln!(text, "| {} |", row.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    text.push('\n');
}

fn choices(text: &mut String, value: &Value) {
    let words = words(value);
    for (word, meaning) in &words {
        let _ = writeln!(text, "- `{word}`: {meaning}");
    }
    if !words.is_empty() {
        text.push('\n');
    }
}

/// The words of an enum with their meanings, wherever in the forms of a value they stand.
fn words(value: &Value) -> Vec<(String, String)> {
    let forms = ["anyOf", "oneOf"].iter().filter_map(|key| value[key].as_array()).flatten();
    forms
        .flat_map(|form| match form["const"].as_str() {
            Some(word) => vec![(word.to_owned(), string(form, "description").to_owned())],
            None => words(form),
        })
        .collect()
}

/// The types a value may have, in words.
fn types(schema: &Value, value: &Value) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    if let Some(form) = resolve(schema, value) {
        types(schema, form).into_iter().for_each(&mut add);
    }
    for form in ["anyOf", "oneOf"].iter().filter_map(|key| value[key].as_array()).flatten() {
        types(schema, form).into_iter().for_each(&mut add);
    }
    match (&value["type"], &value["const"]) {
        (_, Value::Bool(switch)) => add(format!("`{switch}`")),
        (Value::String(_), Value::String(_)) => add("one word".to_owned()),
        (Value::String(name), _) => named(name).into_iter().for_each(&mut add),
        (Value::Array(kinds), _) => {
            kinds.iter().filter_map(Value::as_str).filter_map(named).for_each(&mut add);
        }
        _ => {}
    }
    names
}

fn named(name: &str) -> Option<String> {
    let name = match name {
        "string" => "text",
        "integer" => "whole number",
        "array" => "list",
        "object" => "map",
        "boolean" => "`true` or `false`",
        "null" => return None,
        other => other,
    };
    Some(name.to_owned())
}

fn resolve<'a>(schema: &'a Value, value: &Value) -> Option<&'a Value> {
    schema.pointer(value["$ref"].as_str()?.strip_prefix('#')?)
}

/// The maps that a value leads to, with their keys, each once.
fn definitions(schema: &Value, value: &Value) -> Vec<(String, Map<String, Value>)> {
    let mut found = Vec::new();
    if !value.is_object() {
        return found;
    }
    if let (Some(target), Some(name)) = (resolve(schema, value), value["$ref"].as_str()) {
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        let properties = target["properties"].as_object().cloned().unwrap_or_default();
        let inner: Vec<_> = properties.values().flat_map(|value| definitions(schema, value)).collect();
        found.push((name, properties));
        found.extend(inner);
    }
    let lists = ["anyOf", "oneOf"].iter().filter_map(|key| value[key].as_array()).flatten();
    let maps = ["items", "additionalProperties"].iter().map(|key| &value[key]);
    let named = value["patternProperties"].as_object().into_iter().flat_map(Map::values);
    for form in lists.chain(maps).chain(named) {
        found.extend(definitions(schema, form));
    }
    found
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn default(value: &Value) -> String {
    match value.get("default") {
        None => "none; it must be there".to_owned(),
        Some(Value::Null) => "none".to_owned(),
        Some(default) => format!("`{default}`"),
    }
}

fn yaml(key: &str, example: Value) -> String {
    let map: Map<String, Value> = [(key.to_owned(), example)].into_iter().collect();
    serde_saphyr::to_string(&map).unwrap_or_default().trim_end().to_owned()
}
