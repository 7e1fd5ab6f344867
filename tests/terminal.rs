//! A real terminal on both ends: `script` gives the caller one.

use crate::support::world::{World, docker, eventually};
use serde_json::json;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// A command in a terminal of 33 rows and 101 columns.
struct Terminal {
    child: Child,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn of(world: &World, command: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_clauderon");
        let line =
            format!("stty rows 33 cols 101; {}", command.replace("clauderon ", &format!("{program} ")));
        let mut child = Command::new("script")
            .args(["-qefc", &line, "/dev/null"])
            .current_dir(world.root())
            .env("CLAUDERON_HOME", world.home())
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/bash")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut output, seen) = (child.stdout.take().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                seen.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { child, screen }
    }

    fn types(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    fn shows(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).contains(text)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
