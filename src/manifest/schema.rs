//! Pure. The JSON schema of the manifest (draft 2020-12), generated from the types of `written`: the shape, by which
//! `check` finds every fault that the types refuse, and with further rules the published one, by which an editor with
//! the YAML language server completes, explains and underlines.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::effect;
use super::form::Form;
use super::publish::{publish, take_rules};
use super::scalar::Name;
use super::written::notify::Notify;
use super::written::{Session, Settings};

/// The published schema.
pub fn schema() -> Value {
    publish(annotated())
}

/// What the types alone refuse.
pub fn shape() -> Value {
    let mut schema = annotated();
    take_rules(&mut schema);
    schema
}

/// The shape, with the rules beyond it under the key `x-rule`.
fn annotated() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let name = generator.subschema_for::<Option<Name>>().to_value();
    let sessions = generator.subschema_for::<Option<BTreeMap<Name, Option<Form<Session>>>>>().to_value();
    let notify = generator.subschema_for::<Option<Notify>>().to_value();
    generator.subschema_for::<Settings>();
    let mut definitions = generator.take_definitions(true);
    definitions.values_mut().for_each(tidy);
    say_effects(&mut definitions);
    let mut properties = Map::new();
    properties.insert("name".to_owned(), documented(name, &NAME));
    if let Some(Value::Object(settings)) =
        definitions.get("Session").and_then(|session| session.get("properties"))
    {
        properties.extend(settings.clone());
    }
    properties.insert("notify".to_owned(), documented(notify, &NOTIFY));
    let mut sessions = documented(sessions, &SESSIONS);
    sessions["minProperties"] = json!(1);
    properties.insert("sessions".to_owned(), sessions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "clauderon.yaml",
        "description": "The agent sessions of a project. Every key between `name` and `sessions` is a default for \
                        each session and may be overridden in one: maps merge, lists replace, volumes merge by \
                        their target, an empty value says nothing. Keys that begin with `x-` are free.",
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": true},
        "additionalProperties": false,
        "x-rule": definitions["Session"]["x-rule"],
        "$defs": definitions,
    })
}

/// Says of each key what a change of it does.
fn say_effects(definitions: &mut Map<String, Value>) {
    for (name, definition) in definitions {
        let keys = definition.get_mut("properties").and_then(Value::as_object_mut);
        for (key, value) in keys.into_iter().flatten() {
            let told = value["description"].as_str().zip(effect::sentence(&effect::path(name, key)));
            if let Some((what, sentence)) = told {
                value["description"] = json!(format!("{what} {sentence}"));
            }
        }
    }
}

/// What an editor shows of a key.
struct Words {
    description: &'static str,
    default: fn() -> Value,
    examples: fn() -> Value,
}

const NAME: Words = Words {
    description: "The project's name, part of the names of its containers. By default that of the manifest's \
                  directory, made to fit. Another name is another project: its sessions are made anew, and what runs \
                  under the old name stays.",
    default: || Value::Null,
    examples: || json!(["shop"]),
};

const NOTIFY: Words = Words {
    description: "Programs with their arguments that run on this machine when a session needs a person. Only in your own \
                  file, for every project. They are told of it in `CLAUDERON_OCCASION`, `CLAUDERON_PROJECT`, \
                  `CLAUDERON_SESSION`, `CLAUDERON_ROOT` and `CLAUDERON_WAITING_FOR`; nothing that an agent says reaches \
                  them. It holds from the next `up` of a project on.",
    default: || Value::Null,
    examples: || json!([{"waiting": ["notify-send", "an agent waits for you"], "timeout": 5}]),
};

const SESSIONS: Words = Words {
    description: "The sessions by name. A text is the session's prompt; nothing is a session of defaults alone. \
                  Without this key there is one session, `default`. A new session is made and disturbs none of the \
                  others; one that is gone from here runs on until `clauderon down`.",
    default: || json!({"default": null}),
    examples: || {
        json!([{"login": "Fix the login loop"}, {
            "login": "Fix the login loop in src/auth.ts",
            "review": {"agent": "codex", "mode": "batch", "prompt": {"file": "prompts/review.md"}},
        }])
    },
};

fn documented(mut schema: Value, words: &Words) -> Value {
    schema["description"] = json!(words.description);
    schema["default"] = (words.default)();
    schema["examples"] = (words.examples)();
    tidy(&mut schema);
    schema
}

/// Takes away what says nothing: formats of Rust's own, and line breaks inside of sentences.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map
                .get("format")
                .is_some_and(|format| format.is_null() || format == "uint64" || format == "double")
            {
                map.shift_remove("format");
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}
