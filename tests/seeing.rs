//! Seeing through the manifest without an engine: `config`, `render`, and that what `render` prints is what `up` makes.

use crate::support::world::{IMAGE, World, docker, inspect};
use serde_json::{Map, Value, json};
use std::process::Command;

const SESSIONS: &str =
    "sessions:\n  a: {prompt: Say hello}\n  b: {agent: codex, build: {context: .}}\n  c: One\n";

#[test]
fn sessions_images_and_hashes_are_one_a_line() {
    let world = World::new();
    world.manifest(SESSIONS);
    assert_eq!(world.run(&["config", "--sessions"]).ok(), "a\nb\nc\n");
    let images = world.run(&["config", "--images"]).ok();
    let images: Vec<&str> = images.lines().collect();
    assert_eq!(images.len(), 2, "each once: {images:?}");
    assert!(images[1].starts_with(&format!("clauderon-build/{}:", world.project)), "{images:?}");
    let hashes = world.run(&["config", "--hash"]).ok();
    let names: Vec<&str> = hashes.lines().map(|line| line.split_once(' ').unwrap().0).collect();
    assert_eq!(names, ["a", "b", "c"]);
    for flags in [["--sessions", "--hash"], ["--images", "--sessions"], ["--hash", "--format=json"]] {
        let said = world.run(&["config", flags[0], flags[1]]).fails(2);
        assert!(said.contains("cannot be used with"), "{said}");
    }
}

#[test]
fn the_hash_follows_what_recreates_and_nothing_else() {
    let world = World::new();
    let hash = |rest: &str| {
        world.manifest(rest);
        world.run(&["config", "--hash"]).ok()
    };
    let before = hash("prompt: Say hello\n");
    assert_eq!(hash("# a comment\nprompt: Say something else\n"), before);
    assert_ne!(hash("prompt: Say hello\nmode: batch\n"), before);
    world.write("clauderon.yaml", &format!("name: {}\nimage: another:1\nprompt: Say hello\n", world.project));
    assert_ne!(world.run(&["config", "--hash"]).ok(), before, "the image's reference counts");
}

#[test]
fn a_spec_is_rendered_without_an_engine_and_makes_nothing() {
    let world = World::new();
    world.manifest(SESSIONS);
    let mut command = world.command(&["render", "a", "b"]);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr.matches("note: nothing has run on").count(), 2, "{stderr}");
    let specs: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(specs.as_array().unwrap().len(), 2);
    let container = &specs[0]["container"];
    assert_eq!(container["name"], world.container("a"));
    assert_eq!(container["restart"], Value::Null, "the engine is asked to start nothing by itself");
    assert_eq!(container["sealed"], true);
    let objects = world.root().join(".git/objects").canonicalize().unwrap();
    let mount = json!({"type": "bind", "source": objects, "target": objects, "read_only": true});
    assert!(container["mounts"].as_array().unwrap().contains(&mount), "{container:#}");
    let hashes = world.run(&["config", "--hash"]).ok();
    let label = container["labels"]["clauderon.spec"].as_str().unwrap();
    assert!(hashes.lines().any(|line| line == format!("a {label}")), "{hashes}");
    let early = world.run(&["render", "--format", "docker", "a"]);
    assert!(early.stderr.contains("`clauderon up a` makes what `a` mounts"), "{}", early.stderr);
    assert!(early.ok().starts_with("docker run --detach "));
    assert!(!world.home().exists(), "looking makes nothing");
    assert!(world.run(&["render", "nobody"]).fails(2).contains("no session `nobody`"));
}

#[test]
fn the_docker_line_runs_as_printed_and_makes_the_same_container() {
    let world = World::new();
    let odd = json!("it's \"odd\", `id` \\ ü\n# second line !x *");
    let dockerfile =
        "ENV LANG=C.UTF-8\nENTRYPOINT [\"false\"]\nCMD [\"x\"]\nHEALTHCHECK CMD true\nSTOPSIGNAL SIGINT\n";
    world.write("image/Dockerfile", &format!("FROM {IMAGE}\n{dockerfile}"));
    world.write("a \"quoted\", path/file", "content\n");
    world.manifest(&format!(
        "restart: unless-stopped\nresources: {{cpus: 1.5, memory: 512m, pids: 200}}\n\
         environment: {{ODD: {odd}, EMPTY: ''}}\nlabels: {{odd: {odd}}}\ncaches: {{npm: true}}\n\
         volumes: [{{source: './a \"quoted\", path', target: '/a \"quoted\", path', read_only: true}}, 'data:/data']\n\
         sessions:\n  built: {{agent: codex, build: {{context: image}}, prompt: Say hello}}\n  sealed: {{mode: batch, restart: 'no', prompt: Say hello}}\n  open: {{proxy: {{egress: open}}}}\n",
    ));
    world.run(&["up", "--detach", "--yes"]).ok();
    for session in ["built", "sealed", "open"] {
        world.run(&["stop", session]).ok();
        let line = world.run(&["render", "--format", "docker", session]).ok();
        assert_secret_free(&world, &line);
        let (ours, theirs) = (world.container(session), format!("{}-twin", world.container(session)));
        let twin = line.replace(&format!("--name {ours} "), &format!("--name {theirs} "));
        assert_ne!(twin, line);
        let ran = Command::new("sh").args(["-c", &twin]).current_dir("/").output().unwrap();
        assert!(ran.status.success(), "{line}\n{}", String::from_utf8_lossy(&ran.stderr));
        docker(&["stop", "--time", "1", &theirs]);
        let (made, printed) = (seen(&ours), seen(&theirs));
        docker(&["rm", "--force", &theirs]);
        assert_eq!(differences("", &made, &printed), Vec::<String>::new(), "session {session}:\n{line}");
    }
    let built = world.run(&["render", "built"]).ok();
    assert!(built.contains("\"LANG\": \"en_US.UTF-8\""), "what `up` saw of an image is remembered: {built}");
    let images = world.run(&["config", "--images"]).ok();
    let hashes = world.run(&["config", "--hash"]).ok();
    for line in hashes.lines() {
        let (session, hash) = line.split_once(' ').unwrap();
        assert_eq!(inspect(&world.container(session))["Config"]["Labels"]["clauderon.spec"], hash);
    }
    world.run(&["down", "--checkouts", "--volumes", "--force"]).ok();
    docker(&["rmi", images.lines().next().unwrap()]);
}

/// The token that a session's hooks show is in a file that the container sees, never in what is printed.
fn assert_secret_free(world: &World, line: &str) {
    let tokens = std::fs::read_dir(world.home().join("sessions"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path().join("token")).unwrap().trim().to_owned());
    let tokens: Vec<String> = tokens.collect();
    assert_eq!(tokens.len(), 3);
    for token in tokens {
        assert!(token.len() > 16 && !line.contains(&token));
    }
}

/// An inspection without what differs between any two containers: names, ids, times, how the last run went, and where
/// the engine keeps its own.
fn seen(container: &str) -> Value {
    let mut seen = inspect(container);
    let id = seen["Id"].as_str().unwrap().to_owned();
    let all = seen.as_object_mut().unwrap();
    for own in [
        "Id",
        "Created",
        "Name",
        "State",
        "RestartCount",
        "LogPath",
        "ResolvConfPath",
        "HostnamePath",
        "HostsPath",
    ] {
        assert!(all.remove(own).is_some(), "{own}");
    }
    assert_eq!(all["Config"]["Hostname"], id[..12]);
    all["Config"].as_object_mut().unwrap().remove("Hostname");
    all["GraphDriver"].as_object_mut().unwrap().remove("Data");
    let network: Map<String, Value> = all["NetworkSettings"]["Networks"].as_object().unwrap().clone();
    all.insert("NetworkSettings".to_owned(), network.keys().cloned().collect());
    // The client shuffles the variables.
    let variables = all["Config"]["Env"].as_array_mut().unwrap();
    variables.sort_by_key(ToString::to_string);
    // A client of Docker 20.10 says no limits as null, a later one as an empty list.
    let limits = &mut all["HostConfig"]["Ulimits"];
    assert!(limits.is_null() || *limits == json!([]));
    *limits = Value::Null;
    let mounts = all["Mounts"].as_array_mut().unwrap();
    mounts.sort_by_key(|mount| mount["Destination"].as_str().unwrap().to_owned());
    seen
}

/// Where two values differ, by path, and how.
fn differences(path: &str, left: &Value, right: &Value) -> Vec<String> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) if left.keys().eq(right.keys()) => left
            .iter()
            .flat_map(|(key, value)| differences(&format!("{path}.{key}"), value, &right[key]))
            .collect(),
        _ if left == right => Vec::new(),
        _ => vec![format!("{path}: {left} is not {right}")],
    }
}
