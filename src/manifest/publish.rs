//! Pure. From the annotated shape to the published schema: the rules join the schemas that they stand in, names of maps
//! are checked as names, known caches get words of their own, and forms inside of forms become one list, which is what
//! the YAML language server understands best.

use serde_json::{Map, Value, json};

use super::forms::flatten;
use super::scalar::NAME_RULE;

/// The key of the rules that the types do not know.
const RULE: &str = "x-rule";

/// Maps whose one key says what they are: a description of their own would hide the key's in an editor.
const EXPLAINED_BY_THEIR_KEY: [&str; 14] = [
    "Agent",
    "Budget",
    "Build",
    "Cache",
    "Credential",
    "Host",
    "KnownCache",
    "Notify",
    "Prompt",
    "Proxy",
    "Repository",
    "Resources",
    "Session",
    "Timeout",
];

/// What a value with a variable in it looks like.
const VARIABLE: &str = r"\$\{";

/// The published schema.
pub fn publish(mut schema: Value) -> Value {
    let known = known_cache(&schema["$defs"]["Cache"]);
    schema["$defs"]["KnownCache"] = known;
    merge_rules(&mut schema);
    flatten_all(&mut schema);
    each(&mut schema, &mut name_keys);
    type_at_use(&mut schema);
    each(&mut schema, &mut show);
    explain_named(&mut schema);
    for name in EXPLAINED_BY_THEIR_KEY {
        if let Some(definition) = schema["$defs"][name].as_object_mut() {
            definition.shift_remove("description");
        }
    }
    each(&mut schema, &mut mark_down);
    for key in ["properties", "$defs"] {
        widen(&mut schema[key]);
    }
    schema
}

/// Lets `${…}` stand for any value: what it becomes is known to `validate` alone. Keys and conditions stay as they are.
fn widen(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (_, inner) in
                map.iter_mut().filter(|(key, _)| !["propertyNames", "if", "examples"].contains(&key.as_str()))
            {
                widen(inner);
            }
            widen_one(map);
        }
        Value::Array(items) => items.iter_mut().for_each(widen),
        _ => {}
    }
}

fn widen_one(map: &mut Map<String, Value>) {
    let variable = json!({"type": "string", "pattern": VARIABLE});
    if let Some(Value::String(pattern)) = map.get_mut("pattern") {
        *pattern = format!("{pattern}|{VARIABLE}");
        return;
    }
    if map.contains_key("const") || map.contains_key("enum") {
        let mut only = Map::new();
        for key in ["const", "enum", "type", "markdownEnumDescriptions"] {
            if let Some(value) = map.shift_remove(key) {
                only.insert(key.to_owned(), value);
            }
        }
        map.insert("anyOf".to_owned(), json!([only, variable]));
        return;
    }
    let kinds: Vec<&str> = match map.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let typed = kinds.iter().any(|kind| ["number", "integer", "boolean"].contains(kind));
    if typed && !kinds.contains(&"string") {
        let kinds: Vec<&str> = kinds.into_iter().chain(["string"]).collect();
        map.insert("type".to_owned(), json!(kinds));
        map.insert("pattern".to_owned(), json!(VARIABLE));
    }
}

/// Takes the rules away.
pub fn take_rules(schema: &mut Value) {
    each(schema, &mut |map| drop(map.shift_remove(RULE)));
}

/// Does something with every object, the innermost first.
fn each(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(|value| each(value, change));
            change(map);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, change)),
        _ => {}
    }
}

fn merge_rules(schema: &mut Value) {
    each(schema, &mut |map| {
        if let Some(Value::Object(rule)) = map.shift_remove(RULE) {
            for (key, value) in rule {
                merge(map, key, value);
            }
        }
    });
}

/// Adds a keyword of a rule; maps join.
fn merge(map: &mut Map<String, Value>, key: String, value: Value) {
    match (map.get_mut(&key), value) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            for (key, value) in new {
                merge(old, key, value);
            }
        }
        (_, value) => drop(map.insert(key, value)),
    }
}

/// Flattens from outside in: a list of forms takes those inside of it up as they are.
fn flatten_all(value: &mut Value) {
    match value {
        Value::Object(map) => {
            flatten(map);
            map.values_mut().for_each(flatten_all);
        }
        Value::Array(items) => items.iter_mut().for_each(flatten_all),
        _ => {}
    }
}

/// Moves the type of each definition to where it is used: there the short forms have theirs.
fn type_at_use(schema: &mut Value) {
    for definition in schema["$defs"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        definition.as_object_mut().map(|definition| definition.shift_remove("type"));
    }
    each(schema, &mut |map| {
        if map.contains_key("$ref") && !map.contains_key("type") {
            map.insert("type".to_owned(), json!("object"));
        }
    });
}

/// Leaves examples that are maps out where there are others: an editor offers each as a value and cannot name a map.
fn show(map: &mut Map<String, Value>) {
    if let Some(Value::Array(examples)) = map.get_mut("examples")
        && examples.iter().any(|example| !example.is_object())
    {
        examples.retain(|example| !example.is_object());
    }
}

/// Repeats a description as Markdown where an editor would escape its marks.
fn mark_down(map: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = map.get("description")
        && text.contains(['`', '_', '*', '[', '{', '#', '!', '+'])
    {
        let text = text.clone();
        map.insert("markdownDescription".to_owned(), json!(text));
    }
}

/// Says of a map whose keys are names that they are, where the types say it of the pairs.
fn name_keys(map: &mut Map<String, Value>) {
    if map.get("additionalProperties") != Some(&Value::Bool(false)) {
        return;
    }
    let Some(Value::Object(patterns)) = map.get("patternProperties") else { return };
    let Some((pattern, value)) = patterns.iter().find(|(_, value)| value.is_object()) else { return };
    let names = json!({"pattern": pattern, "patternErrorMessage": NAME_RULE, "doNotSuggest": true});
    let value = value.clone();
    map.shift_remove("patternProperties");
    map.insert("propertyNames".to_owned(), names);
    map.insert("additionalProperties".to_owned(), value);
}

/// Says at the values of named things what they are.
fn explain_named(schema: &mut Value) {
    for (map, what) in [
        ("/properties/sessions", "A session: its prompt, or a map of what it says for itself."),
        ("/properties/caches", "A cache: `true`, `false`, or a map of its path and scope."),
        ("/$defs/Session/properties/caches", "A cache: `true`, `false`, or a map of its path and scope."),
        ("/$defs/Proxy/properties/hosts", "What is said of one destination."),
    ] {
        if let Some(value) = schema.pointer_mut(map).and_then(|map| map.get_mut("additionalProperties")) {
            value["description"] = json!(what);
        }
    }
}

/// A cache that has its path: the same without one.
fn known_cache(cache: &Value) -> Value {
    let mut known = cache.clone();
    known["description"] = json!("A cache that clauderon knows, with paths of its own.");
    known["properties"]["path"] = json!({
        "type": "null",
        "doNotSuggest": true,
        "errorMessage": "a known cache has its own path; leave `path` out, or give the cache another name",
    });
    known
}

/// The known caches by name, and the names that are volumes of theirs.
pub fn known_caches() -> Value {
    let known = |what: &str, default: bool| {
        json!({
            "anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/KnownCache"}, {"type": "null"}],
            "description": what,
            "default": default,
            "examples": [!default],
        })
    };
    let taken = json!({
        "type": "null",
        "doNotSuggest": true,
        "errorMessage": "the name of a volume of the cache `cargo`; choose another",
    });
    json!({"properties": {
        "cargo": known("Cargo's registry and git checkouts.", true),
        "npm": known("The packages that npm has fetched.", false),
        "sccache": known("What sccache has compiled.", true),
        "cargo-git": taken,
        "cargo-registry": taken,
    }})
}
