//! Manifests that want to hurt, and the real program: a diagnostic, exit code 2, and bounded memory, whatever comes.
//! How long each takes is measured by `tests/bench/manifest`; here the clock only guards against hanging.

mod inputs;

use clauderon::fs;
use clauderon::manifest::diagnostic::Diagnostics;
use clauderon::manifest::parse_in;
use clauderon::manifest::project::Project;
use clauderon::manifest::resolved::to_yaml;
use clauderon::manifest::settle::Surroundings;
use inputs::{Input, MOST, inputs};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a manifest may take, in KiB: 50 MB. The code of a dev build alone takes some of it that a release does not, for
/// which a fifth more is left; `tests/bench/manifest` holds the release to the 50.
const MOST_MEMORY: u64 = if cfg!(debug_assertions) { 60_000_000 / 1024 } else { 50_000_000 / 1024 };
/// Seconds after which a run hangs.
const HANG: u32 = 20;
/// Bytes of talk about one manifest.
const MOST_TALK: usize = 64 * 1024;

struct Seen {
    code: i32,
    said: String,
    memory: u64,
}

/// Runs `validate` on a file, and looks at what it says and takes.
fn validate(file: &Path) -> Seen {
    let directory = tempfile::tempdir().unwrap();
    let measured = directory.path().join("measured");
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/measure"))
        .args([measured.as_os_str(), "1".as_ref(), HANG.to_string().as_ref()])
        .args([env!("CARGO_BIN_EXE_clauderon"), "-f"])
        .args([file.as_os_str(), "validate".as_ref()])
        .env("CLAUDERON_HOME", directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"", "{}", file.display());
    let measured = fs::read_to_string(&measured).expect("what was measured");
    let memory = measured.split_whitespace().nth(2).and_then(|peak| peak.parse().ok()).expect("the peak");
    let said = String::from_utf8(output.stderr).expect("text");
    Seen { code: output.status.code().expect("a code"), said, memory }
}

/// Refused with a diagnostic: exit code 2, `error: ` and the file, no letter that drives a terminal.
#[track_caller]
fn refused(file: &Path) -> Seen {
    let seen = validate(file);
    let named = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(seen.code, 2, "{named}: {}", seen.said);
    assert!(seen.said.starts_with("error: ") && seen.said.contains(named), "{named}: {}", seen.said);
    assert!(!seen.said.chars().any(|letter| letter.is_control() && letter != '\n'), "{named}: {}", seen.said);
    seen
}

#[test]
fn every_hostile_manifest_is_answered_within_bounds() {
    let directory = tempfile::tempdir().unwrap();
    fs::replace(&directory.path().join("long.md"), "x".repeat(MOST).as_bytes(), 0o644).unwrap();
    for Input { name, bytes, valid } in inputs() {
        let file = directory.path().join(format!("{name}.yaml"));
        fs::replace(&file, &bytes, 0o644).unwrap();
        let seen = if valid { validate(&file) } else { refused(&file) };
        assert_eq!(seen.code, if valid { 0 } else { 2 }, "{name}: {}", seen.said);
        assert!(seen.said.len() <= MOST_TALK, "{name} is answered by {} bytes", seen.said.len());
        assert!(seen.memory <= MOST_MEMORY, "{name} takes {} KiB", seen.memory);
    }
}

#[test]
fn the_hostile_manifests_are_what_they_claim() {
    let inputs = inputs();
    assert!(inputs.len() > 80);
    for Input { name, bytes, .. } in &inputs {
        assert!(bytes.len() <= MOST || *name == "ten-megabytes", "{name} is not even read");
    }
    let mut names: Vec<&str> = inputs.iter().map(|input| input.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), inputs.len(), "a name twice");
}

#[test]
fn what_is_no_file_of_text_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("directory")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("zero")).unwrap();
    fs::replace(&at("file"), b"", 0o644).unwrap();
    for (name, reason) in [
        ("directory", "is a directory"),
        ("pipe", "is not a regular file"),
        ("zero", "is not a regular file"),
        ("socket", "could not read"),
        ("loop", "could not read"),
        ("none", "could not read"),
        ("file/within", "could not read"),
    ] {
        let seen = validate(&at(name));
        assert_eq!(seen.code, 2, "{name}: {}", seen.said);
        assert!(seen.said.starts_with("error: ") && seen.said.contains(reason), "{name}: {}", seen.said);
        assert!(seen.memory <= MOST_MEMORY, "{name} takes {} KiB", seen.memory);
    }
}

#[test]
fn a_manifest_that_may_not_be_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clauderon.yaml");
    fs::replace(&file, b"name: shop\n", 0o644).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o000)).unwrap();
    let seen = if rustix::process::getuid().is_root() { as_nobody(&file) } else { validate(&file) };
    assert_eq!(seen.code, 2, "{}", seen.said);
    assert!(seen.said.contains("could not read") && seen.said.contains("ermission denied"), "{}", seen.said);
}

/// Root may read everything: the program is run as somebody else, from a place that everybody can reach. Another
/// process copies it there: what this one writes may be open in a test beside it, and is then busy.
fn as_nobody(file: &Path) -> Seen {
    let directory = file.parent().unwrap();
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).unwrap();
    let program = directory.join("clauderon");
    let copied =
        Command::new("cp").args([env!("CARGO_BIN_EXE_clauderon").as_ref(), program.as_os_str()]).status();
    assert!(copied.unwrap().success());
    let output = std::os::unix::process::CommandExt::uid(
        Command::new(&program).args(["-f".as_ref(), file.as_os_str(), "validate".as_ref()]),
        65534,
    )
    .current_dir("/")
    .output()
    .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    Seen { code: output.status.code().expect("a code"), said, memory: 0 }
}

fn parse(text: &str) -> Result<Project, Diagnostics> {
    let file = Path::new("/home/me/shop/clauderon.yaml");
    let files = |_: &Path| Ok("Do it\n".to_owned());
    let around =
        Surroundings { root: Path::new("/home/me/shop"), home: Some(Path::new("/home/me")), files: &files };
    parse_in(file, text, &around)
}

/// The manifests of a corpus.
fn corpus(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest").join(kind);
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

/// One of these files' texts.
fn text_of(mut files: Vec<PathBuf>) -> impl Strategy<Value = String> {
    files.sort();
    assert!(files.len() >= 20, "the corpus is gone");
    let texts: Vec<String> = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    prop::sample::select(texts)
}

/// A manifest to begin with, as often a good one as a bad one.
fn seed() -> impl Strategy<Value = String> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let examples = super::examples::all().into_iter().map(|name| examples.join(name).join("clauderon.yaml"));
    prop_oneof![text_of(corpus("valid").into_iter().chain(examples).collect()), text_of(corpus("invalid"))]
}

/// What may be put into a manifest.
const PIECES: [&str; 38] = [
    "",
    " ",
    "\n",
    "\t",
    ":",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "<<: *a",
    "\"",
    "'",
    "|",
    ">",
    "#",
    "!!str ",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\0",
    "\u{feff}",
    "\u{1b}[2J",
    "\u{85}",
    "\r",
    "ü",
    "🦀",
    "~",
    ".nan",
    "-1",
    "99999999999999999999",
    "sessions:",
    "x-a: ",
];

/// A change: where (as a share of the text), how many letters are taken out, and what is put there: a piece, and a
/// copy of some letters that stand elsewhere.
type Change = (f64, usize, &'static str, Option<(f64, usize)>);

fn change() -> impl Strategy<Value = Change> {
    let taken = prop_oneof![3 => Just(0_usize), 3 => 0_usize..4, 1 => 0_usize..80];
    let copied = prop::option::weighted(0.3, (0.0..1.0, 0_usize..60));
    (0.0..1.0, taken, prop::sample::select(&PIECES[..]), copied)
}

fn near(text: &str, share: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short text"
    )]
    let at = (share * text.len() as f64) as usize;
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn after(text: &str, start: usize, length: usize) -> usize {
    text[start..].char_indices().nth(length).map_or(text.len(), |(at, _)| start + at)
}

fn mutated(mut text: String, changes: &[Change]) -> String {
    for (share, length, piece, copied) in changes {
        let start = near(&text, *share);
        let end = after(&text, start, *length);
        let copied = copied.map_or_else(String::new, |(share, length)| {
            let from = near(&text, share);
            text[from..after(&text, from, length)].to_owned()
        });
        text.replace_range(start..end, &format!("{piece}{copied}"));
    }
    text
}

/// A project that survives its own resolved form, or faults that are inside the text and can be shown.
fn answers(text: &str) -> Result<bool, TestCaseError> {
    match parse(text) {
        Ok(project) => {
            let again = parse(&to_yaml(&project)).map_err(|wrong| wrong.render(false));
            prop_assert_eq!(again.map(Project::without_places), Ok(project.without_places()));
            Ok(true)
        }
        Err(wrong) => {
            prop_assert!(!wrong.list.is_empty());
            for diagnostic in &wrong.list {
                prop_assert!(
                    text.get(diagnostic.place.span.clone()).is_some(),
                    "{:?} is not in the text",
                    diagnostic
                );
                prop_assert!(
                    diagnostic.place.line >= 1 && diagnostic.place.line <= text.matches('\n').count() + 1
                );
                prop_assert!(!diagnostic.message.is_empty() && diagnostic.message.len() < 2_000);
            }
            prop_assert!(!wrong.render(true).is_empty());
            prop_assert!(wrong.render(false).chars().all(|letter| letter == '\n' || !letter.is_control()));
            Ok(false)
        }
    }
}

#[test]
fn a_thousand_mutated_manifests_end_in_a_project_or_in_diagnostics() {
    let config = Config { cases: 1_000, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let good = std::cell::Cell::new(0);
    let texts = (seed(), prop::collection::vec(change(), 1..4));
    let outcome = TestRunner::new_with_rng(config, rng).run(&texts, |(seed, changes)| {
        good.set(good.get() + usize::from(answers(&mutated(seed, &changes))?));
        Ok(())
    });
    outcome.unwrap();
    let good = good.get();
    assert!((50..950).contains(&good), "{good} good ones of a thousand are no test of both ways");
}

#[test]
fn what_the_fuzzer_once_found_is_answered() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/manifest");
    let mut read = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let bytes = fs::read(&entry.unwrap().path()).unwrap();
        // As the fuzzer does: what is no text is turned away before the parser.
        if let Ok(text) = String::from_utf8(bytes) {
            answers(&text).unwrap();
            read += 1;
        }
    }
    assert!(read >= 20, "the corpus is gone");
}
