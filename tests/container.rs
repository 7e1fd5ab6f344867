//! The container of a real session, inspected by the engine's own client and tried from inside.

use crate::support::world::{IMAGE, World, committing, docker, eventually, files_with, inspect};
use serde_json::{Value, json};
use std::time::Duration;

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
fn the_proxy_is_trusted_inside_and_its_key_is_not_there() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions:\n  a: {prompt: Say hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    let inside = |script: &str| world.run(&["exec", "a", "--", "bash", "-c", script]).stdout;
    let bundle = inside("cat /etc/clauderon/proxy-ca.pem");
    let authority = std::fs::read_to_string(world.home().join("authority/certificate.pem")).unwrap();
    assert!(bundle.contains(authority.trim_end()), "the proxy's authority is not trusted");
    let model = std::fs::read_to_string(world.root().join("model-ca.pem")).unwrap();
    assert!(!bundle.contains(model.trim_end()), "the container believes a host's own authority");
    let keys = files_with(&world.home(), "PRIVATE KEY");
    assert_eq!(keys, [world.home().join("authority/key.pem")]);
    assert_eq!(inside("grep -rlI 'PRIVATE KEY' /etc/clauderon /run/clauderon /etc/claude-code"), "");
    let answer = inside("curl -sv https://api.anthropic.com/v1/nothing 2>&1");
    assert!(answer.contains("issuer: CN=clauderon proxy ") && answer.contains("HTTP/2 404"), "{answer}");
}

#[test]
fn a_host_is_named_under_a_running_session() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions:\n  a: {prompt: Say hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    let container = inspect(&world.container("a"))["Id"].clone();
    let asks = "curl -s -m 10 -o /dev/null -w '%{http_code} %{http_connect}' https://ab.chatgpt.com/nothing";
    let ask = || world.run(&["exec", "a", "--", "bash", "-c", asks]).stdout;
    assert_ne!(ask(), "404 200");
    let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    let address = std::fs::read_to_string(world.path("address")).unwrap();
    let line =
        format!("  hosts:\n    ab.chatgpt.com: {{address: \"{}\", ca: model-ca.pem}}\n", address.trim());
    world.write("clauderon.yaml", &text.replace("  hosts:\n", &line));
    world.run(&["up", "--wait", "--yes"]).ok();
    assert_eq!(ask(), "404 200");
    assert_eq!(inspect(&world.container("a"))["Id"], container);
}

#[test]
fn a_session_is_told_which_rule_refuses_it_and_where_that_stands() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions:\n  a: {prompt: Say hello}\n");
    let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    let address = std::fs::read_to_string(world.path("address")).unwrap();
    let host = |said: &str| {
        format!("    ab.chatgpt.com: {{address: \"{}\", ca: model-ca.pem{said}}}\n", address.trim())
    };
    let rules = format!("  hosts:\n    \"*\": false\n{}", host(", access: read-only"));
    world.write("clauderon.yaml", &text.replace("  hosts:\n", &rules));
    let line = |key: &str| {
        let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
        format!("clauderon.yaml:{}", text.lines().position(|line| line.contains(key)).unwrap() + 1)
    };
    world.run(&["up", "--wait", "--yes"]).ok();
    let container = inspect(&world.container("a"))["Id"].clone();
    let ask = |words: &str| {
        let command = format!("curl -s -m 10 -w ' %{{http_code}}' {words}");
        world.run(&["exec", "a", "--", "bash", "-c", &command]).stdout
    };
    // The model is reached whatever `*` says, and the name of another host is not even looked up.
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    assert!(world.hooks("a").contains(&"Stop".to_owned()));
    let refused = ask("https://secret-in-a-name.example/x?y");
    for word in ["secret-in-a-name.example/x", "proxy.hosts.\"*\"", &line("\"*\""), "403"] {
        assert!(refused.contains(word), "{word}: {refused}");
    }
    assert_eq!(ask("-o /dev/null https://ab.chatgpt.com/nothing"), " 404");
    let written = ask("-d x https://ab.chatgpt.com/nothing");
    assert!(written.contains("read-only") && written.contains(&line("ab.chatgpt.com")), "{written}");
    let json = ask("-H 'Accept: application/json' -X DELETE https://ab.chatgpt.com/nothing");
    let json: Value = serde_json::from_str(json.trim_end_matches(" 403").trim()).unwrap();
    assert_eq!(json["error"]["place"], line("ab.chatgpt.com"));
    // Rules change under the running session: what is narrowed is closed at once, what is widened is open.
    world.write(
        "clauderon.yaml",
        &text.replace("  hosts:\n", &format!("  hosts:\n{}", host(", paths: [/a]"))),
    );
    world.run(&["up", "--yes", "-d"]).ok();
    assert_eq!(ask("-o /dev/null -d x https://ab.chatgpt.com/a"), " 404");
    assert_eq!(ask("-o /dev/null https://ab.chatgpt.com/nothing"), " 403");
    assert_eq!(inspect(&world.container("a"))["Id"], container);
    let denied = std::fs::read_to_string(world.home().join("audit.jsonl")).unwrap();
    let asked = |line: &&str| line.contains("ab.chatgpt.com") || line.contains("secret-in-a-name");
    let denied = denied.lines().filter(|line| line.contains("\"deny\"") && line.contains("proxy.hosts"));
    assert_eq!(denied.filter(asked).count(), 4);
    // The same is shown by `audit`, told in the events and counted in `ps`.
    let shown = world.run(&["audit", "--denied", "--format", "json"]).ok();
    assert!(
        shown.lines().filter(asked).count() == 4 && shown.contains("secret-in-a-name.example"),
        "{shown}"
    );
    let sessions: Value = serde_json::from_str(&world.run(&["ps", "--format", "json"]).ok()).unwrap();
    assert_eq!(sessions[0]["denied"], shown.lines().count());
    let table = world.run(&["ps"]).ok();
    assert!(table.lines().next().unwrap().ends_with("DENIED"), "{table}");
    let mut events = String::new();
    eventually("the refusal is told", Duration::from_secs(20), || {
        events = world.run(&["events"]).ok();
        events.contains("secret-in-a-name.example")
    });
    let told = events.lines().find(|line| line.contains("secret-in-a-name.example")).unwrap();
    assert!(
        told.contains("proxy ") && told.contains(" denied ") && told.contains("proxy.hosts.\"*\""),
        "{told}"
    );
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
