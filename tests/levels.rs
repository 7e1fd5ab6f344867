//! Manifests of several files: each folder of `tests/manifest/merged` has a `clauderon.yaml`, perhaps an override, a
//! `.env` and a `user.yaml`, and what `config --origins` or `validate` says of them. `CLAUDERON_BLESS=1` rewrites it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clauderon::fs;
use clauderon::manifest::layer::{Layer, Text, World};
use clauderon::manifest::level::Level;
use proptest::prelude::*;
use serde_json::Value;

struct Place {
    _directory: tempfile::TempDir,
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for inner in ["shop/.git", "config/clauderon", "other", "again"] {
            std::fs::create_dir_all(root.join(inner)).unwrap();
        }
        Self { _directory: directory, root }
    }

    fn write(&self, path: &str, text: &str) {
        fs::replace(&self.root.join(path), text.as_bytes(), 0o644).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clauderon"));
        command.args(args).current_dir(self.root.join("shop")).env_clear();
        command.env("HOME", &self.root).env("XDG_CONFIG_HOME", self.root.join("config"));
        command.env("CLAUDERON_HOME", self.root.join("state"));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Standard output and error together, without the directory of this run.
    fn shown(&self, output: &Output) -> String {
        let both = [output.stdout.as_slice(), &output.stderr].concat();
        String::from_utf8(both).unwrap().replace(self.root.to_str().unwrap(), "/home/me")
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn several_files_merge_or_say_which_of_them_is_wrong() {
    let mut seen = 0;
    let cases = std::fs::read_dir(repository().join("tests/manifest/merged")).unwrap();
    for case in cases.map(|entry| entry.unwrap().path()) {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let place = Place::new();
        for (from, to) in [
            ("clauderon.yaml", "shop/clauderon.yaml"),
            ("clauderon.override.yaml", "shop/clauderon.override.yaml"),
            (".env", "shop/.env"),
            ("user.yaml", "config/clauderon/clauderon.yaml"),
        ] {
            if let Ok(text) = fs::read_to_string(&case.join(from)) {
                place.write(to, &text);
            }
        }
        let output = place.run(&["config", "--origins"]);
        let invalid = name.starts_with("invalid-");
        let shown = place.shown(&output);
        assert_eq!(output.status.code(), Some(if invalid { 2 } else { 0 }), "{name}: {shown}");
        if !invalid {
            // What is shown is a manifest that means the same.
            place.write("again/clauderon.yaml", &String::from_utf8(output.stdout).unwrap());
            let again = place.run(&["-f", "../again/clauderon.yaml", "config"]);
            assert_eq!(place.shown(&again), place.shown(&place.run(&["config"])), "{name}");
        }
        let expected = case.join("expected");
        if std::env::var_os("CLAUDERON_BLESS").is_some() {
            fs::replace(&expected, shown.as_bytes(), 0o644).unwrap();
        }
        assert_eq!(shown, fs::read_to_string(&expected).unwrap_or_default(), "{name}");
        seen += 1;
    }
    assert!(seen > 15, "the cases are gone");
}

#[test]
fn files_named_on_the_command_line_lie_above_each_other_and_no_override_is_looked_for() {
    let place = Place::new();
    place.write("shop/clauderon.yaml", "image: a\nlabels: {from: manifest}\n");
    place.write("shop/clauderon.override.yaml", "image: override\n");
    place.write("other/team.yaml", "image: b\nvolumes: ['./x:/x']\n");
    let named =
        place.run(&["-f", "clauderon.yaml", "-f", "../other/team.yaml", "config", "--format", "json"]);
    let value: Value = serde_json::from_slice(&named.stdout).unwrap();
    let session = &value["sessions"]["default"];
    assert_eq!((&session["image"], &session["labels"]["from"]), (&"b".into(), &"manifest".into()));
    let source = place.root.join("other/x");
    assert_eq!(session["volumes"][0]["source"], source.to_str().unwrap(), "seen from the file that says it");
    assert_eq!(session["repository"]["path"], place.root.join("shop").to_str().unwrap());
    let alone = place.run(&["config", "--format", "json"]);
    let value: Value = serde_json::from_slice(&alone.stdout).unwrap();
    assert_eq!(value["sessions"]["default"]["image"], "override");
}

#[test]
fn the_environment_stands_before_the_file_beside_the_manifest() {
    let place = Place::new();
    place.write("shop/clauderon.yaml", "image: ${IMAGE}\n");
    place.write("shop/.env", "IMAGE=file\n");
    let image = |command: &mut Command| {
        let output = command.output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["sessions"]["default"]["image"].clone()
    };
    let args = ["config", "--format", "json"];
    assert_eq!(image(&mut place.command(&args)), "file");
    assert_eq!(image(place.command(&args).env("IMAGE", "environment")), "environment");
}

#[test]
fn a_dotenv_that_is_a_link_elsewhere_is_not_read() {
    let place = Place::new();
    place.write("secrets", "TOKEN=hunter2\n");
    place.write("shop/clauderon.yaml", "environment:\n  T: ${TOKEN}\n");
    std::os::unix::fs::symlink(place.root.join("secrets"), place.root.join("shop/.env")).unwrap();
    let output = place.run(&["config"]);
    let shown = place.shown(&output);
    assert_eq!(output.status.code(), Some(2), "{shown}");
    assert!(shown.contains("lies outside the project") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_wrong_line_of_a_dotenv_is_named_and_never_shown() {
    let place = Place::new();
    place.write("shop/clauderon.yaml", "environment:\n  T: ${TOKEN}\n");
    let secrets = [
        "hunter2-alone",
        "a b=hunter2",
        "hunter2 hunter3==",
        "TOKEN='hunter2' more-hunter",
        "TOKEN=\"hunter2",
        "export hunter2",
        "\u{1b}[31mhunter2",
    ];
    for secret in secrets {
        place.write("shop/.env", &format!("# first\n{secret}\n"));
        for args in [
            &["validate"][..],
            &["validate", "--format", "json"],
            &["validate", "--format", "github"],
            &["config"],
            &["up"],
        ] {
            let output = place.run(args);
            let shown = place.shown(&output);
            assert_eq!(output.status.code(), Some(2), "{secret}: {shown}");
            assert!(!shown.contains("hunter"), "{secret}: {shown}");
            let named = shown.contains("shop/.env:2:")
                || (shown.contains(".env") && (shown.contains("line=2") || shown.contains("\"line\": 2")));
            assert!(named, "the place is told: {shown}");
        }
    }
}

#[test]
fn the_value_of_a_variable_is_no_part_of_a_message() {
    let place = Place::new();
    place.write("shop/.env", "TOKEN=hunter2\nPIN=-4711\nTICK='a`hunter2`b'\n");
    for manifest in [
        "mode: ${TOKEN}\n",
        "volumes: [\"${TOKEN}\"]\n",
        "proxy: {hosts: {a.b: {address: \"${TOKEN}\"}}}\n",
        "pull_policy: a${TOKEN}b\n",
        "resources:\n  memory: ${TOKEN}\n",
        "resources:\n  cpus: ${PIN}\n",
        "resources: {cpus: \"${PIN}\"}\n",
        "sessions:\n  a:\n    prompt: {file: \"${TOKEN}\"}\n",
        "caches: {x: {path: \"${TOKEN}\"}}\n",
        "credentials: {a: {from: \"env:X\", host: \"${TOKEN} \"}}\n",
        "credentials: {a: {from: \"${TOKEN}\", host: a.dev}}\n",
        "volumes: [\"./a:/${TOKEN}\", \"./b:/${TOKEN}\"]\n",
        "agent: \"${TICK}\"\n",
    ] {
        place.write("shop/clauderon.yaml", manifest);
        for format in ["text", "json", "github"] {
            let output = place.run(&["validate", "--format", format]);
            let shown = place.shown(&output);
            assert_eq!(output.status.code(), Some(2), "{manifest}{shown}");
            assert!(!shown.contains("hunter2") && !shown.contains("4711"), "{shown}");
            assert!(
                shown.contains("${TOKEN}") || manifest.contains("PIN") || manifest.contains("TICK"),
                "{shown}"
            );
        }
    }
}

#[test]
fn a_link_of_a_dotenv_or_a_prompt_within_the_project_is_followed() {
    let place = Place::new();
    std::fs::create_dir(place.root.join("shop/config")).unwrap();
    place.write("shop/config/env", "IMAGE=linked\n");
    place.write("shop/text.md", "do it");
    place.write("shop/clauderon.yaml", "image: ${IMAGE}\nprompt: {file: prompt.md}\n");
    std::os::unix::fs::symlink("config/env", place.root.join("shop/.env")).unwrap();
    std::os::unix::fs::symlink(place.root.join("shop/text.md"), place.root.join("shop/prompt.md")).unwrap();
    let output = place.run(&["config", "--format", "json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let session = &value["sessions"]["default"];
    assert_eq!((&session["image"], &session["prompt"]["text"]), (&"linked".into(), &"do it".into()));
}

#[test]
fn faults_come_as_json_and_as_annotations() {
    let place = Place::new();
    place.write("shop/clauderon.yaml", "name: shop\nmode: btach\nname: two\n");
    let json = place.run(&["validate", "--format", "json"]);
    assert_eq!((json.status.code(), json.stderr.len()), (Some(2), 0));
    let value: Value = serde_json::from_slice(&json.stdout).unwrap();
    let places: Vec<_> = value.as_array().unwrap().iter().map(|fault| &fault["line"]).collect();
    assert_eq!(places, [2, 3]);
    assert_eq!(value[1]["related"][0]["line"], 1);
    let github = place.run(&["validate", "--format", "github"]);
    let shown = place.shown(&github);
    assert!(
        shown.starts_with("::error file=clauderon.yaml,line=2,endLine=2,col=7,endColumn=12::"),
        "{shown}"
    );
    place.write("shop/clauderon.yaml", "name: shop\n");
    let valid = place.run(&["validate", "--format", "json"]);
    assert_eq!((valid.status.code(), valid.stdout.as_slice()), (Some(0), b"[]\n".as_slice()));
}

/// What a level may say of each key, nothing included.
const SAID: [&[&str]; 14] = [
    &["", "image: a", "image: b", "build: {context: ., args: {A: x}}"],
    &["", "mode: batch", "mode: interactive", "mode:"],
    &["", "prompt: p", "prompt: {text: q}"],
    &[
        "",
        "repository: false",
        "repository: ./r",
        "repository: {base: main, copy: [a]}",
        "repository: {branch: b/}",
    ],
    &["", "caches: {cargo: false}", "caches: {cargo: true, n: {path: /n}}", "caches: {n: {scope: session}}"],
    &["", "environment: {A: a, B: b}", "environment: [B=c]", "environment:"],
    &["", "volumes: ['./a:/a', 'v:/b']", "volumes: ['./c:/b:ro']"],
    &["", "resources: {cpus: 1}", "resources: {memory: 1g, pids: 5}", "resources: {cpus: 2}"],
    &["", "restart: always", "restart: 'no'"],
    &["", "labels: {l: a}", "labels: {l: b, m: c}"],
    &[
        "",
        "budget: false",
        "budget: {tokens: 5}",
        "budget: {requests: 6, per: day}",
        "budget: {tokens: 7, per: conversation}",
    ],
    &["", "timeout: false", "timeout: {run: 2h}", "timeout: {idle: 90s}", "timeout: {run: 1d, idle: 5m}"],
    &[
        "",
        "proxy: {egress: open}",
        "proxy: {hosts: {h.lan: {address: 'h:1'}}}",
        "proxy: {hosts: {h.lan: {ca: c}}}",
    ],
    &["", "permissions: ask", "pull_policy: always"],
];
const AGENTS: [&str; 5] = [
    "agent: codex",
    "agent: claude",
    "agent: {kind: codex, model: m}",
    "agent: {kind: claude, args: [x]}",
    "agent: {model: n}",
];

fn level(text: &str) -> Level {
    let files = |_: &Path, _: &Path| Err("none".to_owned());
    let world =
        World { root: Path::new("/p"), home: None, files: &files, variables: &|_: &Path, _: &str| None };
    let mut layer = Layer::read(&Text::new("/p/clauderon.yaml", text), &world);
    assert_eq!(layer.faults(), [], "{text}");
    layer.defaults
}

fn written(agents: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let keys = SAID.map(|said| prop::sample::select(said.to_vec())).to_vec();
    let agent = prop::option::of(agents.prop_map(|agent| AGENTS[agent]));
    (keys, agent)
        .prop_map(|(keys, agent)| [keys.as_slice(), &[agent.unwrap_or_default()]].concat().join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Associative: an agent whose kind is left out belongs to what lies below it, and is the one exception.
    #[test]
    fn files_may_be_merged_in_any_grouping(a in written(0..4), b in written(0..4), c in written(0..4)) {
        let (a, b, c) = (level(&a), level(&b), level(&c));
        let from_below = c.clone().over(&b.clone().over(&a));
        let from_above = c.over(&b).over(&a);
        prop_assert_eq!(from_below, from_above);
    }

    #[test]
    fn an_empty_file_changes_nothing_and_neither_does_the_same_again(a in written(0..5), b in written(0..5)) {
        let (a, b) = (level(&a), level(&b));
        let merged = b.clone().over(&a);
        prop_assert_eq!(&b.clone().over(&level("").over(&a)), &merged);
        prop_assert_eq!(&level("").over(&merged), &merged);
        prop_assert_eq!(&merged.clone().over(&level("")), &merged);
        prop_assert_eq!(&b.over(&merged), &merged);
    }
}

#[test]
fn short_and_long_forms_mean_the_same() {
    for (short, long) in [
        ("agent: codex", "agent: {kind: codex}"),
        ("prompt: Do it.", "prompt: {text: Do it.}"),
        ("repository: ./r", "repository: {path: ./r}"),
        ("caches: {cargo: true}", "caches: {cargo: {}}"),
        ("environment: [A=1, B=x=y]", "environment: {A: 1, B: x=y}"),
        ("labels: [a=b]", "labels: {a: b}"),
        ("volumes: ['./a:/a:ro']", "volumes: [{source: ./a, target: /a, read_only: true}]"),
        ("resources: {memory: 4GiB}", "resources: {memory: 4294967296}"),
        ("restart: on-failure", "restart: on-failure:0"),
        ("timeout: {run: 90m}", "timeout: {run: 1h30m}"),
    ] {
        assert_eq!(level(short), level(long), "{short}");
    }
}
