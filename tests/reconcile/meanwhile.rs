//! What somebody does while an `up` waits for an agent stands: the `up` gives up, and takes nothing back.

use super::{LONG, wait_for_work, working};
use crate::support::world::{World, docker, eventually};
use std::process::{Child, Stdio};

/// An `up` that waits for the agent of `a`.
fn waiting(world: &World) -> Child {
    let session = "sessions:\n  a: {prompt: Please work for a while}\n";
    world.manifest(session);
    world.run(&["up", "--wait", "--yes"]).ok();
    wait_for_work(world);
    world.manifest(&format!("environment: {{COLOUR: red}}\n{session}"));
    let mut up = world.command(&["up", "--detach"]);
    let up = up.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("it waits", LONG, || world.ps()[0]["pending"][0]["waits_for"] == "idle");
    up
}

#[track_caller]
fn gives_up(up: Child, why: &str) {
    let said = up.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(why), "{stderr}");
}

fn state(world: &World) -> String {
    let filter = format!("label=clauderon.project={}", world.project);
    docker(&["ps", "--all", "--format", "{{.State}}", "--filter", &filter]).trim().to_owned()
}

#[test]
fn what_was_taken_down_or_stopped_meanwhile_stays_so() {
    for (verb, left) in [("down", ""), ("stop", "exited")] {
        let world = World::with_model(&working(600));
        let up = waiting(&world);
        world.run(&[verb]).ok();
        gives_up(up, "while its agent was waited for");
        assert_eq!(state(&world), left, "`{verb}` was undone");
    }
}

#[test]
fn what_was_edited_away_meanwhile_is_not_given_back() {
    let world = World::with_model(&working(12));
    let up = waiting(&world);
    let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    world.write(
        "clauderon.yaml",
        &format!("{text}    proxy: {{hosts: {{evil.invalid: false}}}}\n")
            .replace("a: {prompt: Please work for a while}", "a:\n    prompt: Please work for a while"),
    );
    gives_up(up, "`clauderon up` again goes by what");
    let asked = "curl -s -o /dev/null -w '%{http_code}' http://evil.invalid/ || true";
    eventually("the edit holds", LONG, || {
        world.run(&["exec", "a", "--", "bash", "-c", asked]).stdout == "403"
    });
}
