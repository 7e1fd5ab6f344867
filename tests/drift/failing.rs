//! What ends by itself is started again as `restart` says, ever later, and not for ever.

use super::*;

#[test]
fn an_agent_that_was_killed_goes_on_and_is_never_shown_at_work_while_it_is_dead() {
    let world = World::with_model(&json!({"turns": [
        {"when": "work", "steps": [{"run": "touch begun.txt; sleep 600"}, {"say": "Done."}]},
        {"when": "", "steps": [{"say": "All well."}]},
    ]}));
    world.manifest("sessions:\n  a: {prompt: Please work for a while}\n  c: {agent: codex, prompt: Please work for a while}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    for session in ["a", "c"] {
        let begun = world.checkout(session).join("begun.txt");
        eventually("the agent works", LONG, || {
            status(&world, session)["activity"] == "working" && begun.exists()
        });
        let before = inspect(&world.container(session));
        assert_eq!(before["HostConfig"]["RestartPolicy"]["Name"], "no", "two would start it");
        strike(&world.container(session));
        eventually("it runs again", LONG, || {
            let now = status(&world, session);
            let runs = now["state"] == "running";
            assert!(runs || now["activity"] != "working", "dead and at work: {now}");
            runs && inspect(&world.container(session))["State"]["StartedAt"] != before["State"]["StartedAt"]
        });
        assert_eq!(inspect(&world.container(session))["Id"], before["Id"], "it is the same container");
        eventually("it is not at work still", LONG, || status(&world, session)["activity"] != "working");
        let said = told(&world, session, "restart");
        assert_eq!(said, ["ended with exit code 137; started again after 1 s (1 of 3)"]);
    }
    eventually("the conversation goes on", LONG, || resumed(&world, "a") == 1);
    assert_eq!(world.run(&["plan"]).ok(), "nothing to do\n");
}

#[test]
fn what_fails_at_once_is_tried_ever_later_and_given_up_with_its_last_words() {
    let world = World::with_model(&calm());
    let manifest = |flag: &str| {
        world.manifest(&format!(
            "agent: {{kind: claude, args: [{flag}]}}\nsessions:\n  a: {{restart: on-failure:2}}\n  \
             n: {{restart: 'no'}}\n  b: {{mode: batch, prompt: hello}}\n"
        ));
    };
    manifest("--no-such-flag");
    world.run(&["up", "--detach", "--yes"]).ok();
    eventually("it waits", LONG, || {
        let now = status(&world, "a");
        let waits = now["state"] == "restarting";
        assert!(!waits || now["error"].as_str().unwrap().contains("started again in"), "{now}");
        waits
    });
    for session in ["n", "b"] {
        eventually("its last words are known", LONG, || {
            status(&world, session)["output"].to_string().contains("no-such-flag")
        });
    }
    // The number of tries outlives the daemon, and so does the wait.
    kill_daemon(&world);
    // While no daemon is there, an end is known by its code alone.
    let whole = "ended with exit code 1, after 2 new starts";
    eventually("it is given up", LONG, || status(&world, "a")["error"] == whole);
    let now = status(&world, "a");
    assert_eq!((&now["state"], &now["error"]), (&json!("failed"), &json!(whole)));
    let output = now["output"].as_array().unwrap();
    assert!(output.iter().any(|line| line.as_str().unwrap().contains("no-such-flag")), "{now}");
    assert!(!now["output"].to_string().contains("\\u001b"), "{now}");
    let table = world.run(&["ps"]);
    assert!(table.stderr.contains("a: ended with exit code 1, after 2 new starts"), "{table:?}");
    assert!(table.stderr.contains("  | ") && table.stderr.contains("no-such-flag"), "{table:?}");
    let again = told(&world, "a", "restart");
    let last = "ended with exit code 1; started again after 2 s (2 of 2)";
    assert!(again.len() <= 2 && again.last().unwrap() == last, "{again:?}");
    let failed = told(&world, "a", "failed");
    assert_eq!(failed, ["ended with exit code 1, after 2 new starts; `clauderon up` tries again"]);
    // Whatever is not to be started again was not, and says why it ended.
    for session in ["n", "b"] {
        let now = status(&world, session);
        assert_eq!((&now["state"], &now["error"]), (&json!("failed"), &json!("ended with exit code 1")));
        assert_eq!(told(&world, session, "restart"), Vec::<String>::new());
    }
    let runs = || inspect(&world.container("a"))["State"]["StartedAt"].clone();
    let before = runs();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(runs(), before, "given up is given up");

    // What is mended is started, and what failed before counts no more.
    manifest("--verbose");
    world.run(&["up", "--wait", "--yes"]).ok();
    eventually("it runs", LONG, || state(&world, "a") == "running");
    strike(&world.container("a"));
    let first = "ended with exit code 137; started again after 1 s (1 of 2)";
    eventually("it is tried anew", LONG, || told(&world, "a", "restart").last().unwrap() == first);
}

#[test]
fn a_batch_session_that_has_done_its_work_is_not_begun_again_by_anything_but_the_user() {
    let world = World::with_model(&calm());
    let manifest = |more: &str| {
        world.manifest(&format!("{more}sessions:\n  b: {{mode: batch, restart: always, prompt: hello}}\n"));
    };
    manifest("");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "b", "--for", "exited", "--timeout", "60s"]).ok();
    let runs = || inspect(&world.container("b"))["State"]["StartedAt"].clone();
    let (before, id) = (runs(), inspect(&world.container("b"))["Id"].clone());
    eventually("its end is known", LONG, || told(&world, "b", "die").len() == 1);
    kill_daemon(&world);
    world.run(&["up", "--detach"]).ok();
    manifest("agent: {model: haiku}\nenvironment: {COLOUR: green}\n");
    let said = world.run(&["up", "--detach", "--yes"]);
    assert_eq!(said.code, 0, "{said:?}");
    let kept = "[recreate]: it has done its work, and `clauderon up --renew b` has it done again";
    assert!(said.stderr.contains(kept), "{said:?}");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((runs(), inspect(&world.container("b"))["Id"].clone()), (before, id.clone()));
    assert_eq!(state(&world, "b"), "exited");
    world.run(&["up", "--detach", "--renew", "b"]).ok();
    assert_ne!(inspect(&world.container("b"))["Id"], id);
}

#[test]
fn a_source_that_leads_elsewhere_by_now_is_not_mounted_by_the_daemon_either() {
    let world = World::with_model(&calm());
    world.write("data/a.txt", "a");
    std::fs::create_dir(world.path("private")).unwrap();
    world.manifest("restart: always\nvolumes: [\"./data:/d:ro\"]\nsessions: {a: hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    settle(&world, "a");
    strike(&world.container("a"));
    eventually("one that leads where it led is started", LONG, || resumed(&world, "a") == 1);
    std::fs::remove_dir_all(world.root().join("data")).unwrap();
    std::os::unix::fs::symlink(world.path("private"), world.root().join("data")).unwrap();
    strike(&world.container("a"));
    eventually("it is refused", LONG, || state(&world, "a") == "failed");
    assert!(error(&world, "a").contains("now leads to"), "{}", error(&world, "a"));
    let said = told(&world, "a", "drift");
    assert!(
        said.len() == 1 && said[0].contains("not started again") && said[0].contains("/private"),
        "{said:?}"
    );
    assert_eq!(inspect(&world.container("a"))["State"]["Running"], false);
    std::fs::remove_file(world.root().join("data")).unwrap();
    world.write("data/a.txt", "a");
    world.run(&["up", "--wait"]).ok();
    assert_eq!(error(&world, "a"), "");
}
