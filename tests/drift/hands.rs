//! What somebody does with the engine's own tools is told, and left; `up` undoes it.

use super::*;
use crate::support::world::docker;

#[test]
fn what_was_stopped_by_hand_stays_stopped_and_up_starts_it() {
    let world = World::with_model(&calm());
    world.manifest(
        "sessions:\n  a: {prompt: hello}\n  k: {prompt: hello, restart: always}\n  u: {prompt: hello, restart: always}\n",
    );
    world.run(&["up", "--wait", "--yes"]).ok();
    docker(&["stop", "--time", "5", &world.container("a")]);
    docker(&["kill", &world.container("k")]);
    world.run(&["stop", "u"]).ok();
    for session in ["a", "k"] {
        eventually("it is told", LONG, || told(&world, session, "drift").len() == 1);
        let said = told(&world, session, "drift").remove(0);
        assert_eq!(said, "stopped with the engine's own tools, and left so; `clauderon up` starts it");
        assert_eq!(state(&world, session), "stopped");
        assert_eq!(error(&world, session), "stopped with the engine's own tools");
    }
    // What the user asked for is no news.
    assert_eq!((state(&world, "u"), error(&world, "u")), ("stopped".to_owned(), String::new()));
    std::thread::sleep(Duration::from_secs(4));
    let runs = |session: &str| inspect(&world.container(session))["State"]["Running"] == true;
    assert!(!runs("a") && !runs("k") && !runs("u"));
    // As the engine has it: `always` comes back with who starts it, but not what the user had stopped.
    world.run(&["daemon", "stop"]).ok();
    world.run(&["up", "--detach", "a"]).ok();
    eventually("`always` is started", LONG, || runs("k"));
    eventually("`up` starts what it was asked for", LONG, || runs("a"));
    std::thread::sleep(Duration::from_secs(3));
    assert!(!runs("u"), "what the user stopped was started");
    for session in ["a", "k", "u"] {
        assert!(told(&world, session, "restart").is_empty(), "{session}");
    }
    // Somebody starts it: that is a start.
    docker(&["start", &world.container("u")]);
    eventually("it runs", LONG, || state(&world, "u") == "running");
    strike(&world.container("u"));
    eventually("its policy holds again", LONG, || told(&world, "u", "restart").len() == 1);
    // What clauderon does by itself is nobody's hand.
    let before: Vec<usize> = ["a", "k", "u"].map(|session| told(&world, session, "drift").len()).into();
    world.run(&["restart"]).ok();
    world.run(&["up", "--detach", "--recreate", "--now"]).ok();
    std::thread::sleep(Duration::from_secs(2));
    let after: Vec<usize> = ["a", "k", "u"].map(|session| told(&world, session, "drift").len()).into();
    assert_eq!(after, before);
    world.run(&["down"]).ok();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("label=clauderon.project={}", world.project)]), "");
}

#[test]
fn what_was_removed_is_missed_and_made_anew_by_up_alone_with_its_volumes() {
    let world = World::with_model(&calm());
    world.manifest("restart: always\nvolumes: [\"data:/data\"]\nsessions: {a: {prompt: hello}}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    settle(&world, "a");
    docker(&["rm", "--force", &world.container("a")]);
    docker(&["volume", "rm", &format!("clauderon-{}-data", world.project)]);
    eventually("it is told", LONG, || told(&world, "a", "drift").len() == 1);
    let said = told(&world, "a", "drift").remove(0);
    assert!(
        said.contains("removed with the engine's own tools") && said.contains("`clauderon up`"),
        "{said}"
    );
    std::thread::sleep(Duration::from_secs(3));
    let now = status(&world, "a");
    assert_eq!((&now["state"], &now["activity"]), (&json!("missing"), &json!("ended")));
    assert!(now["error"].as_str().unwrap().contains("removed with the engine's own tools"), "{now}");
    assert_eq!(world.run(&["plan"]).ok(), "create a: not there\n");
    world.run(&["up", "--wait"]).ok();
    eventually("the conversation goes on", LONG, || resumed(&world, "a") == 1);
    // The volume is the user's again.
    let owner = world.run(&["exec", "a", "--", "stat", "--format", "%u", "/data"]).ok();
    assert_eq!(owner.trim(), rustix::process::getuid().as_raw().to_string());
    assert_eq!(error(&world, "a"), "");
    assert_eq!(told(&world, "a", "drift").len(), 1);
}

#[test]
fn another_name_other_limits_and_another_network_are_told_and_undone() {
    let world = World::with_model(&calm());
    world.manifest(
        "resources: {memory: 1GiB}\nsessions: {a: {prompt: hello}, b: {prompt: hello}, c: {prompt: hello}}\n",
    );
    world.run(&["up", "--wait", "--yes"]).ok();
    for session in ["a", "b", "c"] {
        world.run(&["wait", session, "--for", "idle", "--timeout", "60s"]).ok();
    }
    let started = |session: &str| inspect(&world.container(session))["State"]["StartedAt"].clone();
    let before = started("a");
    let other = format!("{}-other", world.container("a"));
    docker(&["rename", &world.container("a"), &other]);
    docker(&[
        "update",
        "--memory",
        "512m",
        "--memory-swap",
        "512m",
        "--restart",
        "always",
        &world.container("b"),
    ]);
    docker(&["network", "disconnect", "none", &world.container("c")]);
    docker(&["network", "connect", "bridge", &world.container("c")]);
    for (session, part) in [
        ("a", format!("named `{other}`")),
        ("b", "resources.memory: `536870912`".to_owned()),
        ("c", "network: `bridge`".to_owned()),
    ] {
        eventually("it is told", LONG, || told(&world, session, "drift").iter().any(|it| it.contains(&part)));
    }
    // Two would start it.
    eventually("the engine leaves it to us", LONG, || {
        inspect(&world.container("b"))["HostConfig"]["RestartPolicy"]["Name"] == "no"
    });
    // By another name it is the same session, for every command.
    assert_eq!(state(&world, "a"), "running");
    assert_eq!(world.run(&["exec", "a", "--", "printenv", "HOME"]).ok(), "/workspace\n");
    let plan = world.run(&["plan"]).ok();
    let name = world.container("a");
    assert_eq!(
        plan,
        format!(
            "live a: container's name: {other} → {name} [live]\n\
             recreate b: resources.memory: 536870912 → 1073741824 [recreate]\n\
             recreate c: network: bridge → none [recreate]\n"
        )
    );
    assert_eq!(status(&world, "b")["pending"][0]["field"], "resources.memory");
    // What was missed is found by the next daemon.
    kill_daemon(&world);
    docker(&["update", "--pids-limit", "77", &world.container("b")]);
    world.run(&["ps"]).ok();
    eventually("it is found", LONG, || {
        told(&world, "b", "drift").iter().any(|it| it.contains("resources.pids: `77`"))
    });
    world.run(&["up", "--wait"]).ok();
    assert_eq!(started("a"), before, "a name is given back without a disturbance");
    assert_eq!(inspect(&world.container("b"))["HostConfig"]["Memory"], json!(1 << 30));
    let networks = inspect(&world.container("c"))["NetworkSettings"]["Networks"].clone();
    assert_eq!(networks.as_object().unwrap().keys().collect::<Vec<_>>(), ["none"]);
    assert_eq!(world.run(&["plan"]).ok(), "nothing to do\n");
}
