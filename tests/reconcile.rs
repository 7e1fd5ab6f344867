//! What a change of the manifest does to an agent that is at work: nothing, until it is idle.

mod meanwhile;

use crate::support::world::{World, docker, eventually, inspect};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(90);

/// A model that works for some seconds when it is told to, and whose work leaves a trace when it comes to its end.
fn working(seconds: u32) -> Value {
    json!({"turns": [
        {"when": "work", "steps": [
            {"run": format!("touch begun.txt; sleep {seconds}; touch ended.txt")},
            {"say": "It is done."},
        ]},
        {"when": "", "steps": [{"say": "All well."}]},
    ]})
}

fn wait_for_work(world: &World) {
    let checkout = world.checkout("a");
    eventually("the agent works", LONG, || {
        world.ps()[0]["activity"] == "working" && checkout.join("begun.txt").exists()
    });
}

fn started(world: &World) -> (Value, Value) {
    let seen = inspect(&world.container("a"));
    (seen["Id"].clone(), seen["State"]["StartedAt"].clone())
}

#[test]
fn a_recreation_waits_until_the_agent_is_idle_and_says_so() {
    let world = World::with_model(&working(12));
    let session = "sessions:\n  a: {prompt: Please work for a while}\n";
    world.manifest(session);
    world.run(&["up", "--wait", "--yes"]).ok();
    wait_for_work(&world);
    let before = started(&world);
    world.manifest(&format!("environment: {{COLOUR: hunter2}}\n{session}"));
    let plan = world.run(&["plan"]).ok();
    let told = "recreate a: environment.COLOUR added: (hidden) [recreate]; waits until the agent is idle\n";
    assert_eq!(plan, told);
    assert_eq!(world.ps()[0]["pending"][0]["waits_for"], "up", "nobody has asked for it yet");

    let mut up = world.command(&["up", "--detach"]);
    let up = up.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("`ps` shows what is waited for", LONG, || world.ps()[0]["pending"][0]["waits_for"] == "idle");
    let pending = &world.ps()[0]["pending"];
    let change = json!({
        "field": "environment.COLOUR", "old": null, "new": "(hidden)", "effect": "recreate", "waits_for": "idle",
    });
    assert_eq!(pending, &json!([change]));
    let table = world.run(&["ps"]).ok();
    assert!(table.contains("PENDING") && table.contains("recreate, waits for idle"), "{table}");
    assert!(!world.checkout("a").join("ended.txt").exists(), "the turn is over too early for this test");
    assert_eq!(started(&world), before, "it was disturbed");

    let said = up.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.success(), "{stderr}");
    assert!(stderr.contains(told.trim_end()) && stderr.contains("Waiting until idle"), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
    assert_ne!(started(&world).0, before.0);
    assert!(world.checkout("a").join("ended.txt").exists(), "its turn was broken off");
    assert!(world.hooks("a").contains(&"Stop".to_owned()), "{:?}", world.hooks("a"));
    assert_eq!(world.run(&["exec", "a", "--", "printenv", "COLOUR"]).ok(), "hunter2\n");
    assert_eq!(world.ps()[0]["pending"], json!([]));
    assert_eq!(world.run(&["plan"]).ok(), "nothing to do\n");
}

#[test]
fn patience_ends_in_time_what_is_live_holds_at_once_and_now_does_not_wait() {
    let world = World::with_model(&working(600));
    let session = "sessions:\n  a: {prompt: Please work for a while}\n";
    world.manifest(session);
    world.run(&["up", "--wait", "--yes"]).ok();
    wait_for_work(&world);
    let before = started(&world);
    let asks = |access: &str| {
        let hosts = format!("{{hosts: {{denied.example: {access}}}}}");
        world.manifest(&format!(
            "agent: {{model: haiku}}\nsessions:\n  a: {{prompt: Please work for a while, proxy: {hosts}}}\n"
        ));
    };
    asks("false");
    let plan =
        "restart a: agent.model: (none) → haiku [restart], proxy.hosts.denied.example added: false [live]";
    assert_eq!(world.run(&["plan"]).ok(), format!("{plan}; waits until the agent is idle\n"));
    let said = world.run(&["up", "--detach", "--idle-timeout", "1s"]).fails(4);
    for part in ["still works after 1s", "left alone", "`clauderon up --now a`", "--idle-timeout"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(started(&world), before, "it was disturbed");
    assert_eq!(world.ps()[0]["activity"], "working");
    // What is live holds already; the rest is pending, and nobody waits for it any more.
    let pending = &world.ps()[0]["pending"];
    let change =
        json!({"field": "agent.model", "old": "", "new": "haiku", "effect": "restart", "waits_for": "up"});
    assert_eq!(pending, &json!([change]));
    let asked = "curl -s -o /dev/null -w '%{http_code}' https://denied.example/ || true";
    assert_eq!(world.run(&["exec", "a", "--", "bash", "-c", asked]).ok(), "403");
    // Who was killed waits for nothing.
    let mut up = world.command(&["up", "--detach"]).stderr(Stdio::null()).spawn().unwrap();
    eventually("it waits", LONG, || world.ps()[0]["pending"][0]["waits_for"] == "idle");
    up.kill().unwrap();
    up.wait().unwrap();
    assert_eq!(world.ps()[0]["pending"][0]["waits_for"], "up");
    let said = world.run(&["up", "--now", "--idle-timeout", "1s"]).fails(2);
    assert!(said.contains("cannot be used with"), "{said}");

    world.run(&["up", "--detach", "--now"]).ok();
    let after = started(&world);
    assert_eq!(after.0, before.0, "a restart keeps the container");
    assert_ne!(after.1, before.1);
    let script = world.run(&["exec", "a", "--", "cat", "/run/clauderon/entry.sh"]).ok();
    assert!(script.contains("haiku"), "{script}");
    assert_eq!(world.run(&["plan"]).ok(), "nothing to do\n");
    assert!(!world.checkout("a").join("ended.txt").exists(), "this test is about a turn that was not over");

    // Live alone disturbs nobody, working or not.
    asks("true");
    let said = world.run(&["up", "--detach"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stderr.contains("live a: proxy.hosts.denied.example: false → read-write [live]"),
        "{said:?}"
    );
    assert_eq!(started(&world), after);
}

#[test]
fn a_changed_prompt_leaves_the_conversation_alone_until_a_new_one_is_asked_for() {
    let world = World::with_model(&working(1));
    let manifest = |prompt: &str| {
        world.manifest(&format!("prompt: {prompt}\nsessions:\n  a:\n  c: {{agent: codex}}\n"));
    };
    let idle = || {
        for session in ["a", "c"] {
            world.run(&["wait", session, "--for", "idle", "--timeout", "90s"]).ok();
        }
    };
    let conversations = || {
        let all = world.ps();
        ["a", "c"].map(|name| {
            let one = all.iter().find(|status| status["session"] == name).unwrap();
            one["conversation"].as_str().unwrap().to_owned()
        })
    };
    manifest("Say the first word");
    world.run(&["up", "--wait", "--yes"]).ok();
    idle();
    let (before, first) = (started(&world), conversations());
    manifest("Say the second word");
    let keep = |name: &str| {
        format!(
            "keep {name}: prompt: Say the first word → Say the second word [new conversation only]: \
             `clauderon up --renew {name}` begins one\n"
        )
    };
    let plan = world.run(&["plan", "--exit-code"]);
    let told = format!("{}{}nothing to do\n", keep("a"), keep("c"));
    assert_eq!((plan.code, plan.stdout), (0, told));
    let said = world.run(&["up", "--detach"]);
    assert!(said.code == 0 && said.stderr.contains(&keep("a")), "{said:?}");
    assert_eq!((started(&world), conversations()), (before.clone(), first.clone()));
    let pending = &world.ps()[0]["pending"][0];
    assert_eq!((&pending["effect"], &pending["waits_for"]), (&json!("new-conversation"), &json!("renew")));

    let said = world.run(&["up", "--detach", "--renew"]).fails(2);
    assert!(said.contains("SESSION"), "which ones is to be said: {said}");
    world.run(&["up", "--detach", "--renew", "a", "c"]).ok();
    // How long a conversation is when an agent hears of a prompt.
    let length = |path: &str, prompt: &str| {
        let requests = world.requests();
        let ours = |it: &&Value| {
            it["side"] == false && it["user_text"] == prompt && it["path"].as_str().unwrap().starts_with(path)
        };
        requests.iter().filter(ours).find_map(|it| it["turns"].as_u64())
    };
    for path in ["/v1/messages", "/v1/responses"] {
        eventually("the agent hears the new prompt", LONG, || length(path, "Say the second word").is_some());
        let lengths = ["first", "second"].map(|word| length(path, &format!("Say the {word} word")));
        assert_eq!(lengths[0], lengths[1], "{path}: the old conversation went on");
    }
    idle();
    let second = conversations();
    assert!(second[0] != first[0] && second[1] != first[1], "{first:?} {second:?}");
    assert_ne!(started(&world).0, before.0);
    let plan = world.run(&["plan", "--exit-code"]);
    assert_eq!((plan.code, plan.stdout.as_str()), (0, "nothing to do\n"));

    // The newest conversation is the one that goes on, when the containers are gone too.
    let asked = world.requests().len();
    world.run(&["down"]).ok();
    world.run(&["up", "--detach"]).ok();
    eventually("the conversation goes on", LONG, || {
        let events = world.events();
        let newest = events.iter().rev().find(|it| it["type"] == "SessionStart" && it["session"] == "a");
        newest.is_some_and(|it| {
            it["data"]["source"] == "resume" && it["data"]["session_id"] == second[0].as_str()
        })
    });
    assert_eq!(conversations(), second);
    let runs = || docker(&["top", &world.container("c")]);
    eventually("codex goes on with its last conversation", LONG, || runs().contains("resume --last"));
    let said = |it: &&Value| it["user_text"].as_str().is_some_and(|text| text.starts_with("Say the"));
    let again = world.requests()[asked..].iter().filter(said).count();
    assert_eq!(again, 0, "a prompt was said again");
}
