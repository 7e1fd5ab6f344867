//! One conversation goes on through every kind of interruption, one after the other, and nothing is forgotten: each
//! request that the model receives holds all that was said before, in order.

use crate::support::pty::Terminal;
use crate::support::world::{World, docker, eventually, files_with, inspect};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);
/// How often a key is pressed again that an agent may not have been ready for.
const AGAIN: Duration = Duration::from_secs(4);

fn question(session: &str, turn: usize) -> String {
    format!("{session} asks number {turn} of many")
}

fn answer(turn: usize) -> String {
    format!("Answer number {turn} of many.")
}

/// A model that answers each question with its number.
fn numbered(turns: usize) -> Value {
    let turn = |turn| json!({"when": format!("number {turn} of many"), "steps": [{"say": answer(turn)}]});
    json!({"turns": (0..turns).map(turn).collect::<Vec<_>>()})
}

/// What the model was told in the newest request of a session that asks this.
fn told(world: &World, question: &str) -> Option<Vec<(String, String)>> {
    let requests = world.requests();
    let asked = |request: &&Value| request["user_text"] == question && request["side"] == false;
    let said = requests.iter().rev().find(asked)?["said"].as_array()?;
    let text = |said: &Value, name: &str| said[name].as_str().unwrap().to_owned();
    Some(said.iter().map(|said| (text(said, "role"), text(said, "text"))).collect())
}

/// The request that asks this holds everything before it, each once, in order.
#[track_caller]
fn assert_remembers(world: &World, session: &str, turn: usize, after: &str) {
    eventually(&format!("{session} asks number {turn} after {after}"), LONG, || {
        told(world, &question(session, turn)).is_some()
    });
    let mut expected = Vec::new();
    for before in 0..turn {
        expected.push(("user".to_owned(), question(session, before)));
        expected.push(("assistant".to_owned(), answer(before)));
    }
    expected.push(("user".to_owned(), question(session, turn)));
    let told = told(world, &question(session, turn)).unwrap();
    let of_us: Vec<_> = told.into_iter().filter(|(_, text)| text.contains(" of many")).collect();
    assert_eq!(of_us, expected, "{session} after {after}");
}

/// Types a question to an agent, as a person does who has just attached.
#[track_caller]
fn ask(world: &World, session: &str, turn: usize) {
    let mut terminal = Terminal::of(world, &format!("clauderon attach {session}"));
    let mut rows = 33;
    eventually("the conversation is shown", LONG, || {
        // An agent that was running all the time draws itself anew for a new size alone.
        rows = if rows == 33 { 34 } else { 33 };
        terminal.resize(rows, 101);
        std::thread::sleep(Duration::from_millis(250));
        terminal.shows("of many") || terminal.shows(&format!("number {}", turn - 1))
    });
    let question = question(session, turn);
    terminal.types(&question);
    let start = Instant::now();
    let mut pressed = None::<Instant>;
    while told(world, &question).is_none() {
        assert!(start.elapsed() < LONG, "the agent heard nothing; its screen:\n{}", terminal.text());
        if pressed.is_none_or(|pressed| pressed.elapsed() > AGAIN) && start.elapsed() > AGAIN / 8 {
            terminal.types("\r");
            pressed = Some(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

const SESSIONS: [&str; 2] = ["a", "c"];

fn manifest(world: &World, colour: &str) {
    let mut sessions = "sessions:\n".to_owned();
    for (session, agent) in SESSIONS.iter().zip(["claude", "codex"]) {
        let prompt = question(session, 0);
        let environment = format!("{{COLOUR: {colour}}}");
        sessions.push_str(&format!(
            "  {session}: {{agent: {agent}, prompt: {prompt}, environment: {environment}}}\n"
        ));
    }
    world.manifest(&sessions);
}

fn kill_daemon(world: &World) {
    let status: Value = serde_json::from_str(&world.run(&["daemon", "status"]).ok()).unwrap();
    let pid = Pid::from_raw(i32::try_from(status["pid"].as_i64().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

/// All processes are gone at once, and what lay in memory: what a machine that lost its power comes up with.
fn lose_power(world: &World) {
    let names = SESSIONS.map(|session| world.container(session));
    docker(&["kill", &names[0], &names[1]]);
    kill_daemon(world);
    for session in std::fs::read_dir(world.home().join("sessions")).unwrap() {
        let _ = std::fs::remove_file(session.unwrap().path().join("run/link.sock"));
    }
    std::fs::remove_file(world.home().join("daemon.sock")).unwrap();
}

fn run(world: &World, commands: &[&[&str]]) {
    for command in commands {
        world.run(command).ok();
    }
}

/// All answers so far are where docs/conversations.md says, also when nothing else is left.
#[track_caller]
fn assert_transcripts(world: &World) {
    let all = world.ps();
    for (session, status) in SESSIONS.iter().zip(&all) {
        let home = world.home().join("sessions").join(status["id"].as_str().unwrap());
        let place = match *session {
            "a" => format!("claude-projects/-workspace/{}.jsonl", status["conversation"].as_str().unwrap()),
            _ => "codex/sessions".to_owned(),
        };
        for turn in 0..INTERRUPTIONS.len() {
            let found = files_with(&home.join(&place), &answer(turn));
            assert_eq!(found.len(), 1, "answer {turn} to {session} in {place}");
        }
    }
}

/// An interruption: its name, and what happens.
type Interruption = (&'static str, fn(&World));

const INTERRUPTIONS: [Interruption; 10] = [
    ("a restart", |world| run(world, &[&["restart"]])),
    ("stop and start", |world| run(world, &[&["stop"], &["start"]])),
    ("stop and up", |world| run(world, &[&["stop"], &["up", "--detach"]])),
    ("a change that recreates", |world| {
        manifest(world, "green");
        let before = inspect(&world.container("a"))["Id"].clone();
        run(world, &[&["up", "--detach", "--now"]]);
        assert_ne!(inspect(&world.container("a"))["Id"], before);
    }),
    ("the daemon's end", |world| {
        kill_daemon(world);
        run(world, &[&["ps"]]);
    }),
    ("the end of the containers", |world| {
        docker(&["kill", &world.container("a"), &world.container("c")]);
        run(world, &[&["up", "--detach"]]);
    }),
    ("containers that were removed", |world| {
        docker(&["rm", "-f", &world.container("a"), &world.container("c")]);
        run(world, &[&["up", "--detach"]]);
    }),
    ("a power cut", |world| {
        lose_power(world);
        run(world, &[&["up", "--detach"]]);
    }),
    ("down and up", |world| run(world, &[&["down"], &["up", "--detach"]])),
    ("the loss of the checkouts", |world| {
        let checkouts = SESSIONS.map(|session| world.checkout(session));
        run(world, &[&["down", "--checkouts", "--volumes", "--force"]]);
        assert!(checkouts.iter().all(|checkout| !checkout.exists()));
        assert_transcripts(world);
        run(world, &[&["up", "--detach"]]);
        assert!(checkouts.iter().all(|checkout| checkout.exists()));
    }),
];

#[test]
fn a_conversation_goes_on_through_all_interruptions_and_forgets_nothing() {
    let world = World::with_model(&numbered(INTERRUPTIONS.len() + 1));
    manifest(&world, "red");
    world.run(&["up", "--wait", "--yes"]).ok();
    for session in SESSIONS {
        assert_remembers(&world, session, 0, "the start");
    }
    for (turn, (name, happens)) in (1..).zip(INTERRUPTIONS) {
        // The answer before is written down once the agent rests.
        for session in SESSIONS {
            world.run(&["wait", session, "--for", "idle", "--timeout", "60s"]).ok();
        }
        happens(&world);
        for session in SESSIONS {
            ask(&world, session, turn);
            assert_remembers(&world, session, turn, name);
        }
    }
}
