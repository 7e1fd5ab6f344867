//! What a project that is gone leaves behind, on a real engine: found, shown, asked about, removed where that is safe.

use crate::support::pty::Terminal;
use crate::support::world::{World, docker, eventually, files_with};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const MANIFEST: &str = "volumes: [\"data:/data\"]\nsessions: {a: hello, b: hello}\n";

/// Two sessions that are up and have said something.
fn talking() -> World {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest(MANIFEST);
    world.run(&["up", "--wait", "--yes"]).ok();
    for session in ["a", "b"] {
        world.run(&["wait", session, "--for", "idle", "--timeout", "60s"]).ok();
    }
    // An agent writes its answer down some time after it has said so.
    eventually("both have written down what was said", Duration::from_secs(60), || {
        transcripts(&world).len() == 2
    });
    world
}

/// Takes the manifest away.
fn vanish(world: &World) {
    std::fs::remove_file(world.root().join("clauderon.yaml")).unwrap();
}

fn containers(world: &World) -> Vec<String> {
    let filter = format!("label=clauderon.project={}", world.project);
    let list = docker(&["ps", "-a", "--format", "{{.Names}}", "--filter", &filter]);
    let mut names: Vec<String> = list.lines().map(String::from).collect();
    names.sort();
    names
}

fn prune(world: &World, args: &[&str], code: i32) -> Vec<Value> {
    let answer = world.run(&[&["prune", "--format", "json"], args].concat());
    assert_eq!(answer.code, code, "{answer:?}");
    serde_json::from_str(&answer.stdout).unwrap_or_else(|_| panic!("{answer:?}"))
}

/// What is told of one thing.
#[track_caller]
fn told<'a>(list: &'a [Value], kind: &str, session: &str) -> &'a Value {
    let is =
        |thing: &&Value| thing["kind"] == kind && thing["session"].as_str().unwrap_or_default() == session;
    list.iter().find(is).unwrap_or_else(|| panic!("no {kind} of `{session}` in {list:#?}"))
}

/// The transcripts of this home.
fn transcripts(world: &World) -> Vec<PathBuf> {
    let found = files_with(&world.home().join("sessions"), "All well.");
    found.into_iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect()
}

#[test]
fn what_a_project_that_is_gone_has_left_is_removed_where_nothing_is_lost() {
    let world = talking();
    let (a, b) = (world.checkout("a"), world.checkout("b"));
    let written = transcripts(&world);
    assert_eq!(written.len(), 2, "{written:?}");
    let volume = format!("clauderon-{}-data", world.project);
    let both = [world.container("a"), world.container("b")];
    world.run(&["stop", "b"]).ok();
    let there = world.run(&["prune", "--yes", "--force", "--volumes", "--transcripts"]);
    assert_eq!((there.code, there.stdout.as_str()), (0, "nothing is left over\n"), "the project is there");
    std::fs::write(b.join("work.txt"), "work\n").unwrap();
    vanish(&world);

    // What runs is left alone, and so is all that it uses.
    let list = prune(&world, &["--dry-run"], 0);
    let container = told(&list, "container", "a");
    assert_eq!((&container["state"], &container["reason"]), (&json!("kept"), &json!("it runs")));
    assert!(container["remedy"].as_str().unwrap().contains("docker stop"), "{container}");
    assert_eq!(told(&list, "checkout", "a")["state"], "kept");
    assert_eq!(told(&list, "state", "a")["state"], "kept");
    assert_eq!(told(&list, "container", "b")["state"], "removable");
    docker(&["stop", "--time", "1", &both[0]]);

    // Nothing is removed without a yes, by a dry run, or for another home.
    let asked = world.run(&["prune"]);
    assert_eq!(asked.code, 3, "{asked:?}");
    assert!(asked.stderr.contains("needs a yes") && asked.stderr.contains("prune --yes"), "{asked:?}");
    assert!(
        asked.stdout.contains("`work.txt` (untracked)") && asked.stdout.contains("removable: "),
        "{asked:?}"
    );
    assert!(asked.stdout.contains("its manifest") && !asked.stdout.contains('\u{1b}'), "{asked:?}");
    world.run(&["prune", "--dry-run"]).ok();
    let other = world.path("other").display().to_string();
    let others = world.run_as("CLAUDERON_HOME", &other, &["prune", "--yes", "--force", "--volumes"]);
    assert_eq!((others.code, others.stdout.as_str()), (0, "nothing is left over\n"), "{others:?}");
    let nowhere = world.run_as("DOCKER_HOST", "unix:///nowhere.sock", &["prune", "--yes", "--force"]);
    assert_eq!(nowhere.code, 1, "{nowhere:?}");
    assert!(nowhere.stderr.contains("does not answer") && nowhere.stdout.is_empty(), "{nowhere:?}");
    assert_eq!(containers(&world), both);
    assert!(a.exists() && b.join("work.txt").exists());

    let list = prune(&world, &["--yes"], 3);
    for (kind, session) in
        [("container", "a"), ("container", "b"), ("checkout", "a"), ("state", "a"), ("state", "b")]
    {
        let thing = told(&list, kind, session);
        assert_eq!(thing["state"], "removed", "{thing}");
        assert!(thing["bytes"].as_u64().is_some(), "{thing}");
        assert_eq!(thing["project"], world.project);
        assert!(thing["why"].as_str().unwrap().contains("clauderon.yaml"), "{thing}");
    }
    let kept = told(&list, "checkout", "b");
    assert_eq!((&kept["state"], &kept["decision"]), (&json!("kept"), &json!(true)));
    assert_eq!(kept["losses"], json!([{"kind": "untracked", "path": "work.txt"}]));
    for (kind, session) in [("volume", ""), ("transcripts", "a"), ("transcripts", "b")] {
        let thing = told(&list, kind, session);
        assert_eq!((&thing["state"], &thing["decision"]), (&json!("kept"), &json!(false)), "{thing}");
        assert!(thing["remedy"].as_str().unwrap().contains("prune --"), "{thing}");
    }
    assert_eq!(containers(&world), [""; 0]);
    assert!(!a.exists() && b.join("work.txt").exists());
    assert_eq!(transcripts(&world), written, "transcripts are never removed unasked");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={volume}")]).trim(), volume);
    world.git(&["fsck", "--strict"]);

    // The project comes back, and all that was kept is there.
    world.manifest(MANIFEST);
    world.run(&["up", "--wait"]).ok();
    assert_eq!(world.checkout("b").join("work.txt"), b.join("work.txt"));
    assert!(b.join("work.txt").exists() && world.checkout("a").exists());
    let resumed = |event: &&Value| event["type"] == "SessionStart" && event["data"]["source"] == "resume";
    assert_eq!(world.events().iter().filter(resumed).count(), 2, "both conversations go on");
    world.run(&["down"]).ok();
    vanish(&world);

    let list = prune(&world, &["--yes", "--force", "--volumes", "--transcripts"], 0);
    assert!(list.iter().all(|thing| thing["state"] == "removed"), "{list:#?}");
    assert!(!b.exists());
    assert_eq!(transcripts(&world), Vec::<PathBuf>::new());
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={volume}")]), "");
    assert_eq!(std::fs::read_dir(world.home().join("sessions")).unwrap().count(), 0);
    assert_eq!(prune(&world, &["--yes"], 0), Vec::<Value>::new(), "nothing of it is remembered");
    assert_eq!(world.git(&["for-each-ref", "refs/clauderon"]), "");
}

#[test]
fn a_project_whose_directory_is_gone_keeps_all_work_until_it_is_agreed_to() {
    let world = talking();
    world.run(&["down"]).ok();
    let b = world.home().join("sessions");
    let moved = world.path("moved");
    std::fs::rename(world.root(), &moved).unwrap();
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    let elsewhere = |args: &[&str]| {
        let output = world.command(args).current_dir(world.path("elsewhere")).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = elsewhere(&["prune", "--yes"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("its directory is gone"), "{said}");
    assert!(said.contains("its repository") && said.contains("is gone"), "{said}");
    assert_eq!(std::fs::read_dir(&b).unwrap().count(), 2);
    // Moved back, all goes on.
    std::fs::rename(&moved, world.root()).unwrap();
    assert_eq!(world.run(&["prune"]).ok(), "nothing is left over\n");
    world.run(&["up", "--wait"]).ok();
    world.run(&["down"]).ok();
    std::fs::rename(world.root(), &moved).unwrap();
    let (code, said) = elsewhere(&["prune", "--yes", "--force"]);
    assert_eq!(code, Some(0), "{said}");
    let ids = std::fs::read_dir(&b).unwrap().map(|entry| entry.unwrap().path());
    assert!(ids.into_iter().all(|id| !id.join("checkout").exists() && id.join("claude-projects").exists()));
    elsewhere(&["prune", "--yes", "--force", "--transcripts", "--volumes"]);
    let last = elsewhere(&["prune", "--yes"]);
    std::fs::rename(&moved, world.root()).unwrap();
    assert_eq!(last, (Some(0), "nothing is left over\n".to_owned()));
}

#[test]
fn a_person_is_asked_and_an_up_at_the_same_time_is_not_disturbed() {
    let world = talking();
    let b = world.checkout("b");
    world.run(&["stop"]).ok();
    vanish(&world);
    let shown = |terminal: &Terminal, text: &str| {
        eventually(text, Duration::from_secs(30), || terminal.shows(text));
    };
    let mut terminal = Terminal::of(&world, "clauderon prune; echo ended with $?");
    shown(&terminal, "[y/N]");
    terminal.types("n\n");
    shown(&terminal, "ended with 3");
    assert_eq!(containers(&world).len(), 2);

    // Another command holds the project's lock: nothing is removed, and it is said who does.
    let locks = std::fs::read_dir(world.home().join("projects")).unwrap().map(|entry| entry.unwrap().path());
    let lock = locks.into_iter().find(|path| path.extension().is_some_and(|end| end == "lock")).unwrap();
    let held = clauderon::fs::append(&lock).unwrap();
    held.lock().unwrap();
    std::io::Write::write_all(&mut &held, b"`clauderon up` (process 1)").unwrap();
    let list = prune(&world, &["--yes"], 3);
    let reason = told(&list, "container", "a")["reason"].as_str().unwrap();
    assert!(reason.contains("`clauderon up` (process 1) is at work"), "{list:#?}");
    assert_eq!(containers(&world).len(), 2);
    held.set_len(0).unwrap();
    drop(held);

    // The project comes back and goes up while it is pruned, again and again: whoever is first, it is up in the end.
    let done = AtomicBool::new(false);
    std::fs::write(b.join("work.txt"), "work\n").unwrap();
    std::thread::scope(|scope| {
        let pruning = scope.spawn(|| {
            let mut times = 0;
            while !done.load(Ordering::Relaxed) {
                let answer = world.run(&["prune", "--yes"]);
                assert!(matches!(answer.code, 0 | 3), "{answer:?}");
                times += 1;
                std::thread::sleep(Duration::from_millis(200));
            }
            times
        });
        for _ in 0..3 {
            world.manifest(MANIFEST);
            let up = world.run(&["up", "--detach"]);
            let states: Vec<Value> = world.ps().iter().map(|session| session["state"].clone()).collect();
            if up.code != 0 || states != ["running", "running"] {
                done.store(true, Ordering::Relaxed);
                panic!("{up:?} {states:?}");
            }
            vanish(&world);
            docker(&["stop", &world.container("a"), &world.container("b")]);
        }
        done.store(true, Ordering::Relaxed);
        assert!(pruning.join().unwrap() > 3, "it was never pruned meanwhile");
    });
    assert_eq!(std::fs::read_to_string(b.join("work.txt")).unwrap(), "work\n");
    assert_eq!(transcripts(&world).len(), 2);

    let mut terminal =
        Terminal::of(&world, "clauderon prune --force --volumes --transcripts; echo ended with $?");
    shown(&terminal, "[y/N]");
    terminal.types("y\n");
    shown(&terminal, "ended with 0");
    assert_eq!(containers(&world), [""; 0]);
    assert_eq!(world.run(&["prune"]).ok(), "nothing is left over\n");
}

#[test]
fn an_image_that_was_built_goes_with_its_project_unless_it_is_used() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.write("agent.Dockerfile", &format!("FROM {}\nLABEL made=here\n", crate::support::world::IMAGE));
    world.git(&["add", "agent.Dockerfile"]);
    world.git(&["commit", "--quiet", "--message", "Image"]);
    world.manifest("");
    let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    let build = "build: {context: ., dockerfile: agent.Dockerfile}";
    let text = text.replace(&format!("image: {}\npull_policy: never", crate::support::world::IMAGE), build);
    world.write("clauderon.yaml", &format!("{text}sessions: {{a: hello}}\n"));
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["down", "--checkouts"]).ok();
    let filter = format!("label=clauderon.project={}", world.project);
    let images = || docker(&["images", "--format", "{{.Repository}}", "--filter", &filter]);
    assert_eq!(images().trim(), format!("clauderon-build/{}", world.project));
    vanish(&world);
    let reference = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", &filter]);
    let user = format!("{}-user", world.project);
    docker(&["create", "--name", &user, reference.trim()]);
    let list = prune(&world, &["--yes", "--transcripts"], 3);
    let image = told(&list, "image", "");
    assert_eq!((&image["state"], image["bytes"].as_u64() > Some(0)), (&json!("kept"), true), "{image}");
    docker(&["rm", &user]);
    let list = prune(&world, &["--yes", "--transcripts"], 0);
    assert_eq!(told(&list, "image", "")["state"], "removed");
    assert_eq!(images(), "");
}

#[test]
fn what_down_would_lose_is_listed_within_bounds_and_transcripts_stay() {
    let world = talking();
    let checkout = world.checkout("a");
    for number in 0..30 {
        std::fs::write(checkout.join(format!("file-{number:02}")), "").unwrap();
    }
    std::fs::write(checkout.join("\u{1b}[2J\nevil"), "").unwrap();
    let written = transcripts(&world);
    let refused = world.run(&["down", "--checkouts", "--format", "json"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("\n  a: … and 11 more\n"), "{}", refused.stderr);
    assert!(refused.stderr.contains("\\u{1b}[2J\\nevil"), "{}", refused.stderr);
    assert!(!refused.stderr.contains('\u{1b}'), "{}", refused.stderr);
    let told: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(told["containers"], json!([world.container("a"), world.container("b")]));
    let of = |told: &Value, session: &str| {
        let all = told["checkouts"].as_array().unwrap().iter();
        all.clone().find(|checkout| checkout["session"] == session).unwrap().clone()
    };
    let a = of(&told, "a");
    assert_eq!((&a["removed"], &a["more"], &a["error"]), (&json!(false), &json!(0), &Value::Null), "{a}");
    assert_eq!(a["checkout"], checkout.display().to_string());
    assert_eq!(a["losses"].as_array().unwrap().len(), 31);
    assert_eq!(a["losses"][0], json!({"kind": "untracked", "path": "\u{1b}[2J\nevil"}));
    assert_eq!((&of(&told, "b")["removed"], &of(&told, "b")["losses"]), (&json!(false), &json!([])));
    assert!(checkout.exists());

    let removed = world.run(&["down", "--checkouts", "--force", "--volumes", "--format", "json"]).ok();
    let told: Value = serde_json::from_str(&removed).unwrap();
    assert_eq!((&told["containers"], &of(&told, "a")["removed"]), (&json!([]), &json!(true)));
    let volume = format!("clauderon-{}-data", world.project);
    let volumes = told["volumes"].as_array().unwrap();
    let own = volumes.iter().find(|found| found["name"] == volume.as_str()).unwrap();
    assert_eq!(own, &json!({"name": volume, "removed": true, "used_by": []}));
    assert!(!checkout.exists());
    assert_eq!(transcripts(&world), written, "they lie outside the checkout");
    world.run(&["up", "--wait"]).ok();
    let resumed = |event: &&Value| event["type"] == "SessionStart" && event["data"]["source"] == "resume";
    assert_eq!(world.events().iter().filter(resumed).count(), 2, "and the conversations go on");
}
