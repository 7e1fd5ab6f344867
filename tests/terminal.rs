//! A real terminal on both ends.

use crate::support::engine::Relay;
use crate::support::pty::Terminal;
use crate::support::world::{World, docker, eventually};
use serde_json::json;
use std::process::{Command, Stdio};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn idle() -> World {
    let world = World::with_model(&json!({"turns": [
        {"when": "typed by hand", "steps": [{"say": "I heard what was typed."}]},
        {"when": "", "steps": [{"say": "All well here."}]},
    ]}));
    world.manifest("sessions: {a: hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    world
}

/// The model's own log is the witness: a screen is drawn piece by piece.
fn hears(world: &World, terminal: &Terminal) {
    let start = std::time::Instant::now();
    while !world.requests().iter().any(|request| request["user_text"] == "typed by hand") {
        assert!(start.elapsed() < LONG, "the agent heard nothing; its screen:\n{}", terminal.text());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn attach_is_a_terminal_with_size_keys_and_a_way_out() {
    let world = idle();
    let mut terminal = Terminal::of(&world, "clauderon attach a; echo left with $?");
    eventually("the agent's screen is shown", LONG, || terminal.shows("All well here."));
    let size = || world.run(&["exec", "a", "--", "bash", "-c", "stty size < /proc/1/fd/0"]).stdout;
    eventually("the size arrives", LONG, || size().trim() == "33 101");
    for (rows, columns) in [(50, 120), (24, 80)] {
        terminal.resize(rows, columns);
        eventually("a new size arrives", LONG, || size().trim() == format!("{rows} {columns}"));
    }
    terminal.types("typed by hand");
    std::thread::sleep(Duration::from_millis(500));
    terminal.types("\r");
    hears(&world, &terminal);
    terminal.types("\x10\x11");
    eventually("the detach keys lead out", LONG, || terminal.shows("left with 0"));
    assert_eq!(world.ps()[0]["state"], "running", "{}", terminal.text());
}

#[test]
fn the_engines_own_attach_works_as_well() {
    let world = idle();
    let mut terminal =
        Terminal::of(&world, &format!("docker attach {}; echo left with $?", world.container("a")));
    std::thread::sleep(Duration::from_secs(1));
    terminal.types("typed by hand");
    std::thread::sleep(Duration::from_millis(500));
    terminal.types("\r");
    hears(&world, &terminal);
    terminal.types("\x10\x11");
    eventually("the detach keys lead out", LONG, || terminal.shows("left with"));
    assert_eq!(docker(&["inspect", "--format", "{{.State.Running}}", &world.container("a")]), "true\n");
}

#[test]
fn a_new_size_reaches_an_execution_too() {
    let world = idle();
    let mut terminal = Terminal::of(&world, "clauderon exec a; echo left with $?");
    terminal.types("trap 'echo \"now $(stty size)\"' WINCH; echo rea\"\"dy\n");
    eventually("the shell is there", LONG, || terminal.shows("ready"));
    terminal.resize(50, 120);
    // The shell runs its trap when it comes to its next prompt.
    eventually("the new size arrives", LONG, || {
        terminal.types("\n");
        terminal.shows("now 50 120")
    });
    terminal.types("exit\n");
    eventually("the shell ends", LONG, || terminal.shows("left with 0"));
}

/// Attaches, ends it this way, and expects the terminal as it was.
fn restores(world: &World, before: &str, line: &str, end: impl FnOnce(&mut Terminal)) -> String {
    let mut terminal = Terminal::of(world, &format!("{line}; echo left with $?; sleep 60"));
    eventually("the terminal is the agent's", LONG, || terminal.is_raw());
    assert_ne!(terminal.modes(), before);
    end(&mut terminal);
    eventually("it ends", LONG, || terminal.shows("left with"));
    assert_eq!(terminal.modes(), before, "{}", terminal.text());
    terminal.text()
}

#[test]
fn the_callers_terminal_is_as_it_was_however_attach_ends() {
    let world = idle();
    let modes = Terminal::of(&world, "sleep 60").modes();
    let attach = "clauderon attach a";
    let detached = restores(&world, &modes, attach, |terminal| terminal.types("\x10\x11"));
    assert!(detached.contains("left with 0"), "{detached}");

    // The engine, or what is between, goes away.
    let relay = Relay::new();
    let behind = format!("DOCKER_HOST={} {attach}", relay.address());
    restores(&world, &modes, &behind, |_| relay.cut());

    let pid = world.path("pid");
    let told = format!("(echo $BASHPID > {}; exec {attach})", pid.display());
    let ended = restores(&world, &modes, &told, |_| {
        let pid = std::fs::read_to_string(&pid).unwrap();
        assert!(Command::new("kill").args(["-TERM", pid.trim()]).status().unwrap().success());
    });
    assert!(ended.contains("left with 1"), "{ended}");

    // Nobody reads any more what is shown.
    restores(&world, &modes, &format!("{attach} | sleep 3"), |terminal| {
        std::thread::sleep(Duration::from_secs(4));
        terminal.types("some words that are drawn as they come");
    });

    assert_eq!(world.ps()[0]["state"], "running");
    restores(&world, &modes, attach, |_| drop(world.run(&["stop", "a"]).ok()));
}

#[test]
fn exec_without_a_command_is_a_shell_in_a_terminal() {
    let world = idle();
    let mut terminal = Terminal::of(&world, "clauderon exec a; echo left with $?");
    std::thread::sleep(Duration::from_secs(1));
    terminal.types("tty; stty size; pwd; exit 5\n");
    eventually("the shell ends", LONG, || terminal.shows("left with 5"));
    assert!(
        terminal.shows("/dev/pts/") && terminal.shows("33 101") && terminal.shows("/workspace"),
        "{}",
        terminal.text()
    );
}

#[test]
fn up_in_the_foreground_follows_and_interrupt_stops() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well here."}]}]}));
    world.manifest("sessions: {a: hello}\n");
    let mut terminal = Terminal::of(&world, "clauderon up --yes; echo left with $?");
    eventually("events are shown", LONG, || terminal.shows("UserPromptSubmit"));
    assert!(terminal.shows("[+] 1/1"), "progress is redrawn: {}", terminal.text());
    terminal.types("\x03");
    eventually("it stops", LONG, || terminal.shows("left with 0"));
    assert_eq!(world.ps()[0]["state"], "stopped");
    assert!(world.hooks("a").contains(&"SessionEnd".to_owned()));
}

#[test]
fn logs_follow_a_session() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well here."}]}]}));
    world.manifest("sessions: {a: {mode: batch, prompt: hello}, b: {mode: batch, prompt: hello}}\n");
    world.run(&["up", "-d", "--yes"]).ok();
    let one = world.run(&["logs", "-f", "a"]).ok();
    assert!(one.contains("All well here."), "{one}");
    let both = world.run(&["logs", "-f"]).ok();
    assert!(
        both.contains("a                | All well here.") && both.contains("b                | All well"),
        "{both}"
    );
}

#[test]
fn events_follow_what_comes() {
    use std::io::BufRead;
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well here."}]}]}));
    world.manifest("sessions: {a: {mode: batch, prompt: hello}}\n");
    let mut follower = Command::new("timeout")
        .args(["60", env!("CARGO_BIN_EXE_clauderon"), "events", "-f", "--format", "json"])
        .current_dir(world.root())
        .env("CLAUDERON_HOME", world.home())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(follower.stdout.take().unwrap()).lines();
    world.run(&["up", "--wait", "--yes"]).ok();
    let kinds = lines.map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
    let mut seen: Vec<i64> = Vec::new();
    let mut ended = false;
    for event in kinds {
        seen.push(event["seq"].as_i64().unwrap());
        if event["type"] == "SessionEnd" {
            ended = true;
            break;
        }
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert!(ended && seen.len() >= 4 && seen.is_sorted(), "{seen:?}");
}
