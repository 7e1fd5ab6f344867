//! Completion in real shells: bash, and zsh and fish where they are installed.

use crate::support::world::{World, eventually};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A world whose manifest has three sessions.
fn world() -> World {
    let world = World::new();
    world.manifest("sessions: {login: One, logout: Two, review: Three}\n");
    world
}

/// A shell of the world in which `clauderon` is the program under test.
fn shell(world: &World, name: &str) -> Command {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_clauderon"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(name);
    command.current_dir(world.root()).env("PATH", path).env("CLAUDERON_HOME", world.home());
    command.env("HOME", world.directory()).env("TERM", "dumb").env_remove("XDG_CONFIG_HOME");
    command
}

/// What bash offers for a line, the last word being completed.
fn offered(world: &World, line: &str) -> Vec<String> {
    let script = "source <(clauderon completions bash); \
        IFS=$'\\1' read -r -a COMP_WORDS <<<\"$1\"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_TYPE=9; \
        [ \"${COMP_WORDS[COMP_CWORD]}\" != . ] || COMP_WORDS[COMP_CWORD]=''; \
        _clap_complete_clauderon clauderon \"${COMP_WORDS[COMP_CWORD]}\" x; printf '%s\\n' \"${COMPREPLY[@]}\"";
    // An empty last word is written as a dot.
    let words = if line.ends_with(' ') { format!("{line}.") } else { line.to_owned() };
    let output = shell(world, "bash")
        .args(["--norc", "--noprofile", "-c", script, "bash", &words.replace(' ', "\u{1}")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(String::from).collect()
}

#[test]
fn sessions_are_offered_wherever_one_is_meant() {
    let world = world();
    for verb in [
        "up", "down", "plan", "logs", "attach", "exec", "events", "wait", "stop", "start", "restart", "pull",
        "render",
    ] {
        assert_eq!(offered(&world, &format!("clauderon {verb} lo")), ["login", "logout"], "{verb}");
    }
    assert_eq!(offered(&world, "clauderon up --detach login r"), ["review"]);
    assert!(offered(&world, "clauderon up ").contains(&"review".to_owned()));
    assert_eq!(offered(&world, "clauderon completions z"), ["zsh"]);
    assert_eq!(offered(&world, "clauderon rest"), ["restart"]);
    assert_eq!(offered(&world, "clauderon pru"), ["prune"]);
    assert_eq!(offered(&world, "clauderon prune --t"), ["--transcripts"]);
    assert_eq!(offered(&world, "clauderon down --format j"), ["json"]);
    assert_eq!(offered(&world, "clauderon render --format d"), ["docker"]);
}

#[test]
fn another_manifest_is_heeded_and_a_broken_one_completes_nothing() {
    let world = world();
    world.write("other.yaml", "sessions: {elsewhere: One}\n");
    assert_eq!(offered(&world, "clauderon -f other.yaml up e"), ["elsewhere"]);
    assert_eq!(offered(&world, "clauderon -f none.yaml up l"), Vec::<String>::new());
    world.write("clauderon.yaml", "sessions: {login: [\n");
    assert_eq!(offered(&world, "clauderon up l"), Vec::<String>::new());
    world.write("clauderon.yaml", "unknown: key\nsessions: {login: One}\n");
    assert_eq!(offered(&world, "clauderon up l"), Vec::<String>::new());
    std::fs::remove_file(world.root().join("clauderon.yaml")).unwrap();
    assert_eq!(offered(&world, "clauderon up l"), Vec::<String>::new());
    assert!(!world.home().exists(), "completing makes nothing");
}

/// Types into a shell on a terminal until the screen shows what is expected.
fn types(world: &World, name: &str, start: &str, setup: &str) {
    let mut command = shell(world, "script");
    command.args(["-qefc", start, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let screen = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&screen);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            seen.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    writeln!(input, "{setup}; echo rea''dy").unwrap();
    let limit = Duration::from_secs(20);
    let shows = |text: &str| screen.lock().unwrap().contains(text);
    eventually(&format!("{name} is ready"), limit, || shows("ready"));
    // The completed line is run, and its answer is the witness.
    writeln!(input, "clauderon render rev\t").unwrap();
    input.flush().unwrap();
    let container = world.container("review");
    let found = std::panic::catch_unwind(|| {
        eventually(&format!("{name} has completed `review`"), limit, || shows(&container));
    });
    let _ = child.kill();
    let _ = child.wait();
    assert!(found.is_ok(), "{name}:\n{}", screen.lock().unwrap());
}

#[test]
fn a_tab_completes_a_session_in_real_shells() {
    let world = world();
    types(&world, "bash", "bash --norc --noprofile -i", "source <(clauderon completions bash)");
    let installed =
        |name: &str| Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success());
    if installed("zsh") {
        let setup = "autoload -Uz compinit; compinit -u; source <(clauderon completions zsh)";
        types(&world, "zsh", "zsh -f -i", setup);
    }
    if installed("fish") {
        types(&world, "fish", "fish --no-config -i", "clauderon completions fish | source");
    }
}
