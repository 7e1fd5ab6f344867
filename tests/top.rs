//! The live view, looked at in a real terminal: tmux holds it and tells what is on its screen.

use crate::support::world::{World, eventually};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(120);

/// A terminal of 80 by 24 with a line of bash in it.
struct Tmux {
    socket: String,
}

impl Tmux {
    fn of(world: &World, line: &str) -> Self {
        let socket = format!("clauderon-{}", world.project);
        let program = env!("CARGO_BIN_EXE_clauderon");
        let line =
            format!("{}; echo left with $?; sleep 600", line.replace("clauderon ", &format!("{program} ")));
        let started = Command::new("tmux")
            .args([
                "-L",
                &socket,
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                "80",
                "-y",
                "24",
                "bash",
                "-c",
                &line,
            ])
            .current_dir(world.root())
            .env("CLAUDERON_HOME", world.home())
            .env("XDG_CONFIG_HOME", world.path("config"))
            .env("HOME", world.path("user"))
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .status();
        assert!(started.expect("tmux is installed by scripts/peers").success());
        Self { socket }
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.socket]).args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    #[track_caller]
    fn shows(&self, what: &str) -> String {
        let start = std::time::Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(what) {
                return screen;
            }
            assert!(start.elapsed() < LONG, "`{what}` is not on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("== screen\n{}", self.screen());
        }
        self.tmux(&["kill-server"]);
    }
}

fn script() -> Value {
    json!({"turns": [
        {"when": "work", "steps": [{"run": "sleep 600"}, {"say": "Done."}]},
        {"when": "ask", "steps": [{"run": "touch made"}, {"say": "Made."}]},
        {"when": "", "steps": [{"say": "All well here."}]},
    ]})
}

/// The line of a session.
fn line<'a>(screen: &'a str, session: &str) -> &'a str {
    screen.lines().find(|line| line.starts_with(session)).unwrap_or_default()
}

#[test]
fn each_session_is_seen_at_80_by_24_and_its_keys_do_what_they_say() {
    let world = World::with_model(&script());
    world.manifest("sessions:\n  asker: {prompt: Please ask, permissions: ask}\n  rester: hello\n  worker: Please work\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    let tmux = Tmux::of(&world, "clauderon top");
    for (session, what) in [("asker", "! waiting: permission"), ("rester", "  idle"), ("worker", "* working")]
    {
        eventually(what, LONG, || line(&tmux.screen(), session).contains(what));
    }
    eventually("its tool is shown", LONG, || line(&tmux.screen(), "worker").contains("Bash sleep 600"));
    // The daemon is asked every few seconds what the models have counted.
    tmux.shows("TOKENS");
    let screen = tmux.screen();
    assert!(line(&screen, "worker").contains("clauderon/worker"), "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    assert!(screen.contains("q quit"), "{screen}");

    // The second one: its terminal, and back.
    tmux.press(&["Down"]);
    tmux.press(&["a"]);
    tmux.shows("All well here.");
    std::thread::sleep(Duration::from_millis(500));
    tmux.press(&["C-p"]);
    tmux.press(&["C-q"]);
    tmux.shows("SESSION");
    tmux.press(&["l"]);
    tmux.shows("logs rester");
    let page = tmux.shows("q: back");
    assert!(!page.contains("SESSION"), "{page}");
    tmux.press(&["q"]);
    tmux.shows("SESSION");
    tmux.press(&["s"]);
    eventually("it is stopped", LONG, || line(&tmux.screen(), "rester").contains("stopped"));
    assert_eq!(world.ps().iter().filter(|status| status["state"] == "running").count(), 2);
    tmux.press(&["q"]);
    tmux.shows("left with 0");
    assert_eq!(
        world.ps().iter().filter(|status| status["state"] == "running").count(),
        2,
        "leaving stops nothing"
    );
}

#[test]
fn at_rest_nothing_is_drawn_but_the_time() {
    let world = World::with_model(&script());
    world.manifest("sessions:\n  rester: hello\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "rester", "--for", "idle", "--timeout", "60s"]).ok();
    let tmux = Tmux::of(&world, "clauderon top");
    tmux.shows("idle");
    std::thread::sleep(Duration::from_secs(2));
    let raw = world.path("raw");
    tmux.tmux(&["pipe-pane", &format!("cat > {}", raw.display())]);
    std::thread::sleep(Duration::from_secs(5));
    let bytes = std::fs::read(&raw).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("\u{1b}[2J") && !text.contains("\u{1b}[J"), "the screen is wiped: {text:?}");
    assert!((1..600).contains(&bytes.len()), "{} bytes in 5 s: {text:?}", bytes.len());
}

#[test]
fn up_shows_the_sessions_calls_for_a_person_and_can_be_left() {
    let world = World::with_model(&script());
    world.manifest("sessions:\n  asker: {prompt: Please ask, permissions: ask}\n");
    let tmux = Tmux::of(&world, &format!("clauderon up --yes 2>{}", world.path("up.err").display()));
    let raw = world.path("raw");
    tmux.tmux(&["pipe-pane", &format!("cat > {}", raw.display())]);
    eventually("it waits", LONG, || line(&tmux.screen(), "asker").contains("! waiting: permission"));
    tmux.shows("d detach");
    let rung = || {
        String::from_utf8_lossy(&std::fs::read(&raw).unwrap()).contains("]9;asker: waiting: permission\u{7}")
    };
    eventually("the terminal is told", LONG, rung);
    // An edit is seen meanwhile.
    world.manifest("environment: {A: b}\nsessions:\n  asker: {prompt: Please ask, permissions: ask}\n");
    tmux.shows("environment");
    tmux.press(&["d"]);
    tmux.shows("left with 0");
    assert_eq!(world.ps()[0]["state"], "running");

    let tmux = Tmux::of(&world, "clauderon up --yes --now");
    tmux.shows("d detach");
    tmux.press(&["C-c"]);
    tmux.shows("left with 0");
    assert_eq!(world.ps()[0]["state"], "stopped");
}

#[test]
fn without_a_screen_each_change_is_a_line() {
    let world = World::with_model(&script());
    world.manifest("sessions:\n  rester: hello\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "rester", "--for", "idle", "--timeout", "60s"]).ok();
    let once = world.run(&["top", "--plain", "--once"]).ok();
    assert!(once.contains("rester") && once.contains("idle") && !once.contains('\u{1b}'), "{once}");
    let log = world.path("top.log");
    let mut command = world.command(&["top", "--plain"]);
    command.stdout(std::fs::File::create(&log).unwrap()).stderr(Stdio::null());
    let _top = Ended(command.spawn().unwrap());
    let said = |text: &str| std::fs::read_to_string(&log).unwrap().contains(text);
    eventually("what is", LONG, || said("idle"));
    world.run(&["stop"]).ok();
    eventually("what comes", LONG, || said("stopped"));
    let told = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = told.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "only what is another thing is told: {told}");
}

/// A program that does not outlive its test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
