//! Edits of a manifest under running sessions: what only takes away holds at once, all else waits for `up`, and what is
//! not valid does nothing.

mod again;

use crate::support::world::{World, docker, eventually, inspect};
use serde_json::{Value, json};
use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
/// Far less than the time after which files are looked at anyway, with what an engine needs under load.
const SOON: Duration = Duration::from_secs(20);

fn quiet() -> Value {
    json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]})
}

/// The manifest with these rules beside the model's.
fn rules(world: &World, hosts: &str) -> String {
    world.manifest(&format!("sessions:\n  a: {{proxy: {{hosts: {{{hosts}}}}}}}\n"));
    std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap()
}

/// What a session gets from a host: 403 where the rules refuse it, else that it cannot be reached.
fn asked(world: &World, host: &str) -> String {
    let curl = format!("curl -s -m 20 -o /dev/null -w '%{{http_code}}' http://{host}/ || true");
    // By the engine's own client: the manifest may not be valid.
    docker(&[
        "exec",
        &world.container("a"),
        "bash",
        "-c",
        &format!("http_proxy=http://127.0.0.1:47100 {curl}"),
    ])
}

fn is_refused(world: &World, host: &str) -> bool {
    asked(world, host) == "403"
}

fn told(world: &World, kind: &str) -> Vec<String> {
    let events = world.events();
    let ours = events.iter().filter(|it| it["source"] == "reconcile" && it["type"] == kind);
    ours.map(|it| it["data"]["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// An `up` in the foreground, and what it says.
struct Foreground {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Foreground {
    fn new(world: &World, args: &[&str]) -> Self {
        let mut child = world.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, mut stream) = (Arc::new(Mutex::new(String::new())), child.stderr.take().unwrap());
        let into = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let foreground = Self { child, said };
        eventually("it follows", LONG, || foreground.said().contains("following"));
        foreground
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    #[track_caller]
    fn says(&self, what: &str) {
        let start = std::time::Instant::now();
        while !self.said().contains(what) {
            assert!(start.elapsed() < SOON, "`{what}` is not in:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_foreground_narrows_at_once_and_tells_what_waits_and_what_is_not_valid() {
    let world = World::with_model(&quiet());
    rules(&world, "shut.example: false");
    let up = Foreground::new(&world, &["up", "--yes"]);
    let started = inspect(&world.container("a"))["State"]["StartedAt"].clone();
    assert!(is_refused(&world, "shut.example") && !is_refused(&world, "open.invalid"));

    // Taken away and given in one edit: the first holds, the second waits.
    rules(&world, "shut.example: true, open.invalid: false");
    up.says("live a: proxy.hosts.open.invalid added: false [live]");
    up.says("pending: live a: proxy.hosts.shut.example: false → read-write [live]");
    assert!(is_refused(&world, "open.invalid") && is_refused(&world, "shut.example"));
    let pending = &world.ps()[0]["pending"];
    assert_eq!(
        (&pending[0]["field"], pending.as_array().unwrap().len()),
        (&json!("proxy.hosts.shut.example"), 1)
    );
    assert_eq!(told(&world, "narrowed"), ["proxy.hosts.open.invalid added: false [live]"]);

    // What is not valid does nothing, and is mended.
    let good = rules(&world, "open.invalid: false, shut.example: true, more.invalid: false");
    up.says("live a: proxy.hosts.more.invalid added: false");
    world.write("clauderon.yaml", &good.replace("proxy:", "prxy:"));
    up.says("did you mean");
    up.says("what runs stays as it is");
    assert!(is_refused(&world, "more.invalid"));
    let shown = world.run(&["ps"]);
    assert!(shown.code == 0 && shown.stdout.contains("the manifest is not valid"), "{shown:?}");
    assert!(shown.stderr.contains("prxy"), "{shown:?}");
    assert_eq!(world.run(&["ps", "--format", "json"]).code, 0);
    world.write("clauderon.yaml", &good);
    up.says("the manifest is valid again");
    assert_eq!((told(&world, "manifest_invalid").len(), told(&world, "manifest_valid").len()), (1, 1));

    // `up` does what is pending.
    world.run(&["up", "--detach", "--yes"]).ok();
    assert!(!is_refused(&world, "shut.example") && is_refused(&world, "open.invalid"));
    assert_eq!(world.ps()[0]["pending"], json!([]));
    assert_eq!(inspect(&world.container("a"))["State"]["StartedAt"], started, "the session was disturbed");
}

#[test]
fn the_daemon_watches_after_a_detached_up_however_a_file_is_saved() {
    let world = World::with_model(&quiet());
    let base = "a0.invalid: true";
    let before = rules(&world, base);
    world.git(&["add", "."]);
    world.git(&["commit", "--quiet", "--message", "The manifest"]);
    world.run(&["up", "--detach", "--yes"]).ok();
    let (mut hosts, file) = (base.to_owned(), world.root().join("clauderon.yaml"));
    let narrows = |way: &str, host: &str| {
        let start = std::time::Instant::now();
        while !told(&world, "narrowed").iter().any(|line| line.contains(host)) {
            assert!(start.elapsed() < SOON, "{way}: {:?}", told(&world, "narrowed"));
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(is_refused(&world, host), "{way}");
    };
    let mut next = |host: &str| {
        hosts.push_str(&format!(", {host}: false"));
        let text = before.replace(base, &hosts);
        assert_ne!(text, before);
        text
    };

    std::fs::write(&file, next("in-place.invalid")).unwrap();
    narrows("in place", "in-place.invalid");
    for host in ["renamed.invalid", "renamed-again.invalid"] {
        std::fs::write(world.root().join("4913~"), next(host)).unwrap();
        std::fs::rename(world.root().join("4913~"), &file).unwrap();
        narrows("by a rename", host);
    }
    std::fs::rename(&file, world.path("elsewhere.yaml")).unwrap();
    std::os::unix::fs::symlink(world.path("elsewhere.yaml"), &file).unwrap();
    std::fs::write(world.path("elsewhere.yaml"), next("linked.invalid")).unwrap();
    narrows("behind a link", "linked.invalid");
    std::fs::write(world.path("elsewhere.yaml"), next("linked-again.invalid")).unwrap();
    narrows("behind a link again", "linked-again.invalid");

    // Git makes it a file again, of another branch.
    std::fs::remove_file(&file).unwrap();
    world.git(&["checkout", "--quiet", "."]);
    world.git(&["checkout", "--quiet", "-b", "other"]);
    std::fs::write(&file, next("branch.invalid")).unwrap();
    world.git(&["commit", "--quiet", "--all", "--message", "Narrow"]);
    narrows("on a branch", "branch.invalid");
    world.git(&["checkout", "--quiet", "main"]);
    eventually("what the other branch gives back waits", SOON, || {
        told(&world, "pending").last().is_some_and(|line| line.contains("branch.invalid removed: false"))
    });
    assert!(is_refused(&world, "branch.invalid"), "an edit gave something back");
    std::fs::write(&file, "name: [\n").unwrap();
    eventually("it is told that it is not valid", SOON, || {
        world.run(&["events", "--all"]).ok().contains("manifest_invalid")
    });

    // A daemon that comes after goes on watching; what changed meanwhile counts.
    world.run(&["daemon", "stop"]).ok();
    std::fs::write(&file, next("meanwhile.invalid")).unwrap();
    world.ps();
    narrows("without a daemon", "meanwhile.invalid");
}

#[test]
fn what_is_not_to_be_watched_waits() {
    let world = World::with_model(&quiet());
    rules(&world, "");
    world.run(&["up", "--detach", "--yes", "--no-watch"]).ok();
    rules(&world, "open.invalid: false");
    std::thread::sleep(Duration::from_secs(4));
    assert!(!is_refused(&world, "open.invalid"));
    assert_eq!(world.ps()[0]["pending"][0]["waits_for"], "up");
    assert_eq!(told(&world, "narrowed"), [""; 0]);

    // The daemon does not have the user's variables: of a manifest that takes any, it tells no more than the edit.
    let text = rules(&world, "open.invalid: false") + "environment: {SHELL_OF: \"${WORLD_SHELL:-none}\"}\n";
    world.write("clauderon.yaml", &text);
    world.run_as("WORLD_SHELL", "fish", &["up", "--detach", "--yes", "--now"]).ok();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(told(&world, "pending"), [""; 0], "there was no edit");
    world.write(
        "clauderon.yaml",
        &text.replace("open.invalid: false", "open.invalid: false, b.invalid: false"),
    );
    eventually("the edit is told", SOON, || {
        told(&world, "pending").iter().any(|it| it.contains("variables"))
    });
    assert!(!is_refused(&world, "b.invalid"));
}
