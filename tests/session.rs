//! Real agents in real containers, from `up` to `down`. Only the model's answers are scripted.

use crate::support::world::{IMAGE, World, committing, docker, eventually, inspect};
use serde_json::{Value, json};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_claude_batch_session_works_commits_and_is_taken_away_with_nothing_lost() {
    let world = World::with_model(&committing());
    world.manifest("sessions:\n  a: {agent: claude, mode: batch, prompt: Greet the world}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "exited", "--timeout", "60s"]).ok();

    let status = &world.ps()[0];
    assert_eq!(status["state"], "exited", "{status}");
    assert_eq!(status["exit_code"], 0);
    let hooks = world.hooks("a");
    let expected = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd"];
    let seen: Vec<&String> = hooks.iter().filter(|hook| expected.contains(&hook.as_str())).collect();
    assert_eq!(seen, expected, "{hooks:?}");

    // Imported by the daemon, not by the test's own `pull`.
    eventually("the branch is in the repository", LONG, || {
        world.git(&["branch", "--list", "clauderon/a"]) != ""
    });
    assert_eq!(world.git(&["show", "clauderon/a:greeting.txt"]), "hello\n");
    assert_eq!(
        world.git(&["log", "-1", "--format=%an <%ae>", "clauderon/a"]),
        "Grace Hopper <grace@example.org>\n"
    );
    assert_eq!(world.git(&["status", "--porcelain"]), "?? clauderon.yaml\n");
    assert_eq!(world.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "main\n");

    // What it said to the model was read on the way.
    let audit = world.audit();
    let asked = audit.iter().find(|line| line["path"] == "/v1/messages").expect("no request was read");
    assert_eq!((&asked["host"], &asked["method"]), (&json!("api.anthropic.com"), &json!("POST")));
    assert_eq!((&asked["decision"], &asked["status"]), (&json!("pass"), &json!(200)));
    assert!(asked["bytes_in"].as_u64() > Some(1000) && asked["bytes_out"].as_u64() > Some(100), "{asked}");
    assert!(audit.iter().all(|line| line["decision"] != "tunnel"), "{audit:?}");

    let again = world.run(&["up", "-d"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(
        again.stderr.lines().count(),
        1,
        "a run that changes nothing prints one line: {}",
        again.stderr
    );

    let checkout = world.checkout("a");
    world.run(&["down"]).ok();
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", world.container("a"))]), "");
    assert!(checkout.join("greeting.txt").exists(), "down keeps the checkout");
    world.run(&["down", "--checkouts"]).ok();
    assert!(!checkout.exists());
    assert_eq!(world.git(&["show", "clauderon/a:greeting.txt"]), "hello\n");
}

#[test]
fn a_codex_batch_session_works_and_reports_by_its_hooks() {
    let world = World::with_model(&committing());
    world.manifest("sessions:\n  c: {agent: codex, mode: batch, prompt: Greet the world}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "c", "--for", "exited", "--timeout", "60s"]).ok();
    let hooks = world.hooks("c");
    let expected = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd"];
    let seen: Vec<&String> = hooks.iter().filter(|hook| expected.contains(&hook.as_str())).collect();
    assert_eq!(seen, expected, "{hooks:?}");
    eventually("the branch is in the repository", LONG, || {
        world.git(&["branch", "--list", "clauderon/c"]) != ""
    });
    assert_eq!(world.git(&["show", "clauderon/c:greeting.txt"]), "hello\n");
    // Its WebSocket is declined by the proxy, and it posts at once.
    let audit = world.audit();
    let asked: Vec<&Value> = audit.iter().filter(|line| line["path"] == "/v1/responses").collect();
    let (declined, posted): (Vec<&Value>, Vec<&Value>) =
        asked.iter().copied().partition(|line| line["method"] == "GET");
    assert!(!declined.is_empty() && declined.iter().all(|line| line["status"] == 426), "{asked:?}");
    assert!(posted.iter().any(|line| line["method"] == "POST" && line["status"] == 200), "{asked:?}");
    assert!(asked.iter().all(|line| line["host"] == "api.openai.com" && line["session"] == "c"), "{asked:?}");
}

#[test]
fn an_interactive_session_survives_stop_start_and_a_changed_environment() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions:\n  a: {prompt: Say hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    let first = inspect(&world.container("a"))["Id"].clone();

    assert_eq!(world.run(&["exec", "a", "--", "sh", "-c", "echo $HOME; exit 7"]).code, 7);
    assert_eq!(world.run(&["exec", "a", "--", "printenv", "HOME"]).ok(), "/workspace\n");
    assert_eq!(world.run_with(&["exec", "a", "--", "cat"], b"through").ok(), "through");

    world.run(&["stop", "a"]).ok();
    eventually("SessionEnd arrives on stop", LONG, || world.hooks("a").contains(&"SessionEnd".to_owned()));
    assert_eq!(world.ps()[0]["state"], "stopped");
    world.run(&["start", "a"]).ok();
    eventually("the conversation goes on", LONG, || {
        let events = world.events();
        events.iter().any(|event| event["type"] == "SessionStart" && event["data"]["source"] == "resume")
    });
    assert_eq!(inspect(&world.container("a"))["Id"], first);
    let started = inspect(&world.container("a"))["State"]["StartedAt"].clone();
    world.run(&["restart", "a"]).ok();
    assert_ne!(inspect(&world.container("a"))["State"]["StartedAt"], started);
    assert_eq!(inspect(&world.container("a"))["Id"], first);

    let dirty = world.checkout("a").join("unsaved.txt");
    std::fs::write(&dirty, "work in progress").unwrap();
    world.manifest("environment: {COLOUR: green}\nsessions:\n  a: {prompt: Say hello}\n");
    let plan = world.run(&["plan", "--exit-code"]);
    assert_eq!(plan.code, 5);
    assert_eq!(plan.stdout, "recreate a: environment.COLOUR added: (hidden) [recreate]\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    assert_ne!(inspect(&world.container("a"))["Id"], first);
    assert_eq!(world.run(&["exec", "a", "--", "printenv", "COLOUR"]).ok(), "green\n");
    assert_eq!(std::fs::read_to_string(&dirty).unwrap(), "work in progress");
    let resumed = || {
        let events = world.events();
        events
            .iter()
            .filter(|event| event["type"] == "SessionStart" && event["data"]["source"] == "resume")
            .count()
    };
    let before = resumed();
    world.run(&["down"]).ok();
    world.run(&["up", "--wait"]).ok();
    assert!(resumed() > before, "the conversation outlives `down`");

    world.run(&["down"]).ok();
    let refusal = world.run(&["down", "--checkouts"]).fails(3);
    assert!(refusal.contains("unsaved.txt"), "{refusal}");
    assert!(dirty.exists());
}

#[test]
fn hostile_prompts_reach_the_model_byte_for_byte() {
    let prompts =
        ["don't $(id) `id` \"quoted\" \\ back", "-x --help", "two\nlines\n", "ünïcode 🦀 \t tab", "$(id)"];
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "Heard."}]}]}));
    let mut sessions = "sessions:\n".to_owned();
    for (number, prompt) in prompts.iter().enumerate() {
        let prompt = serde_json::to_string(prompt).unwrap();
        for agent in ["claude", "codex"] {
            sessions
                .push_str(&format!("  {agent}{number}: {{agent: {agent}, mode: batch, prompt: {prompt}}}\n"));
        }
    }
    world.manifest(&sessions);
    world.run(&["up", "--wait", "--yes", "--wait-timeout", "5m"]).ok();
    for number in 0..prompts.len() {
        for agent in ["claude", "codex"] {
            world.run(&["wait", &format!("{agent}{number}"), "--for", "exited", "--timeout", "2m"]).ok();
        }
    }
    let heard: Vec<String> =
        world.requests().iter().filter_map(|it| it["user_text"].as_str().map(String::from)).collect();
    for prompt in prompts {
        let times = heard.iter().filter(|text| *text == prompt).count();
        assert!(times >= 2, "{prompt:?} arrived {times} times exactly; heard {heard:?}");
    }
    for request in world.requests() {
        if let Some(authorization) = request["authorization"].as_str().filter(|value| !value.is_empty()) {
            assert!(authorization.contains("placeholder"), "{authorization}");
        }
    }
}

#[test]
fn a_killed_daemon_is_started_again_and_the_running_session_goes_on() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions:\n  a: {prompt: Say hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    let before = inspect(&world.container("a"))["State"]["StartedAt"].clone();
    let status: Value = serde_json::from_str(&world.run(&["daemon", "status"]).ok()).unwrap();
    let pid = i32::try_from(status["pid"].as_i64().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let heard = || world.hooks("a").iter().filter(|hook| *hook == "Notification").count();
    let count = heard();
    // An event while the daemon is away is spooled, not lost.
    let hook = "echo '{\"n\":1}' | /workspace/.clauderon/hooks/send_status.sh Notification";
    world.run(&["exec", "a", "--", "bash", "-c", hook]).ok();
    world.run(&["ps"]).ok();
    eventually("the spooled event arrives", LONG, || heard() == count + 1);
    world.run(&["exec", "a", "--", "bash", "-c", hook]).ok();
    eventually("the socket works again", LONG, || heard() == count + 2);
    assert_eq!(inspect(&world.container("a"))["State"]["StartedAt"], before);
}

#[test]
fn an_interactive_codex_session_works_stops_and_goes_on() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions:\n  c: {agent: codex, prompt: Say hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "c", "--for", "idle", "--timeout", "60s"]).ok();
    world.run(&["stop", "c"]).ok();
    eventually("SessionEnd arrives on stop", LONG, || world.hooks("c").contains(&"SessionEnd".to_owned()));
    assert_eq!(world.ps()[0]["state"], "stopped");
    world.run(&["start", "c"]).ok();
    eventually("it runs again", LONG, || world.ps()[0]["state"] == "running");
    assert_eq!(world.run(&["exec", "c", "--", "git", "status", "--porcelain"]).ok(), "");
}

#[test]
fn a_batch_session_keeps_its_exit_code_and_up_says_what_it_printed() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest(
        "sessions:\n  a: {agent: {kind: claude, args: [--no-such-flag]}, mode: batch, prompt: hello}\n",
    );
    let said = world.run(&["up", "--wait", "--yes"]).fails(1);
    assert!(said.contains("no-such-flag") && said.contains("exit code 1"), "{said}");
    let status = &world.ps()[0];
    assert_eq!((&status["state"], &status["exit_code"]), (&json!("failed"), &json!(1)));
    assert_eq!(world.run(&["wait", "a", "--for", "idle"]).code, 1, "what has ended does not come to be idle");
}

#[test]
fn model_arguments_and_a_prompt_file_reach_the_agent() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.write("prompts/p.md", "From a file,\nwith two lines.\n");
    world.manifest(
        "agent: {model: haiku, args: [--append-system-prompt, \"Be brief, it's late\"]}\nmode: batch\n\
         permissions: accept-edits\nsessions:\n  a: {prompt: {file: prompts/p.md}}\n",
    );
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "exited", "--timeout", "60s"]).ok();
    let requests = world.requests();
    let turn = requests.iter().find(|request| request["user_text"] == "From a file,\nwith two lines.\n");
    let turn = turn.unwrap_or_else(|| panic!("the prompt did not arrive: {requests:?}"));
    assert!(turn["model"].as_str().unwrap().contains("haiku"), "{turn}");
}

#[test]
fn a_session_stopped_before_its_first_turn_starts_all_the_same() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions: {a: Say hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["stop"]).ok();
    let home = world.home().join("sessions");
    let id = world.ps()[0]["id"].as_str().unwrap().to_owned();
    let conversation = world.ps()[0]["conversation"].as_str().unwrap().to_owned();
    let transcript = home.join(id).join("claude-projects/-workspace").join(format!("{conversation}.jsonl"));
    std::fs::create_dir_all(transcript.parent().unwrap()).unwrap();
    std::fs::write(&transcript, "{\"type\":\"mode\",\"mode\":\"normal\"}\n").unwrap();
    world.run(&["up", "--wait"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
}

#[test]
fn down_removes_the_volumes_of_its_project_and_says_which() {
    let world = World::with_model(&committing());
    world.manifest(
        "caches: {own: {path: /workspace/own, scope: session}, all: {path: /workspace/all, scope: project}}\n\
         volumes: [\"data:/data\"]\nsessions: {a: {mode: batch, prompt: hello}, b: {mode: batch, prompt: hello}}\n",
    );
    world.run(&["up", "--wait", "--yes"]).ok();
    let project = &world.project;
    let volumes = || {
        let all = docker(&[
            "volume",
            "ls",
            "--format",
            "{{.Name}}",
            "--filter",
            &format!("name=clauderon-{project}"),
        ]);
        let mut names: Vec<String> = all.lines().map(String::from).collect();
        names.sort();
        names
    };
    let named = |rest: &str| format!("clauderon-{project}-{rest}");
    assert_eq!(volumes(), ["a-own", "all", "b-own", "data"].map(named));
    // One that the user made bears a name like ours, and one is in use elsewhere.
    let (mine, user) = (named("mine"), named("user"));
    docker(&["volume", "create", &mine]);
    docker(&["create", "--name", &user, "--volume", &format!("{}:/x", named("data")), IMAGE]);
    let said = world.run(&["down", "--volumes", "--checkouts", "--force", "a"]);
    assert_eq!(volumes(), ["all", "b-own", "data", "mine"].map(named), "{said:?}");
    assert!(said.stderr.contains(&format!("Volume {} removed", named("a-own"))), "{said:?}");
    let said = world.run(&["down", "--volumes", "--checkouts", "--force"]);
    assert_eq!((said.code, volumes()), (0, ["data", "mine"].map(named).to_vec()), "{said:?}");
    for line in [
        format!("Volume {} removed", named("all")),
        format!("Volume {} removed", named("b-own")),
        format!("Volume {} kept: still in use by {user}", named("data")),
    ] {
        assert!(said.stderr.contains(&line), "{line} in {said:?}");
    }
    assert!(!said.stderr.contains("cargo"), "{said:?}");
    assert!(docker(&["volume", "ls", "--format", "{{.Name}}"]).contains("clauderon-cargo-registry\n"));
    docker(&["rm", &user]);
    assert!(world.run(&["down", "--volumes"]).stderr.contains(&format!("Volume {} removed", named("data"))));
    assert_eq!(volumes(), std::slice::from_ref(&mine));
    docker(&["volume", "rm", &mine]);
}
