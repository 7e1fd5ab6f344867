//! The quickstart, as someone runs it who has a credential of Claude's.

use crate::support::pty::Terminal;
use crate::support::world::{World, docker, eventually, inspect};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(180);
const CANARY: &str = "sk-ant-api03-Canary-of-the-quickstart";
const CONTAINER: &str = "clauderon-quickstart-greeter";

/// Of what whoever runs the tests has, the quickstart finds nothing but this test's key.
fn quickstart(world: &World) -> Terminal {
    let without = clauderon::credential::known::VARIABLES.map(|name| format!("-u {name}")).join(" ");
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/run");
    let empty = world.path("nobody").display().to_string();
    Terminal::of(
        world,
        &format!(
            "env {without} CLAUDE_CONFIG_DIR={empty} ANTHROPIC_API_KEY={CANARY} {run}; echo ended with $?"
        ),
    )
}

#[test]
fn the_real_model_is_talked_to_where_that_was_agreed_to() {
    let world = World::new();
    let question = "Let this session talk to the real model";
    let mut terminal = quickstart(&world);
    eventually("it asks", LONG, || terminal.shows(question));
    assert!(terminal.shows("env:ANTHROPIC_API_KEY"), "it says what it found: {}", terminal.text());
    terminal.types("n\r");
    eventually("the session works", LONG, || terminal.shows("ended with"));
    let text = terminal.text();
    assert!(text.contains("ended with 0") && text.contains("Its model was the scripted one."), "{text}");
    assert!(!text.contains(CANARY));

    let mut terminal = quickstart(&world);
    eventually("it asks", LONG, || terminal.shows(question));
    terminal.types("y\r");
    eventually("the session is started", LONG, || {
        terminal.shows("clauderon ps") || terminal.shows("ended with")
    });
    let container = inspect(CONTAINER).to_string();
    assert!(
        !container.contains(CANARY)
            && container.contains("ANTHROPIC_API_KEY=sk-ant-api03-clauderon-proxy-placeholder")
    );
    assert!(terminal.shows("the real one, with env:ANTHROPIC_API_KEY"), "{}", terminal.text());
    // The real model is not to be had here, and the agent tries for minutes.
    docker(&["kill", CONTAINER]);
    eventually("it ends", LONG, || terminal.shows("ended with"));
    eventually("it cleans up", LONG, || {
        docker(&["ps", "-aq", "--filter", "name=clauderon-quickstart-greeter"]).is_empty()
    });
    assert!(!terminal.text().contains(CANARY));
}
