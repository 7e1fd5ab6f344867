//! Real agents in real containers, from `up` to `down`. Only the model's answers are scripted.

use crate::support::world::{IMAGE, World, docker, eventually, inspect};
use serde_json::{Value, json};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn committing() -> Value {
    json!({"turns": [{"when": "", "steps": [
        {"run": "printf 'hello\\n' > greeting.txt && git add greeting.txt && git commit -q -m 'Greet'"},
        {"say": "I greeted and committed."},
    ]}]})
}

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

    let dirty = world.checkout("a").join("unsaved.txt");
    std::fs::write(&dirty, "work in progress").unwrap();
    world.manifest("environment: {COLOUR: green}\nsessions:\n  a: {prompt: Say hello}\n");
    let plan = world.run(&["plan", "--exit-code"]);
    assert_eq!(plan.code, 5);
    assert_eq!(plan.stdout, "recreate a: environment.COLOUR added: green\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    assert_ne!(inspect(&world.container("a"))["Id"], first);
    assert_eq!(world.run(&["exec", "a", "--", "printenv", "COLOUR"]).ok(), "green\n");
    assert_eq!(std::fs::read_to_string(&dirty).unwrap(), "work in progress");

    world.run(&["down"]).ok();
    let refusal = world.run(&["down", "--checkouts"]).fails(3);
    assert!(refusal.contains("unsaved.txt"), "{refusal}");
    assert!(dirty.exists());
}

#[test]
fn the_running_container_is_the_guides() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions:\n  a: {prompt: Say hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    let container = inspect(&world.container("a"));
    let host = &container["HostConfig"];
    assert_eq!(host["NetworkMode"], "none");
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    assert_eq!(host["SecurityOpt"], json!(["no-new-privileges"]));
    assert_eq!(host["Init"], true);
    assert_eq!(host["PidsLimit"], 1024);
    assert_eq!(host["ExtraHosts"], json!(["host.docker.internal:127.0.0.1"]));
    assert_eq!(container["Config"]["WorkingDir"], "/workspace");
    let uid = rustix::process::getuid().as_raw();
    let gid = rustix::process::getgid().as_raw();
    assert_eq!(container["Config"]["User"], format!("{uid}:{gid}"));
    assert_eq!(container["Config"]["Tty"], true);
    let mounts: Vec<&str> = container["Mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["Destination"].as_str().unwrap())
        .collect();
    for target in [
        "/workspace",
        "/workspace/.claude.json",
        "/workspace/.cargo/registry",
        "/workspace/.cargo/git",
        "/workspace/.cache/sccache",
        "/workspace/.clauderon/hooks",
        "/etc/clauderon",
        "/etc/claude-code",
    ] {
        assert!(mounts.contains(&target), "{target} is not mounted: {mounts:?}");
    }
    let volumes = docker(&["volume", "ls", "-q"]);
    for volume in ["clauderon-cargo-registry", "clauderon-cargo-git", "clauderon-sccache"] {
        assert!(volumes.lines().any(|line| line == volume), "{volume}");
    }
    let caches = ["/workspace/.cargo/registry", "/workspace/.cargo/git", "/workspace/.cache/sccache"];
    for cache in caches {
        world.run(&["exec", "a", "--", "touch", &format!("{cache}/.probe")]).ok();
    }
    let status = world.run(&["exec", "a", "--", "git", "status", "--porcelain"]).ok();
    assert_eq!(status, "", "what the agent writes for itself is hidden");
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
    world.run(&["up", "-d"]).ok();
    eventually("the spooled event arrives", LONG, || heard() == count + 1);
    world.run(&["exec", "a", "--", "bash", "-c", hook]).ok();
    eventually("the socket works again", LONG, || heard() == count + 2);
    assert_eq!(inspect(&world.container("a"))["State"]["StartedAt"], before);
}

#[test]
fn a_sealed_container_reaches_nothing_but_the_proxy() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions:\n  a: {prompt: Say hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let direct = |target: &str| {
        let script = format!("timeout 3 bash -c 'exec 3<>/dev/tcp/{target}'");
        world.run(&["exec", "a", "--", "bash", "-c", &script]).code
    };
    for target in [format!("172.17.0.1/{port}"), "169.254.169.254/80".to_owned(), "1.1.1.1/53".to_owned()] {
        assert_ne!(direct(&target), 0, "{target} was reached");
    }
    for url in [
        format!("http://172.17.0.1:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
    ] {
        let script = format!("curl -s -o /dev/null -w '%{{http_code}}' --noproxy '' -m 5 '{url}'");
        let code = world.run(&["exec", "a", "--", "bash", "-c", &script]).stdout;
        assert_eq!(code, "403", "{url}");
    }
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
fn an_open_session_is_on_the_bridge_and_its_hooks_arrive() {
    let world = World::new();
    world.manifest(
        "proxy: {egress: open}\nenvironment: {CLAUDE_CODE_OAUTH_TOKEN: sk-ant-oat01-of-the-user}\nsessions: {a: hello}\n",
    );
    let refusal = world.run(&["up", "-d"]).fails(3);
    assert!(refusal.contains("open network"), "{refusal}");
    world.run(&["up", "--wait", "--yes"]).ok();
    let container = inspect(&world.container("a"));
    assert_eq!(container["HostConfig"]["NetworkMode"], "bridge");
    assert_eq!(container["HostConfig"]["ExtraHosts"], json!(["host.docker.internal:host-gateway"]));
    assert_eq!(container["HostConfig"]["CapDrop"], json!(["ALL"]));
    assert_eq!(
        world.run(&["exec", "a", "--", "printenv", "GH_TOKEN"]).code,
        1,
        "no placeholder without the proxy"
    );
    assert!(world.hooks("a").contains(&"SessionStart".to_owned()));
}

#[test]
fn sessions_without_a_repository_and_volumes_of_the_project() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest(
        "repository: false\nvolumes: [\"data:/data\", \"./README.md:/readme:ro\"]\nsessions: {a: hello}\n",
    );
    world.run(&["up", "--wait", "--yes"]).ok();
    let script = "touch /data/x && cat /readme && echo kept > /workspace/note && ! touch /readme";
    world.run(&["exec", "a", "--", "bash", "-c", script]).ok();
    let volume = format!("clauderon-{}-data", world.project);
    world.run(&["down"]).ok();
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={volume}")]).trim(), volume);
    let refusal = world.run(&["down", "--checkouts"]).fails(3);
    assert!(refusal.contains("note"), "{refusal}");
    world.run(&["up", "--wait"]).ok();
    assert_eq!(world.run(&["exec", "a", "--", "cat", "/workspace/note"]).ok(), "kept\n");
    world.run(&["down", "--volumes", "--checkouts", "--force"]).ok();
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={volume}")]), "");
}

#[test]
fn a_built_image_is_built_once() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.write("agent/Dockerfile", &format!("FROM {IMAGE}\nARG COLOUR\nENV COLOUR=$COLOUR\n"));
    world.manifest("build: {context: agent, args: {COLOUR: green}}\nsessions: {a: hello}\n");
    let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    world.write("clauderon.yaml", &text.replace(&format!("image: {IMAGE}\npull_policy: never\n"), ""));
    world.run(&["up", "--wait", "--yes"]).ok();
    assert_eq!(world.run(&["exec", "a", "--", "printenv", "COLOUR"]).ok(), "green\n");
    let image = inspect(&world.container("a"))["Config"]["Image"].as_str().unwrap().to_owned();
    let again = world.run(&["up", "-d"]);
    assert!(again.stderr.contains("up to date"), "{}", again.stderr);
    world.run(&["down"]).ok();
    docker(&["rmi", &image]);
}

#[test]
fn a_user_who_is_not_root_owns_all_that_is_made() {
    let world = World::with_model(&committing());
    world.manifest("caches: {cargo: {scope: session}}\nsessions: {a: {mode: batch, prompt: Greet}}\n");
    let socket = std::fs::metadata("/var/run/docker.sock").unwrap();
    let group = std::os::unix::fs::MetadataExt::gid(&socket).to_string();
    let directory = world.root().parent().unwrap().to_owned();
    assert!(
        std::process::Command::new("chown")
            .args(["-R", "4242:4242"])
            .arg(&directory)
            .status()
            .unwrap()
            .success()
    );
    let as_user = |args: &[&str]| {
        let program = world.path("clauderon");
        if !program.exists() {
            std::fs::copy(env!("CARGO_BIN_EXE_clauderon"), &program).unwrap();
        }
        let output = std::process::Command::new("setpriv")
            .args(["--reuid", "4242", "--regid", "4242", "--groups", &group])
            .arg(program)
            .args(args)
            .current_dir(world.root())
            .env("CLAUDERON_HOME", world.home())
            .env("HOME", &directory)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    as_user(&["up", "--wait", "--yes"]);
    as_user(&["wait", "a", "--for", "exited", "--timeout", "60s"]);
    assert_eq!(inspect(&world.container("a"))["Config"]["User"], "4242:4242");
    as_user(&["pull"]);
    let shown = std::process::Command::new("git")
        .args(["-c", "safe.directory=*", "show", "clauderon/a:greeting.txt"])
        .current_dir(world.root())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&shown.stdout), "hello\n");
    let foreign =
        std::process::Command::new("find").arg(world.home()).args(["!", "-uid", "4242"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&foreign.stdout), "", "everything belongs to the user");
    as_user(&["down", "--checkouts", "--volumes", "--force"]);
    as_user(&["daemon", "stop"]);
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
