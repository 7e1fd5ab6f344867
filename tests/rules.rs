//! Rules that stand twice, as a pattern in the schema and as a function with words: both take the same texts.

use std::cell::Cell;
use std::path::Path;

use clauderon::manifest::finding::Wrong;
use clauderon::manifest::schema::schema;
use clauderon::manifest::settle::Surroundings;
use clauderon::manifest::{branch, host, pairs, parse_in, path, pattern};
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::editor::validator::judged;

/// Cases of each pattern, and of whole manifests, which take longer.
const CASES: u32 = 1_500;
const MANIFESTS: u32 = 600;

/// A rule as both sides know it, and the letters and words from which texts come near to it.
struct Rule {
    name: &'static str,
    schema: Value,
    takes: fn(&str) -> Result<(), Wrong>,
    pieces: &'static str,
    long: &'static [(&'static str, usize)],
}

fn names(rule: Value) -> Value {
    rule["propertyNames"].clone()
}

fn items(rule: Value) -> Value {
    rule["items"].clone()
}

fn host_path(text: &str) -> Result<(), Wrong> {
    path::host_path(text, Path::new("/p"), Some(Path::new("/home/me"))).map(drop)
}

fn copied(text: &str) -> Result<(), Wrong> {
    let inner = path::inner_path(text)?;
    if inner.starts_with(".git") { Err(Wrong::new("never copied")) } else { Ok(()) }
}

/// A pair of a list, by the names that it may have.
fn pair(text: &str, name: fn(&str) -> Result<(), Wrong>) -> Result<(), Wrong> {
    let (key, _) = text.split_once('=').ok_or_else(|| Wrong::new("no value"))?;
    name(key)
}

const ODD: [&str; 14] = [
    "\0", "\n", "\t", " ", "\u{7f}", "\u{85}", "\u{a0}", "\u{2003}", "\u{2028}", "\u{3000}", "ü", "🦀",
    "\u{feff}", "\\",
];

const PATHS: &str = "/ / / . .. a workspace .git .gitignore etc run clauderon claude-code .claude projects .claude.json .codex .clauderon ~ x:y me";
const BRANCHES: &str = "a b / / . .. - @ @{ HEAD refs/ heads .lock ~ ^ : ? * [";
const HOSTS: &str = "* *. *.acme.dev a lan . . - _ 0 1 255 256 01 10.0.0.5 : : :: fd00 ffff 12345 ::1 [ ] * https:// / :443 :65535 :65536 :0 :0080 1.2.3.4";
const ADDRESSES: &str = "a.lan:443 10.0.0.5:8443 [fd00::5]:1 a.lan 10.0.0.5 [::1] [fd00::5] [1:2:3:4:5:6:7:8] ::1 * - [x] a_b :443 :65535 :65536 :0 :0080 :8443 :1 :+1 : ]";
const NAMES: &str = "A RUST_LOG = = clauderon. clauderon x . 1";

fn rules() -> Vec<Rule> {
    let rule = |name, schema, takes: fn(&str) -> Result<(), Wrong>, pieces, long| Rule {
        name,
        schema,
        takes,
        pieces,
        long,
    };
    vec![
        rule(
            "branch",
            pattern::branch(),
            branch::branch,
            BRANCHES,
            &[("a", 200), ("a", 201), ("a/", 100), ("a/", 101)],
        ),
        rule(
            "revision",
            pattern::revision(),
            branch::revision,
            BRANCHES,
            &[("a", 1024), ("a", 1025), ("ü", 1024)],
        ),
        rule("host path", pattern::host_path(), host_path, PATHS, &[]),
        rule("inner path", pattern::inner_path(), |text| path::inner_path(text).map(drop), PATHS, &[]),
        rule("copied file", items(pattern::copied()), copied, PATHS, &[]),
        rule(
            "container path",
            pattern::container_path(),
            |text| path::container_path(text).map(drop),
            PATHS,
            &[("/a", 400)],
        ),
        rule("variable", names(pattern::variables()), pairs::variable, NAMES, &[]),
        rule("label", names(pattern::labels()), pairs::label, NAMES, &[]),
        rule(
            "variable of a list",
            items(pattern::variables()),
            |text| pair(text, pairs::variable),
            NAMES,
            &[],
        ),
        rule("label of a list", items(pattern::labels()), |text| pair(text, pairs::label), NAMES, &[]),
        rule(
            "host",
            names(pattern::hosts()),
            |text| host::host_pattern(text).map(drop),
            HOSTS,
            &[("a", 63), ("a", 64), ("a.b", 84), ("ab.", 90)],
        ),
        rule("address", pattern::address(), |text| host::address(text).map(drop), ADDRESSES, &[]),
    ]
}

fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).expect("a rule is a schema")
}

/// Texts from the pieces of a rule, with something odd now and then, and arbitrary ones.
fn texts(pieces: &'static str, most: usize) -> impl Strategy<Value = String> {
    let pieces: Vec<&str> = pieces.split(' ').collect();
    let piece = prop_oneof![8 => prop::sample::select(pieces), 1 => prop::sample::select(&ODD[..])];
    prop_oneof![6 => prop::collection::vec(piece, 0..most).prop_map(|words| words.concat()), 1 => "\\PC{0,12}"]
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn patterns_and_functions_take_the_same() {
    for rule in rules() {
        let schema = validator(&rule.schema);
        let (taken, refused) = (Cell::new(0), Cell::new(0));
        let agree = |text: &str| {
            let words = (rule.takes)(text);
            assert_eq!(schema.is_valid(&json!(text)), words.is_ok(), "{}: {text:?}: {words:?}", rule.name);
            let count = if words.is_ok() { &taken } else { &refused };
            count.set(count.get() + 1);
        };
        for (word, times) in rule.long {
            agree(&word.repeat(*times));
        }
        for odd in ODD {
            agree(&format!("a{odd}=b"));
        }
        let most = if rule.name == "address" { 4 } else { 9 };
        let outcome = runner(CASES).run(&texts(rule.pieces, most), |text| {
            agree(&text);
            Ok(())
        });
        outcome.unwrap_or_else(|wrong| panic!("{}: {wrong}", rule.name));
        let (taken, refused) = (taken.get(), refused.get());
        assert!(taken > 10 && refused > 10, "{}: {taken} taken, {refused} refused", rule.name);
    }
}

/// Editors read the patterns as ECMAScript does.
#[test]
fn patterns_mean_the_same_in_ecmascript() {
    let directory = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    for rule in rules() {
        let strategy = prop::collection::vec(texts(rule.pieces, 9), 300);
        let mut texts = strategy.new_tree(&mut runner).unwrap().current();
        texts.extend(rule.long.iter().map(|(word, times)| word.repeat(*times)));
        texts.extend(ODD.map(|odd| format!("a{odd}=b")));
        let (schema, list) = (directory.path().join("schema.json"), directory.path().join("list.json"));
        std::fs::write(&schema, json!({"items": rule.schema}).to_string()).unwrap();
        std::fs::write(&list, json!(texts).to_string()).unwrap();
        let judged = judged(&schema, std::slice::from_ref(&list));
        let refused = judged[&list].as_ref().expect("a list");
        for (index, text) in texts.iter().enumerate() {
            let is_taken = !refused.contains(&format!("/{index}"));
            assert_eq!(is_taken, (rule.takes)(text).is_ok(), "{}: {text:?}", rule.name);
        }
    }
}

/// Whether `validate` takes a manifest, or else its words.
fn takes(manifest: &Value) -> Result<(), String> {
    let files = |_: &Path| Err("nothing is read here".to_owned());
    let around =
        Surroundings { root: Path::new("/home/me/shop"), home: Some(Path::new("/home/me")), files: &files };
    parse_in(Path::new("/home/me/shop/clauderon.yaml"), &manifest.to_string(), &around)
        .map(drop)
        .map_err(|wrong| wrong.render(false))
}

/// Only `validate` knows from where a relative path leads to the engine's socket.
fn beyond_the_schema(words: &Result<(), String>) -> bool {
    words.as_ref().is_err_and(|words| words.contains("holds the engine's socket"))
}

fn volumes() -> impl Strategy<Value = Value> {
    let source = prop::sample::select(vec![
        "",
        ".",
        "./a",
        "../a",
        "~",
        "~/a",
        "~b",
        "data",
        "da ta",
        "-x",
        "/",
        "/run",
        "/var/run/",
        "/run/docker.sock",
        "./docker.sock",
        "~/podman.sock/",
        "/x.sock",
        "docker.sock",
        "../../../run",
        "a/b",
        "/var/../run",
    ]);
    let target = prop_oneof![
        prop::sample::select(vec![
            "/a",
            "a",
            "",
            "/",
            "/workspace",
            "/workspace/a",
            "/workspace/.git",
            "/a:b",
            "/a/../b"
        ])
        .prop_map(str::to_owned),
        texts(PATHS, 9),
    ];
    let end = prop::sample::select(vec!["", ":ro", ":rw", ":rx", ":"]);
    (source, target, end, any::<bool>()).prop_map(|(source, target, end, short)| {
        if short {
            json!(format!("{source}:{target}{end}"))
        } else {
            json!({"source": source, "target": target})
        }
    })
}

/// Whole manifests in which two keys exclude each other, a cache is known, a size is small.
fn small_manifests() -> impl Strategy<Value = Value> {
    let image = prop::sample::select(vec![json!(null), json!("a"), json!("a b")]);
    let build = prop::sample::select(vec![
        json!(null),
        json!({}),
        json!({"context": "~x"}),
        json!({"dockerfile": "../a"}),
    ]);
    let prompt = prop::sample::select(vec![
        json!(null),
        json!("p"),
        json!({"text": "p"}),
        json!({"text": "p", "file": "f"}),
        json!({"text": "p", "file": null}),
        json!({"text": null}),
    ]);
    let cache = prop::sample::select(vec![
        json!(null),
        json!(false),
        json!({}),
        json!({"path": null}),
        json!({"path": "/c"}),
        json!({"scope": "project"}),
        json!({"path": "/workspace/.git"}),
    ]);
    let name =
        prop::sample::select(vec!["cargo", "npm", "sccache", "cargo-git", "cargo-registry", "own", "Own"]);
    let memory = prop::sample::select(vec![
        json!(null),
        json!(6_291_455),
        json!(6_291_456),
        json!("8m"),
        json!("8 x"),
        json!(1.5),
    ]);
    (image, build, prompt, cache, name, memory, any::<bool>()).prop_map(|(image, build, prompt, cache, name, memory, inside)| {
        let level = json!({
            "image": image, "build": build, "prompt": prompt, "caches": {name: cache}, "resources": {"memory": memory},
        });
        if inside { json!({"sessions": {"a": level}}) } else { level }
    })
}

#[test]
fn volumes_are_the_same_to_the_schema_and_to_validate() {
    let schema = validator(&schema());
    let outcome = runner(MANIFESTS).run(&volumes(), |volume| {
        let manifest = json!({"volumes": [volume]});
        // To the schema a variable may become anything.
        prop_assume!(!manifest.to_string().contains("${"));
        let words = takes(&manifest);
        if !beyond_the_schema(&words) || !schema.is_valid(&manifest) {
            prop_assert_eq!(schema.is_valid(&manifest), words.is_ok(), "{}: {:?}", manifest, words);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn keys_that_exclude_each_other_do_so_in_the_schema_too() {
    let schema = validator(&schema());
    let outcome = runner(MANIFESTS).run(&small_manifests(), |manifest| {
        let words = takes(&manifest);
        // A cache without a path may have one in another level.
        if words
            .as_ref()
            .is_err_and(|words| words.contains("has no path") && words.matches("error:").count() == 1)
        {
            return Ok(());
        }
        prop_assert_eq!(schema.is_valid(&manifest), words.is_ok(), "{}: {:?}", manifest, words);
        Ok(())
    });
    outcome.unwrap_or_else(|wrong| panic!("{wrong}"));
}
