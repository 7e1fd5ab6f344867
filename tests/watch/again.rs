//! The daemon is told again and again what to watch: of one project after another, and of one that comes back.

use super::{Foreground, SOON, is_refused, quiet, rules};
use crate::support::world::{World, eventually};
use std::time::Duration;

/// An edit that takes a host away holds soon.
#[track_caller]
fn narrows(world: &World, host: &str) {
    assert!(!is_refused(world, host), "{host} is refused already");
    rules(world, &format!("{host}: false"));
    eventually(&format!("{host} is refused"), SOON, || is_refused(world, host));
}

#[test]
fn a_project_that_comes_back_is_watched_again() {
    let world = World::with_model(&quiet());
    rules(&world, "");
    world.run(&["up", "--detach", "--yes"]).ok();
    narrows(&world, "first.invalid");
    world.run(&["down"]).ok();
    // Edited while it is down: the daemon sees that nothing is up, and watches no longer.
    rules(&world, "other.invalid: true");
    std::thread::sleep(Duration::from_millis(500));
    rules(&world, "");
    world.run(&["up", "--detach", "--yes"]).ok();
    narrows(&world, "second.invalid");
    // Nothing at all has changed when it comes back.
    world.run(&["down"]).ok();
    rules(&world, "");
    world.run(&["up", "--detach", "--yes"]).ok();
    narrows(&world, "third.invalid");

    rules(&world, "");
    world.run(&["up", "--detach", "--yes", "--no-watch"]).ok();
    rules(&world, "fourth.invalid: false");
    std::thread::sleep(Duration::from_secs(4));
    assert!(!is_refused(&world, "fourth.invalid"), "what is not to be watched is watched");
}

#[test]
fn a_second_project_of_a_home_is_watched_as_the_first_is() {
    let (first, second) = (World::with_model(&quiet()), World::with_model(&quiet()));
    let home = first.home().display().to_string();
    rules(&first, "");
    first.run(&["up", "--detach", "--yes"]).ok();
    narrows(&first, "first.invalid");
    rules(&second, "");
    second.run_as("CLAUDERON_HOME", &home, &["up", "--detach", "--yes"]).ok();
    narrows(&second, "second.invalid");
    rules(&first, "");
    first.run(&["up", "--detach", "--yes"]).ok();
    narrows(&first, "again.invalid");
    second.run_as("CLAUDERON_HOME", &home, &["down", "--checkouts", "--volumes", "--force"]).ok();
    narrows(&first, "last.invalid");
}

#[test]
fn an_edit_that_takes_a_variable_more_only_waits() {
    let world = World::with_model(&quiet());
    let text = rules(&world, "a.invalid: true");
    let up = Foreground::new(&world, &["up", "--yes"]);
    let text = text.replace("a.invalid: true", "a.invalid: false");
    let taking = format!("environment: {{SHELL_OF: \"${{HOME:-none}}\"}}\n{text}");
    world.write("clauderon.yaml", &taking);
    up.says("variables which nobody agreed to: it waits for `up`");
    assert!(!is_refused(&world, "a.invalid"), "what nobody agreed to was read");
    world.write("clauderon.yaml", &text);
    up.says("live a: proxy.hosts.a.invalid");
    assert!(is_refused(&world, "a.invalid"));
}
