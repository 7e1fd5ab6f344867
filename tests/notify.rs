//! Programs of the user's that are run when a session needs a person.

use crate::support::world::{World, docker, eventually};
use serde_json::json;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(120);

/// The user's own file, which notes each occasion.
fn user(world: &World, notify: &str) {
    let directory = world.path("config/clauderon");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("clauderon.yaml"), format!("notify:\n{notify}")).unwrap();
}

fn noted(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.path("noted")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn note(world: &World) -> String {
    let line =
        r#"echo "$CLAUDERON_OCCASION $CLAUDERON_PROJECT/$CLAUDERON_SESSION $CLAUDERON_WAITING_FOR" >> "$0""#;
    format!("[sh, -c, '{line}', {}]", world.path("noted").display())
}

#[test]
fn who_waits_is_done_has_ended_or_failed_is_told_with_nothing_that_an_agent_says() {
    let world = World::with_model(&json!({"turns": [
        {"when": "ask", "steps": [{"run": "touch made"}, {"say": "$(touch /tmp/evil) `id`"}]},
        {"when": "", "steps": [{"say": "All well here."}]},
    ]}));
    let note = note(&world);
    user(&world, &format!("  waiting: {note}\n  idle: {note}\n  ended: {note}\n  failed: {note}\n"));
    world.manifest(
        "sessions:\n  asker: {prompt: Please ask, permissions: ask}\n  rester: hello\n  \
         broken: {agent: {kind: claude, args: [--no-such-flag]}, restart: 'no'}\n",
    );
    world.run(&["up", "--detach", "--yes"]).ok();
    let project = world.project.clone();
    let told = |what: &str, session: &str, why: &str| {
        let line = format!("{what} {project}/{session} {why}");
        eventually(&line, LONG, || noted(&world).contains(&line));
    };
    told("waiting", "asker", "permission");
    told("idle", "rester", "");
    told("failed", "broken", "");
    world.run(&["stop", "rester"]).ok();
    told("ended", "rester", "");
    let all = noted(&world).join("\n");
    assert_eq!(all.matches("waiting").count(), 1, "{all}");
    assert!(!all.contains("evil") && !all.contains("All well"), "{all}");
}

#[test]
fn a_program_that_hangs_is_ended_and_holds_up_nobody() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well here."}]}]}));
    let (begun, late) = (world.path("begun"), world.path("late"));
    user(
        &world,
        &format!(
            "  idle: [sh, -c, 'touch {}; (sleep 4; touch {}) & wait']\n  timeout: 1\n",
            begun.display(),
            late.display()
        ),
    );
    world.manifest("sessions: {a: hello}\n");
    world.run(&["up", "--detach", "--yes"]).ok();
    eventually("it is run", LONG, || begun.exists());
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    std::thread::sleep(Duration::from_secs(6));
    assert!(!late.exists(), "what it had begun goes on");
    let log = std::fs::read_to_string(world.home().join("daemon.log")).unwrap();
    assert!(log.contains("took too long"), "{log}");
}

#[test]
fn a_projects_manifest_runs_nothing_on_this_machine() {
    let world = World::new();
    world.manifest("notify: {idle: [touch, /tmp/evil]}\nsessions: {a: hello}\n");
    for command in [&["validate"][..], &["up", "--yes"]] {
        let refused = world.run(command);
        assert_eq!(refused.code, 2, "{refused:?}");
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(said.contains("names no command that runs on this machine"), "{said}");
    }
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("label=clauderon.project={}", world.project)]), "");
}
