//! The schema as others read it: the language server that editors use for YAML completes, explains and underlines by
//! it, and a validator that shares no code with clauderon's takes and refuses the same manifests. Both come from
//! `scripts/editor`.

mod client;
mod exceptions;
pub mod validator;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clauderon::manifest::schema::schema;
use serde_json::{Value, json};

use crate::manifest::{corpus, parse};
use client::Client;
use exceptions::{BEYOND_THE_SCHEMA, NO_YAML, NOT_UNDERLINED, OTHER_LINES};
use validator::judged;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn packages() -> PathBuf {
    std::env::var_os("CLAUDERON_EDITOR_CACHE").map_or_else(|| repository().join(".editor"), PathBuf::from)
}

fn schema_file() -> PathBuf {
    repository().join("schema/clauderon.schema.json")
}

fn editor() -> Client {
    let schemas = json!({format!("file://{}", schema_file().display()): ["**/*.yaml"]});
    Client::start(&packages(), repository(), &schemas, "# a manifest\n|")
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).expect("a name")
}

/// The maps of a manifest: where the keys stand, in a text with their indentation to come, and where the schema has them.
const MAPS: &[(&str, &str)] = &[
    ("", ""),
    ("sessions:\n  login:\n    ", "/$defs/Session"),
    ("agent:\n  ", "/$defs/Agent"),
    ("sessions:\n  login:\n    agent:\n      ", "/$defs/Agent"),
    ("prompt:\n  ", "/$defs/Prompt"),
    ("sessions:\n  login:\n    prompt:\n      ", "/$defs/Prompt"),
    ("build:\n  ", "/$defs/Build"),
    ("repository:\n  ", "/$defs/Repository"),
    ("sessions:\n  login:\n    repository:\n      ", "/$defs/Repository"),
    ("caches:\n  ", "/properties/caches"),
    ("caches:\n  own:\n    ", "/$defs/Cache"),
    ("caches:\n  cargo:\n    ", "/$defs/KnownCache"),
    ("resources:\n  ", "/$defs/Resources"),
    ("budget:\n  ", "/$defs/Budget"),
    ("sessions:\n  login:\n    timeout:\n      ", "/$defs/Timeout"),
    ("sessions:\n  login:\n    resources:\n      ", "/$defs/Resources"),
    ("proxy:\n  ", "/$defs/Proxy"),
    ("sessions:\n  login:\n    proxy:\n      ", "/$defs/Proxy"),
    ("proxy:\n  hosts:\n    db.lan:\n      ", "/$defs/Host"),
];

/// The keys that a map may have, with their schemas.
fn keys(schema: &Value, map: &str) -> BTreeMap<String, Value> {
    let properties = schema.pointer(map).and_then(|map| map["properties"].as_object()).expect("a map");
    let offered = properties.iter().filter(|(_, value)| value.get("doNotSuggest").is_none());
    offered.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What the server shows of an item, plain or as Markdown.
fn documentation(item: &Value) -> &str {
    item["documentation"].as_str().or(item["documentation"]["value"].as_str()).unwrap_or_default()
}

fn labels(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| item["label"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn completion_offers_exactly_the_keys_of_a_place_with_their_documentation() {
    let (schema, mut editor) = (schema(), editor());
    for (text, map) in MAPS {
        let keys = keys(&schema, map);
        assert!(!keys.is_empty());
        // In the very first place of a file the server offers its own line that names a schema.
        let text = if text.is_empty() { "# a manifest\n" } else { text };
        let items = editor.complete(&format!("{text}|"));
        assert_eq!(labels(&items), keys.keys().cloned().collect(), "after {text:?}");
        for item in items {
            let description = keys[item["label"].as_str().unwrap()]["description"].as_str().unwrap();
            assert_eq!(documentation(&item), description, "{item}");
        }
    }
}

#[test]
fn completion_leaves_out_what_is_there_and_what_is_not_for_the_place() {
    let mut editor = editor();
    let top = labels(&editor.complete("name: shop\nsessions:\n  a:\n|"));
    assert!(!top.contains("name") && !top.contains("sessions") && top.contains("image"), "{top:?}");
    let inside = labels(&editor.complete("sessions:\n  a:\n    mode: batch\n    |\n"));
    for absent in ["name", "sessions", "mode", "kind"] {
        assert!(!inside.contains(absent), "{absent}: {inside:?}");
    }
    assert!(inside.contains("prompt"));
    // Names are the user's own: nothing is made up for them.
    for place in ["sessions:\n  |", "environment:\n  |", "proxy:\n  hosts:\n    |", "labels:\n  |"] {
        assert!(editor.complete(place).is_empty(), "{place:?}");
    }
    // An item of `volumes` is text or a map: its keys, and the whole map at once.
    let item = labels(&editor.complete("volumes:\n  - |"));
    assert_eq!(item, ["source", "target", "read_only", "Volume"].map(str::to_owned).into());
}

#[test]
fn completion_offers_exactly_the_words_of_a_place_with_their_meaning() {
    let mut editor = editor();
    for (place, words) in [
        ("pull_policy: |", vec!["always", "missing", "never"]),
        ("mode: |", vec!["interactive", "batch"]),
        ("sessions:\n  a:\n    mode: |", vec!["interactive", "batch"]),
        ("permissions: |", vec!["bypass", "accept-edits", "ask"]),
        ("agent: |", vec!["claude", "codex"]),
        ("agent:\n  kind: |", vec!["claude", "codex"]),
        ("repository:\n  checkout: |", vec!["clone", "shared", "worktree"]),
        ("caches:\n  own:\n    scope: |", vec!["shared", "project", "session"]),
        ("proxy:\n  egress: |", vec!["sealed", "open"]),
        ("restart: |", vec!["\"no\"", "always", "unless-stopped", "on-failure", "on-failure:3"]),
    ] {
        let items = editor.complete(place);
        // Nothing is a value too: it says nothing.
        let expected = words.into_iter().chain(["null"]).map(str::to_owned).collect();
        assert_eq!(labels(&items), expected, "{place:?}");
        for item in items.iter().filter(|item| item["label"] != "on-failure:3") {
            assert!(!documentation(item).is_empty(), "{place:?}: {item}");
        }
    }
    let switch = labels(&editor.complete("caches:\n  cargo: |"));
    assert_eq!(switch, ["true", "false", "null"].map(str::to_owned).into());
}

#[test]
fn hovering_over_a_key_explains_it() {
    let (schema, mut editor) = (schema(), editor());
    for (text, map) in MAPS {
        for (key, value) in keys(&schema, map) {
            // A value of each form: what the server shows of a key depends on what stands behind it.
            for example in value["examples"].as_array().unwrap().iter().chain([&value["default"]]) {
                let shown = editor.hover(&format!("{text}|{key}: {example}\n"));
                let description = value["description"].as_str().unwrap();
                assert!(shown.contains(description), "{text}{key}: {example}\n{shown}");
            }
        }
    }
    for (place, what) in [
        ("sessions:\n  |login: Fix it", "A session: its prompt"),
        ("sessions:\n  |login:\n    mode: batch", "A session: its prompt"),
        ("|agent:\n  kind: codex", "Which agent runs."),
        ("|repository:\n  base: main", "The git repository"),
        ("caches:\n  |own:\n    path: /x", "A cache: `true`"),
        ("proxy:\n  hosts:\n    |a.lan:\n      ca: a.pem", "What is said of one destination."),
        ("mode: |batch", "`batch`: Runs the prompt and exits."),
        ("volumes:\n  - |source: a\n    target: /a", "A path of the host"),
    ] {
        let shown = editor.hover(place);
        assert!(shown.contains(what), "{place:?}: {shown}");
    }
}

/// The lines, from 1, that are underlined.
fn lines(diagnostics: &[Value]) -> BTreeSet<u64> {
    let line = |diagnostic: &Value| diagnostic["range"]["start"]["line"].as_u64().map(|line| line + 1);
    diagnostics.iter().filter_map(line).collect()
}

#[test]
fn the_editor_underlines_the_lines_that_validate_names() {
    let mut editor = editor();
    let (valid, mut invalid) = (corpus("valid"), corpus("invalid"));
    // Both are refused whole, at a place that depends on the reader.
    invalid.retain(|(path, _)| !["alias-bomb", "deep-nesting"].contains(&stem(path)));
    // The server waits a moment before it looks at a file: it does so for all at once.
    valid.iter().chain(&invalid).for_each(|(path, text)| editor.open_file(path, text));
    for (path, _) in valid {
        let diagnostics = editor.diagnostics(&path);
        assert!(diagnostics.is_empty(), "{}: {}", path.display(), json!(diagnostics));
    }
    let (mut same, mut beyond, mut wrong) = (0, 0, Vec::new());
    for (path, text) in invalid {
        let name = stem(&path);
        let diagnostics = editor.diagnostics(&path);
        let lines = lines(&diagnostics);
        let named: BTreeSet<u64> =
            parse(&text).unwrap_err().list.iter().map(|one| one.place.line as u64).collect();
        let is_right = if BEYOND_THE_SCHEMA.iter().chain(NOT_UNDERLINED).any(|(file, _)| *file == name) {
            beyond += 1;
            lines.is_empty()
        } else if OTHER_LINES.iter().any(|(file, _)| *file == name) {
            !lines.is_empty() && lines != named
        } else {
            same += 1;
            lines == named
        };
        if !is_right {
            wrong.push(format!("{name}: {lines:?}, `validate` {named:?}: {}", json!(diagnostics)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(same > 4 * beyond, "{same} as `validate` says, {beyond} beyond the schema");
}

#[test]
fn an_independent_validator_takes_and_refuses_what_validate_does() {
    let paths = |kind| corpus(kind).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    for (path, errors) in judged(&schema_file(), &paths("valid")) {
        assert_eq!(errors, Some(Vec::new()), "{}", path.display());
    }
    let judged = judged(&schema_file(), &paths("invalid"));
    assert_eq!(judged.len(), paths("invalid").len());
    let mut wrong = Vec::new();
    for (path, errors) in judged {
        let name = stem(&path);
        let beyond = BEYOND_THE_SCHEMA.iter().any(|(file, _)| *file == name);
        let is_right = match &errors {
            None => NO_YAML.contains(&name),
            Some(errors) => !NO_YAML.contains(&name) && errors.is_empty() == beyond,
        };
        if !is_right {
            wrong.push(format!("{name}: {errors:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_unknown_key_is_underlined_where_it_stands() {
    let mut editor = editor();
    let files: Vec<(PathBuf, String)> = MAPS
        .iter()
        .enumerate()
        .map(|(index, (text, _))| {
            let indent = text.rsplit('\n').next().unwrap_or_default();
            let path = PathBuf::from(format!("/manifests/unknown/{index}.yaml"));
            (path, format!("{text}nonsense: 1\n{indent}more: 2\n"))
        })
        .collect();
    for (path, text) in &files {
        editor.open_file(path, text);
    }
    for (path, text) in files {
        let named: BTreeSet<u64> =
            parse(&text).unwrap_err().list.iter().map(|one| one.place.line as u64).collect();
        assert_eq!(named.len(), 2, "{text}");
        let diagnostics = editor.diagnostics(&path);
        assert_eq!(lines(&diagnostics), named, "{text}{}", json!(diagnostics));
    }
}

/// What stands in fences of a language in the guide to editors.
fn fences(language: &str) -> Vec<String> {
    let guide = std::fs::read_to_string(repository().join("docs/editors.md")).expect("the guide");
    // Users write the schema beside their manifest; this repository has it in a directory.
    let guide = guide.replace("./clauderon.schema.json", "./schema/clauderon.schema.json");
    let opening = format!("```{language}\n");
    guide
        .split(&opening)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_guide_wires_an_editor_by_a_line_and_by_the_name_of_the_file() {
    let [line] = fences("yaml").try_into().expect("one line that names the schema");
    let offered = |schemas: &Value, text: &str| {
        // It waits until keys are offered, and fails where none are.
        let _editor = Client::start(&packages(), repository(), schemas, text);
    };
    offered(&json!({}), &format!("{line}|"));
    let blocks: Vec<Value> =
        fences("json").iter().map(|text| serde_json::from_str(text).expect("settings are JSON")).collect();
    let [code, zed] = blocks.as_slice() else { panic!("settings of two editors") };
    let schemas = &code["yaml.schemas"];
    offered(schemas, "# a manifest\n|");
    assert_eq!(&zed["lsp"]["yaml-language-server"]["settings"]["yaml"]["schemas"], schemas);
    // The same names in the words of the other two.
    let names = r#""clauderon.yaml", "clauderon.*.yaml""#;
    assert!(fences("lua")[0].contains(&format!(r#"["./schema/clauderon.schema.json"] = {{ {names} }}"#)));
    assert!(fences("toml")[0].contains(&format!(r#""./schema/clauderon.schema.json" = [{names}]"#)));
}

#[test]
fn every_exception_is_a_file() {
    let stems: BTreeSet<String> = corpus("invalid").iter().map(|(path, _)| stem(path).to_owned()).collect();
    let named = BEYOND_THE_SCHEMA.iter().chain(OTHER_LINES).chain(NOT_UNDERLINED).map(|(file, _)| *file);
    for file in named.chain(NO_YAML.iter().copied()) {
        assert!(stems.contains(file), "there is no {file}.yaml");
    }
}
