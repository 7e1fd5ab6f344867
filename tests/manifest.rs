//! The manifest against a corpus: `valid` files resolve, `invalid` ones show exactly the text beside them.
//! `CLAUDERON_BLESS=1` rewrites what is expected, the schema and its reference.

use std::path::{Path, PathBuf};

use clauderon::fs;
use clauderon::manifest::check::check;
use clauderon::manifest::diagnostic::Diagnostics;
use clauderon::manifest::prepare::prepare;
use clauderon::manifest::project::Project;
use clauderon::manifest::reference::reference;
use clauderon::manifest::resolved::to_yaml;
use clauderon::manifest::schema::schema;
use clauderon::manifest::settle::Surroundings;
use clauderon::manifest::{parse_in, read, yaml};
use proptest::prelude::*;

const FILE: &str = "/home/me/Shop/clauderon.yaml";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(path: &Path) -> Result<String, String> {
    match path.to_str() {
        Some("/home/me/Shop/prompts/review.md") => Ok("Review it.\n".to_owned()),
        Some("/home/me/Shop/prompts/long.md") => Ok("x".repeat(131_072)),
        Some("/home/me/Shop/prompts/longest.md") => Ok("x".repeat(131_071)),
        Some("/home/me/Shop/prompts/nul.md") => Ok("a\0b".to_owned()),
        Some("/home/me/Shop/prompts/empty.md") => Ok(String::new()),
        _ => Err("No such file or directory (os error 2)".to_owned()),
    }
}

pub fn parse(text: &str) -> Result<Project, Diagnostics> {
    let file = Path::new(FILE);
    let around = Surroundings {
        root: file.parent().expect("a directory"),
        home: Some(Path::new("/home/me")),
        files: &files,
    };
    parse_in(file, text, &around)
}

pub fn corpus(kind: &str) -> Vec<(PathBuf, String)> {
    let directory = repository().join("tests/manifest").join(kind);
    let mut found: Vec<(PathBuf, String)> = std::fs::read_dir(directory)
        .expect("the corpus")
        .map(|entry| entry.expect("an entry of the corpus").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.clone(), fs::read_to_string(&path).expect("a manifest")))
        .collect();
    found.sort();
    let least = if kind == "valid" { 40 } else { 80 };
    assert!(found.len() >= least, "{} {kind} manifests are left", found.len());
    found
}

/// Compares with a file, or writes it when blessing.
fn expect_file(path: &Path, actual: &str) {
    if std::env::var_os("CLAUDERON_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a place to bless");
        fs::replace(path, actual.as_bytes(), 0o644).expect("what is blessed is written");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs; CLAUDERON_BLESS=1 rewrites it", path.display());
}

/// Whether the schema alone, as an editor holds it, takes a text.
fn schema_takes(text: &str) -> Option<bool> {
    let mut tree = yaml::read(text).ok()?;
    prepare(&mut tree, text);
    let value = tree.to_value();
    Some(value.is_null() || check(&value).is_empty())
}

/// Whether the typed manifest takes a text.
fn types_take(text: &str) -> Option<bool> {
    let mut tree = yaml::read(text).ok()?;
    prepare(&mut tree, text);
    Some(read::read(tree.to_value()).is_ok())
}

#[test]
fn valid_manifests_resolve_and_their_resolved_form_means_the_same() {
    for (path, text) in corpus("valid") {
        let project =
            parse(&text).unwrap_or_else(|wrong| panic!("{}:\n{}", path.display(), wrong.render(false)));
        let resolved = to_yaml(&project);
        let again = parse(&resolved).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
        assert_eq!(again.without_places(), project.clone().without_places(), "{}", path.display());
        expect_file(&path.with_extension("resolved"), &resolved);
    }
}

#[test]
fn invalid_manifests_say_exactly_what_is_wrong() {
    for (path, text) in corpus("invalid") {
        let shown = match parse(&text) {
            Ok(_) => panic!("{} is accepted", path.display()),
            Err(wrong) => wrong.render(false),
        };
        expect_file(&path.with_extension("expected"), &shown);
    }
}

#[test]
fn the_types_and_the_schema_take_the_same() {
    for (path, text) in corpus("valid").into_iter().chain(corpus("invalid")) {
        assert_eq!(types_take(&text), schema_takes(&text), "{}", path.display());
    }
}

#[test]
fn ten_faults_are_ten_diagnostics() {
    let text = fs::read_to_string(&repository().join("tests/manifest/invalid/ten-faults.yaml")).unwrap();
    let wrong = parse(&text).unwrap_err();
    assert_eq!(wrong.list.len(), 10, "{}", wrong.render(false));
    let mut lines: Vec<usize> = wrong.list.iter().map(|diagnostic| diagnostic.place.line).collect();
    lines.dedup();
    assert_eq!(lines.len(), 10, "each on a line of its own");
}

#[test]
fn the_schema_is_the_one_that_is_checked_in() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    expect_file(&repository().join("schema/clauderon.schema.json"), &text);
}

#[test]
fn the_reference_is_the_one_that_is_checked_in() {
    expect_file(&repository().join("docs/manifest.md"), &reference());
}

#[test]
fn every_key_of_the_schema_is_explained_and_its_examples_are_valid() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap().values();
    for level in definitions.chain([&schema]) {
        let keys = level["properties"].as_object().unwrap().iter();
        for (key, value) in keys.filter(|(_, value)| value.get("doNotSuggest").is_none()) {
            assert!(value["description"].as_str().is_some_and(|text| !text.is_empty()), "{key}");
            assert!(!value["examples"].as_array().unwrap().is_empty(), "{key}");
            let required =
                level["required"].as_array().is_some_and(|keys| keys.iter().any(|other| other == key));
            assert!(required || value.get("default").is_some(), "{key}");
        }
    }
    for (key, value) in schema["properties"].as_object().unwrap() {
        for example in value["examples"].as_array().unwrap().iter().chain([&value["default"]]) {
            let text = serde_json::json!({ "prompt": "p", key: example }).to_string();
            if key == "notify" && !example.is_null() {
                // Valid in the user's own file, and refused here for that alone.
                let wrong = parse(&text).unwrap_err();
                assert_eq!(wrong.list.len(), 1);
                assert!(wrong.render(false).contains("names no command that runs on this machine"));
                continue;
            }
            assert!(parse(&text).is_ok(), "{text}: {}", parse(&text).unwrap_err().render(false));
        }
    }
}

#[test]
fn a_prompt_fits_one_argument_or_goes_by_standard_input() {
    assert!(parse("prompt: {file: prompts/longest.md}").is_ok());
    assert!(parse("{mode: batch, prompt: {file: prompts/long.md}}").is_ok());
    assert!(parse("prompt: {file: prompts/long.md}").is_err());
}

#[test]
fn a_byte_order_mark_shifts_no_place() {
    let wrong = parse("\u{feff}name: a\nmode: x\n").unwrap_err();
    assert_eq!((wrong.list.len(), wrong.list[0].place.line, wrong.list[0].place.column), (1, 2, 7));
    assert!(parse("\u{feff}name: a\n").is_ok());
}

#[test]
fn an_escape_of_the_terminal_does_not_reach_it() {
    let shown = parse("\"a\\u001b[31m\": 1\nmode: \"\\u001b[2J\"\n").unwrap_err().render(false);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

/// Pieces of YAML and of the manifest, so that arbitrary texts come close to being one.
fn fragments() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "name",
        "sessions",
        "agent",
        "claude",
        "prompt",
        "volumes",
        "a:/b",
        "caches",
        "cargo",
        "false",
        "true",
        "null",
        "proxy",
        "hosts",
        "environment",
        "A=1",
        "1.10",
        "repository",
        "x-y",
        "resources",
        "memory",
        "4GiB",
        "build",
        ": ",
        ":\n",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "<<: ",
        "\"",
        "'",
        "|\n",
        "#",
        "!!int ",
        "? ",
        "\t",
        "\0",
        "\u{feff}",
        "ü",
        "🦀",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "~",
        ".inf",
        "0x1f",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_texts_survive_the_resolved_form(text in "[ab \\n\\t#:'\"|>-]{0,400}") {
        let mut project = parse("prompt: p").unwrap();
        project.sessions[0].prompt = Some(format!("{text}p"));
        project.sessions[0].environment.insert("A".to_owned(), text);
        let resolved = to_yaml(&project);
        let again = parse(&resolved).map(Project::without_places).map_err(|wrong| wrong.render(false));
        prop_assert_eq!(again, Ok(project.without_places()));
    }

    #[test]
    fn arbitrary_text_never_panics(text in prop_oneof![".{0,200}", fragments()]) {
        if let Err(wrong) = parse(&text) {
            prop_assert!(!wrong.list.is_empty());
            prop_assert!(!wrong.render(true).is_empty());
        }
        prop_assert_eq!(types_take(&text), schema_takes(&text));
    }

    #[test]
    fn any_value_survives_the_resolved_form(value in "[^\0]{0,40}", name in "[A-Za-z_][A-Za-z0-9_]{0,8}") {
        let mut project = parse("prompt: p").unwrap();
        let session = &mut project.sessions[0];
        session.environment.insert(name.clone(), value.clone());
        session.labels.insert(name, value.clone());
        session.agent.args = vec![value.clone(), "1.10".to_owned()];
        session.agent.model = Some(value.clone());
        session.prompt = Some(format!("{value}\n "));
        let resolved = to_yaml(&project);
        let again = parse(&resolved).map(Project::without_places).map_err(|wrong| wrong.render(false));
        prop_assert_eq!(again, Ok(project.without_places()));
    }
}
