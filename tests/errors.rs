//! What goes wrong, and what is said of it: the place, the reason and the remedy.

use crate::support::engine::Relay;
use crate::support::world::{IMAGE, World, docker, inspect};
use serde_json::json;
use std::process::{Command, Stdio};

fn model() -> serde_json::Value {
    json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]})
}

#[test]
fn no_manifest_says_where_it_looked() {
    let world = World::new();
    let said = world.run(&["up"]).fails(2);
    assert!(said.contains("no `clauderon.yaml`") && said.contains("hint:"), "{said}");
}

#[test]
fn an_engine_that_is_not_there_is_named_with_the_remedy() {
    let world = World::new();
    world.manifest("sessions: {a: hello}\n");
    let output =
        world.command(&["up", "-d"]).env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/nowhere/docker.sock") && said.contains("DOCKER_HOST"), "{said}");
}

#[test]
fn an_image_that_is_nowhere_is_named_with_the_remedy() {
    let world = World::new();
    world.write(
        "clauderon.yaml",
        &format!("name: {}\nimage: no-such-image:1\npull_policy: never\n", world.project),
    );
    let said = world.run(&["up", "-d"]).fails(1);
    assert!(said.contains("no image `no-such-image:1`") && said.contains("pull_policy"), "{said}");
    world.write("clauderon.yaml", &format!("name: {}\nimage: localhost:1/no-such:1\n", world.project));
    let said = world.run(&["up", "-d"]).fails(1);
    assert!(said.contains("could not be pulled") && said.contains("docker login"), "{said}");
}

/// Builds an image from a Dockerfile; the context is empty.
fn image(name: &str, dockerfile: &str) {
    let mut build = Command::new("docker")
        .args(["build", "--quiet", "--tag", name, "-"])
        .env("DOCKER_BUILDKIT", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut build.stdin.take().unwrap(), dockerfile.as_bytes()).unwrap();
    assert!(build.wait().unwrap().success(), "{dockerfile}");
}

#[test]
fn an_image_that_lacks_a_program_is_refused_before_the_session_counts_as_up() {
    let base = format!("FROM {IMAGE}\n");
    for (program, removal) in [
        ("bash", "RUN rm /bin/bash"),
        ("curl", "RUN rm /usr/bin/curl"),
        ("claude", "RUN rm /usr/local/bin/claude"),
    ] {
        let name = format!("clauderon-test-without-{program}");
        image(&name, &format!("{base}{removal}\n"));
        let world = World::new();
        world.write(
            "clauderon.yaml",
            &format!("name: {}\nimage: {name}\npull_policy: never\n", world.project),
        );
        let said = world.run(&["up", "-d"]).fails(1);
        assert!(said.contains(&format!("`{program}`")) && said.contains("hint: "), "{program}: {said}");
        assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", world.container("default"))]), "");
        drop(world);
        docker(&["rmi", &name]);
    }
}

#[test]
fn a_path_that_is_no_repository_is_named() {
    let world = World::new();
    std::fs::remove_dir_all(world.root().join(".git")).unwrap();
    world.manifest("sessions: {a: hello}\n");
    let said = world.run(&["up", "-d"]).fails(1);
    assert!(said.contains("repository") && said.contains("hint:"), "{said}");
}

#[test]
fn a_branch_with_other_work_is_left_alone() {
    let world = World::new();
    world.git(&["checkout", "--quiet", "-b", "clauderon/a"]);
    world.git(&["commit", "--quiet", "--allow-empty", "--message", "My own"]);
    let tip = world.git(&["rev-parse", "HEAD"]);
    world.git(&["checkout", "--quiet", "main"]);
    world.manifest("sessions: {a: hello}\n");
    let said = world.run(&["up", "-d"]).fails(1);
    assert!(said.contains("clauderon/a") && said.contains("hint:"), "{said}");
    assert_eq!(world.git(&["rev-parse", "clauderon/a"]), tip);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let said = world.run(&["daemon", "--http-port", &port]).fails(1);
    assert!(said.contains(&format!("127.0.0.1:{port}")) && said.contains("--http-port"), "{said}");
}

#[test]
fn a_full_disk_is_said() {
    let world = World::with_model(&model());
    world.manifest("sessions: {a: hello}\n");
    let small = world.path("small");
    std::fs::create_dir(&small).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&small).status().unwrap();
    assert!(mounted.success(), "this test mounts a small file system and must run as root");
    let output =
        world.command(&["up", "-d", "--yes"]).env("CLAUDERON_HOME", small.join("home")).output().unwrap();
    let _ = world.command(&["daemon", "stop"]).env("CLAUDERON_HOME", small.join("home")).output();
    Command::new("umount").arg("-l").arg(&small).status().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left") || said.contains("disk is full"), "{said}");
}

#[test]
fn a_session_that_is_unknown_is_guessed() {
    let world = World::new();
    world.manifest("sessions: {login: hello}\n");
    let said = world.run(&["up", "-d", "lgoin"]).fails(2);
    assert!(said.contains("did you mean `login`?"), "{said}");
}

#[test]
fn a_manifest_that_takes_from_the_host_needs_a_yes_and_is_asked_again_when_it_grows() {
    let world = World::with_model(&model());
    world.manifest("sessions: {a: hello}\n");
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(said.contains("api.anthropic.com") && said.contains("--yes"), "{said}");
    world.run(&["up", "-d", "--yes"]).ok();
    world.run(&["up", "-d"]).ok();
    world.manifest("volumes: [\"/usr/share/doc:/documents:ro\"]\nsessions: {a: hello}\n");
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(
        said.contains("/usr/share/doc") && !said.contains("api.anthropic.com"),
        "only what is new: {said}"
    );
}

#[test]
fn a_variable_that_a_manifest_takes_needs_a_yes_by_its_name_and_its_value_is_not_told() {
    let world = World::new();
    world.manifest("environment:\n  T: ${SHOP_TOKEN}\n  D: ${SHOP_NOTHING:-default}\nsessions: {a: hello}\n");
    let up = |args: &[&str]| {
        let output = world.command(args).env("SHOP_TOKEN", "hunter2").output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = up(&["up", "-d"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("`SHOP_TOKEN`") && !said.contains("SHOP_NOTHING"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(up(&["up", "-d", "--yes"]).0, Some(0));
    assert_eq!(up(&["up", "-d"]).0, Some(0), "it is asked once");
    world.run(&["down"]).fails(2);
    assert_eq!(up(&["down"]).0, Some(0));
}

#[test]
fn a_container_of_the_same_name_that_is_not_ours_is_left_alone() {
    let world = World::new();
    world.manifest("sessions: {a: hello}\n");
    let name = world.container("a");
    docker(&["create", "--name", &name, IMAGE, "true"]);
    let before = inspect(&name)["Id"].clone();
    let said = world.run(&["up", "-d"]).fails(1);
    assert!(said.contains(&name) && said.contains("hint:"), "{said}");
    assert_eq!(inspect(&name)["Id"], before);
    docker(&["rm", &name]);
}

#[test]
fn exit_codes_of_wrong_command_lines_and_of_dry_runs() {
    let world = World::new();
    assert_eq!(world.run(&["no-such-verb"]).code, 2);
    let said = world.run(&["wait", "a", "--for", "idle", "--timeout", "2000000000000000h"]).fails(2);
    assert!(said.contains("at most 10 years"), "{said}");
    world.manifest("sessions: {a: hello}\n");
    let plan = world.run(&["up", "--dry-run"]).ok();
    assert_eq!(plan, "create a: not there\n");
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", world.container("a"))]), "");
    assert!(!world.home().exists(), "a dry run leaves nothing behind");
    world.write("clauderon.yaml", "sessions: {a: {promt: hello}}\n");
    let said = world.run(&["validate"]).fails(2);
    assert!(said.contains("clauderon.yaml:1:") && said.contains("prompt"), "{said}");
}

#[test]
fn a_manifest_of_a_strangers_cannot_hand_files_of_this_machine_to_the_agent() {
    let world = World::with_model(&model());
    let secret = world.path("secret");
    std::fs::write(&secret, "THE-SECRET").unwrap();
    std::os::unix::fs::symlink(&secret, world.root().join("inside.md")).unwrap();
    for prompt in ["inside.md", "../secret"] {
        world.manifest(&format!("sessions: {{a: {{prompt: {{file: {prompt}}}}}}}\n"));
        let said = world.run(&["up", "-d", "--yes"]).fails(2);
        assert!(said.contains("outside the project"), "{prompt}: {said}");
    }
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, world.root().join("fixtures")).unwrap();
    world.manifest("volumes: [\"./fixtures:/fixtures\"]\nsessions: {a: hello}\n");
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(said.contains(&format!("`{}`, mounted read-write", elsewhere.display())), "{said}");
    std::fs::remove_file(world.root().join("fixtures")).unwrap();
    std::os::unix::fs::symlink("/var/run/docker.sock", world.root().join("fixtures")).unwrap();
    let said = world.run(&["up", "-d", "--yes"]).fails(3);
    assert!(said.contains("never mounted"), "{said}");
    std::fs::remove_file(world.root().join("fixtures")).unwrap();
    world.manifest("sessions: {a: hello}\n");
    let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    world.write("clauderon.yaml", &text.replace("model-ca.pem", "../secret"));
    let said = world.run(&["up", "-d", "--yes"]).fails(1);
    assert!(said.contains("holds no certificate"), "{said}");
}

#[test]
fn the_http_port_answers_hooks_with_a_token_and_nothing_else() {
    let world = World::with_model(&model());
    world.manifest("sessions: {a: hello}\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["daemon", "stop"]).ok();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut daemon =
        world.command(&["daemon", "--http-port", &free.to_string()]).stderr(Stdio::null()).spawn().unwrap();
    let id = world.ps()[0]["id"].as_str().unwrap().to_owned();
    let token = std::fs::read_to_string(world.home().join("sessions").join(&id).join("token")).unwrap();
    let post = |headers: &[&str]| {
        let body = format!("{{\"session_id\":\"{id}\",\"event\":\"Guide\",\"data\":{{}}}}");
        let url = format!("http://127.0.0.1:{free}/api/hooks");
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--noproxy",
            "*",
            "-X",
            "POST",
            "-d",
            &body,
            &url,
        ]);
        curl.args(["-H", "Content-Type: application/json"]);
        for header in headers {
            curl.args(["-H", header]);
        }
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    };
    let host = format!("Host: host.docker.internal:{free}");
    let bearer = format!("Authorization: Bearer {token}");
    crate::support::world::eventually("the port answers", std::time::Duration::from_secs(20), || {
        post(&[]) != "000"
    });
    assert_eq!(post(&[&host]), "401", "no token");
    assert_eq!(post(&[&host, "Authorization: Bearer guess"]), "401");
    assert_eq!(post(&[&bearer]), "403", "another host: a rebound name");
    assert_eq!(post(&[&host, &bearer, "Origin: http://evil.example"]), "403", "a page in a browser");
    assert_eq!(post(&[&host, &bearer]), "204");
    assert!(world.hooks("a").contains(&"Guide".to_owned()));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[test]
fn a_dry_run_tells_of_images_and_gets_none() {
    let world = World::new();
    world.write("agent.Dockerfile", "FROM debian:bookworm-slim\n");
    world.write(
        "clauderon.yaml",
        &format!(
            "name: {}\nsessions:\n  a: {{image: clauderon-no-such-image:1}}\n  \
             b: {{build: {{context: ., dockerfile: agent.Dockerfile}}}}\n",
            world.project
        ),
    );
    let relay = Relay::new();
    let run = |args: &[&str]| {
        let output = world.command(args).env("DOCKER_HOST", relay.address()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let plan = run(&["up", "--dry-run"]);
    let lines: Vec<&str> = plan.lines().collect();
    assert_eq!(lines[0], "pull clauderon-no-such-image:1: the engine does not have it");
    assert!(
        lines[1].starts_with(&format!("build clauderon-build/{}:", world.project))
            && lines[1].ends_with(": the engine does not have it"),
        "{plan}"
    );
    assert_eq!(lines[2..], ["create a: not there", "create b: not there"]);
    let json: serde_json::Value = serde_json::from_str(&run(&["plan", "--format", "json"])).unwrap();
    let kinds: Vec<_> = json["actions"].as_array().unwrap().iter().map(|action| &action["op"]).collect();
    assert_eq!(kinds, ["pull", "build", "create", "create"]);
    assert_eq!(json["actions"][0]["target"], "clauderon-no-such-image:1");
    assert_eq!(json["actions"][0]["session"], "a");
    assert_eq!(json["summary"], "2 sessions to change, images to get: 2");
    let changes: Vec<_> =
        relay.requests().into_iter().filter(|request| !request.starts_with("GET ")).collect();
    assert!(changes.is_empty(), "{changes:?}");
}

#[test]
fn an_engine_of_another_machine_is_refused() {
    let world = World::new();
    world.manifest("sessions: {a: hello}\n");
    for host in ["tcp://127.0.0.1:1", "ssh://build.lan"] {
        let output = world.command(&["up", "-d"]).env("DOCKER_HOST", host).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(host) && said.contains("mounted from this machine"), "{said}");
    }
}

#[test]
fn the_engine_of_the_docker_context_is_used() {
    let world = World::new();
    world.manifest("sessions: {a: hello}\n");
    let relay = Relay::new();
    // `printf colima | sha256sum`.
    let digest = "f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16";
    let meta = world.path("docker").join("contexts/meta").join(digest);
    std::fs::create_dir_all(&meta).unwrap();
    let endpoint = serde_json::json!({"Name": "colima", "Endpoints": {"docker": {"Host": relay.address()}}});
    std::fs::write(meta.join("meta.json"), endpoint.to_string()).unwrap();
    std::fs::write(world.path("docker/config.json"), r#"{"currentContext": "colima"}"#).unwrap();
    let run = |context: &str| {
        let mut command = world.command(&["ps"]);
        command.env("DOCKER_CONFIG", world.path("docker")).env_remove("DOCKER_HOST");
        let output = command.env("DOCKER_CONTEXT", context).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run("").0, Some(0));
    let asked = relay.requests().len();
    assert!(asked > 0, "the context's socket was asked");
    assert_eq!(run("default").0, Some(0));
    assert_eq!(relay.requests().len(), asked);
    let (code, said) = run("gone");
    assert!(code == Some(1) && said.contains("no Docker context `gone`") && said.contains("hint:"), "{said}");
    // Docker's own client agrees.
    let shown = std::process::Command::new("docker")
        .args(["context", "show"])
        .env("DOCKER_CONFIG", world.path("docker"))
        .env_remove("DOCKER_HOST")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), "colima");
}
