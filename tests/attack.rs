//! The hostile agent, inside a real container: what it tries from there, and what the host is left with.

use crate::support::world::{World, files_with};
use serde_json::json;

fn quiet() -> World {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions: {a: hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    world
}

/// Runs a script as the agent and answers its exit code and output.
fn inside(world: &World, script: &str) -> (i32, String) {
    let answer = world.run(&["exec", "a", "--", "bash", "-c", script]);
    (answer.code, answer.stdout + &answer.stderr)
}

#[test]
fn nothing_that_points_git_elsewhere_can_be_written_moved_or_removed() {
    let world = quiet();
    for attempt in [
        "echo x >> /workspace/.git/config",
        "rm /workspace/.git/config",
        "mv /workspace/.git/config /workspace/.git/other",
        "git config core.fsmonitor /tmp/evil",
        "echo x > /workspace/.git/hooks/pre-commit",
        "mv /workspace/.git/hooks /workspace/.git/hooks2",
        "echo /elsewhere > /workspace/.git/commondir",
        "rm /workspace/.git/commondir",
        "mv /workspace/.git /workspace/.git2",
        "rm -r /workspace/.git/info",
        "echo '* filter=x' > /workspace/.git/info/attributes",
        "echo /elsewhere > /workspace/.git/objects/info/alternates",
        "mv /workspace/.git/objects /workspace/.git/objects2",
        "mv /workspace/.git/objects/info /workspace/.git/objects/info2",
        "echo x > /workspace/.clauderon/hooks/send_status.sh",
        "mv /workspace/.clauderon/hooks /workspace/.clauderon/hooks2",
        "rm /run/clauderon/link.sock",
        "echo x > /run/clauderon/entry.sh",
        "echo x > /etc/claude-code/managed-settings.json",
        "echo x > /etc/clauderon/proxy-ca.pem",
    ] {
        let (code, said) = inside(&world, attempt);
        assert_ne!(code, 0, "`{attempt}` succeeded: {said}");
    }
    for work in [
        "git commit -q --allow-empty -m work",
        "echo x > file && git add file && git commit -q -m file",
        "git checkout -q -b side && git checkout -q - && git branch -q -D side",
        "git stash list && git tag t && git tag -d t",
        "git gc -q",
        "git fsck",
    ] {
        let (code, said) = inside(&world, work);
        assert_eq!(code, 0, "`{work}` failed: {said}");
    }
}

#[test]
fn the_users_history_cannot_be_reached() {
    let world = quiet();
    let objects = world.root().join(".git/objects").canonicalize().unwrap();
    let (code, _) = inside(
        &world,
        &format!("rm -rf {}/* 2>/dev/null; echo x > {}/x", objects.display(), objects.display()),
    );
    assert_ne!(code, 0);
    world.git(&["fsck", "--full"]);
    let parent = world.root().join(".git");
    for file in ["config", "hooks", "HEAD", "refs"] {
        let (code, said) = inside(&world, &format!("ls {}/{file}", parent.display()));
        assert_ne!(code, 0, "{file} of the user's repository is seen: {said}");
    }
}

#[test]
fn what_the_agent_plants_makes_the_host_run_and_follow_nothing() {
    let world = quiet();
    let canary = world.path("canary");
    let (code, said) = inside(
        &world,
        "set -e; cd /workspace
         mkdir sub && cd sub && git init -q && git -c user.name=x -c user.email=x commit -q --allow-empty -m x
         git config core.fsmonitor '/workspace/evil.sh' && git config filter.x.clean '/workspace/evil.sh' && cd ..
         printf '#!/bin/sh\ntouch CANARY\n' > evil.sh && chmod +x evil.sh
         git add evil.sh && git -c advice.addEmbeddedRepo=false add sub && git commit -q -m plant
         mkdir -p .git/refs/heads/links && ln -s /etc/passwd .git/refs/heads/links/secret
         ln -s /etc .git/refs/heads/links/directory
         rm -rf .cargo && ln -s /tmp .cargo || true",
    );
    assert_eq!(code, 0, "{said}");
    let evil = world.checkout("a").join("evil.sh");
    let text = std::fs::read_to_string(&evil).unwrap().replace("CANARY", canary.to_str().unwrap());
    std::fs::write(&evil, text).unwrap();
    world.run(&["pull", "a"]);
    world.run(&["ps"]).ok();
    world.run(&["stop", "a"]).ok();
    let down = world.run(&["down"]);
    assert_eq!(down.code, 0, "{down:?}");
    let refusal = world.run(&["down", "--checkouts"]).fails(3);
    assert!(refusal.contains("sub"), "the nested repository is reported: {refusal}");
    assert!(!canary.exists(), "something of the agent's ran on the host");
    assert_eq!(files_with(&world.root().join(".git/refs"), "root:"), Vec::<std::path::PathBuf>::new());
    world.git(&["fsck"]);
}

#[test]
fn a_link_planted_at_a_mount_point_stops_the_next_start_and_is_named() {
    let world = quiet();
    // Mount points hold while the container runs: the agent plants what it can, the host finds it at the next making.
    world.run(&["stop", "a"]).ok();
    let checkout = world.checkout("a");
    world.run(&["down"]).ok();
    std::fs::remove_dir_all(checkout.join(".cargo")).unwrap();
    let outside = world.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, checkout.join(".cargo")).unwrap();
    let said = world.run(&["up", "-d"]).fails(1);
    assert!(said.contains(".cargo"), "{said}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "the host followed the link");
}

#[test]
fn a_session_reports_in_no_other_name_and_a_flood_is_borne() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions: {a: hello, b: hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    let ids: Vec<String> =
        world.ps().iter().map(|status| status["id"].as_str().unwrap().to_owned()).collect();
    let post = |session: &str, token: &str| {
        let body = format!("{{\"session_id\":\"{session}\",\"event\":\"Forged\",\"data\":null}}");
        let script = format!(
            "token={token}; curl -s -o /dev/null -w '%{{http_code}}' --noproxy '*' -X POST -H 'Content-Type: application/json' \
             -H \"Authorization: Bearer $token\" -d '{body}' http://host.docker.internal:$CLAUDERON_HTTP_PORT/api/hooks"
        );
        inside(&world, &script).1
    };
    let own = "$(sed -n \"s/^token='\\(.*\\)'/\\1/p\" /workspace/.clauderon/hooks/send_status.sh)";
    assert_eq!(post(&ids[0], own), "204", "its own name is believed");
    assert_eq!(post(&ids[1], own), "403", "another's is not");
    assert_eq!(post(&ids[0], "guess"), "401");
    let forged = world.events().iter().filter(|event| event["type"] == "Forged").count();
    assert_eq!(forged, 1);
    assert!(!world.hooks("b").contains(&"Forged".to_owned()));
}

#[test]
fn no_credential_of_the_host_is_inside_and_none_is_kept() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions: {a: hello}\n");
    let secret = "sk-ant-secret-of-the-host-0123456789";
    let up = world
        .command(&["up", "--wait", "--yes"])
        .env("ANTHROPIC_API_KEY", secret)
        .env("GH_TOKEN", secret)
        .output();
    assert!(up.unwrap().status.success());
    let (_, environment) = inside(&world, "cat /proc/1/environ /proc/self/environ; env");
    assert!(!environment.contains(secret));
    assert_eq!(files_with(&world.home(), secret), Vec::<std::path::PathBuf>::new());
}
