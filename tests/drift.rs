//! What happens to containers behind our back: real agents, a real engine, and somebody who kills, stops, removes and
//! changes. Each test is a part of the table in `docs/drift.md`.

mod away;
mod failing;
mod hands;
mod lost;

use crate::support::world::{World, eventually, files_with, inspect};
use serde_json::{Value, json};
use std::time::Duration;

/// For what needs an agent's start.
const LONG: Duration = Duration::from_secs(60);

/// A model that has one answer.
fn calm() -> Value {
    json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]})
}

/// A session's status.
#[track_caller]
fn status(world: &World, session: &str) -> Value {
    world.ps().into_iter().find(|status| status["session"] == session).expect("the session is known")
}

#[track_caller]
fn state(world: &World, session: &str) -> String {
    status(world, session)["state"].as_str().unwrap().to_owned()
}

#[track_caller]
fn error(world: &World, session: &str) -> String {
    status(world, session)["error"].as_str().unwrap_or_default().to_owned()
}

/// The events that clauderon itself tells of a session, of one type: their messages.
#[track_caller]
fn told(world: &World, session: &str, kind: &str) -> Vec<String> {
    let ours =
        |event: &&Value| event["session"] == session && event["type"] == kind && event["source"] != "hook";
    let message = |event: &Value| event["data"]["message"].as_str().unwrap_or_default().to_owned();
    world.events().iter().filter(ours).map(message).collect()
}

/// Waits until a session has had its turn, and its agent has written it down.
#[track_caller]
fn settle(world: &World, session: &str) {
    world.run(&["wait", session, "--for", "idle", "--timeout", "60s"]).ok();
    let home = world.home().join("sessions").join(status(world, session)["id"].as_str().unwrap());
    let written = || files_with(&home.join("claude-projects"), "All well.").len() == 1;
    eventually("the turn is written down", LONG, written);
}

/// How often a session's conversation was taken up again.
#[track_caller]
fn resumed(world: &World, session: &str) -> usize {
    let again = |event: &&Value| {
        event["session"] == session && event["type"] == "SessionStart" && event["data"]["source"] == "resume"
    };
    world.events().iter().filter(again).count()
}

/// What ends the agent that no engine is asked for: the kernel, for want of memory, or a fault of its own.
#[track_caller]
fn strike(container: &str) {
    let pid = inspect(container)["State"]["Pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).expect("it runs");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Kills the daemon, as it stands.
#[track_caller]
fn kill_daemon(world: &World) {
    let status: Value = serde_json::from_str(&world.run(&["daemon", "status"]).ok()).unwrap();
    let pid = i32::try_from(status["pid"].as_i64().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    eventually("it is gone", LONG, || world.run(&["daemon", "status"]).code == 1);
}
