//! The real program is killed at work, on a real engine: what comes next finishes it, and nothing of the agents is lost.

use crate::support::world::{World, committing, docker, eventually, files_with};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(90);

/// Numbers that look random and are always the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn begin(world: &World, args: &[&str]) -> Child {
    world.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs a command, and kills it some milliseconds after it has said a word; answers whether it was alive.
fn kill(world: &World, args: &[&str], word: &str, after: u64) -> bool {
    let mut child = begin(world, args);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let heard = lines.any(|line| line.unwrap().contains(word));
    std::thread::sleep(Duration::from_millis(after));
    let alive = heard && child.try_wait().unwrap().is_none();
    let _ = child.kill();
    child.wait().unwrap();
    alive
}

/// All containers of the project, helpers too.
fn containers(world: &World) -> Vec<String> {
    let filter = format!("label=clauderon.project={}", world.project);
    let names = docker(&["ps", "--all", "--format", "{{.Names}} {{.State}}", "--filter", &filter]);
    let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// Nothing is left of the project: no container, no volume of its own, no checkout, no ref.
#[track_caller]
fn assert_gone(world: &World) {
    assert_eq!(containers(world), [""; 0]);
    let filter = format!("label=clauderon.project={}", world.project);
    assert_eq!(docker(&["volume", "ls", "--quiet", "--filter", &filter]), "");
    assert_eq!(world.git(&["for-each-ref", "refs/clauderon"]), "");
    for session in std::fs::read_dir(world.home().join("sessions")).into_iter().flatten() {
        let path = session.unwrap().path();
        let names =
            std::fs::read_dir(&path).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = names.filter(|name| name.contains("checkout")).collect();
        assert_eq!(left, [""; 0], "{}", path.display());
        let record = std::fs::read_to_string(path.join("session.json")).unwrap();
        assert!(record.contains("\"active\": false"), "{record}");
    }
}

#[test]
fn a_first_up_that_was_killed_is_finished_or_taken_away() {
    let world = World::with_model(&committing());
    world.manifest("caches: {next: {path: /workspace/.next/cache, scope: session}}\nsessions:\n  a:\n  b:\n");
    let mut dice = Dice(1);
    let mut killed = 0;
    for (word, finish) in [
        ("Checking out", false),
        ("Checking out", true),
        ("Preparing", true),
        ("Preparing", false),
        ("Creating", true),
        ("Creating", false),
        ("Starting", true),
    ] {
        killed += u32::from(kill(&world, &["up", "--detach", "--yes"], word, dice.below(40)));
        if finish {
            world.run(&["up", "--detach"]).ok();
            let running = ["a", "b"].map(|name| format!("{} running", world.container(name)));
            assert_eq!(containers(&world), running, "after {word}");
            assert_eq!(world.run(&["plan"]).ok(), "nothing to do\n");
            let write = "touch .next/cache/probe && stat -c %u .next/cache .";
            let owners = world.run(&["exec", "b", "--", "bash", "-c", write]).ok();
            let owners: Vec<&str> = owners.lines().collect();
            assert_eq!(owners[0], owners[1], "the volume is another's than the checkout");
        }
        world.run(&["down", "--volumes", "--checkouts", "--force"]).ok();
        assert_gone(&world);
        let mine = world.git(&["status", "--porcelain"]);
        assert_eq!(mine, "?? clauderon.yaml\n", "something of the user's was changed");
    }
    assert!(killed >= 4, "only {killed} were alive when they were killed");
}

#[test]
fn a_change_and_a_down_that_were_killed_lose_nothing() {
    let world = World::with_model(&committing());
    let manifest = |colour: u32| {
        world.manifest(&format!("prompt: Greet\nenvironment: {{COLOUR: c{colour}}}\nsessions:\n  a:\n"));
    };
    manifest(0);
    world.run(&["up", "--wait", "--yes"]).ok();
    eventually("it has committed", LONG, || world.hooks("a").contains(&"Stop".to_owned()));
    let checkout = world.checkout("a");
    std::fs::write(checkout.join("begun.txt"), "half").unwrap();
    let (seen, before) = (world.events(), files_with(&world.home(), "I greeted and committed."));
    assert!(!before.is_empty(), "there is no transcript");
    let assert_kept = || {
        assert_eq!(std::fs::read_to_string(checkout.join("begun.txt")).unwrap(), "half");
        assert_eq!(std::fs::read_to_string(checkout.join("greeting.txt")).unwrap(), "hello\n");
        let now = files_with(&world.home(), "I greeted and committed.");
        assert!(before.iter().all(|path| now.contains(path)), "{before:?} {now:?}");
        let events = world.events();
        assert!(seen.iter().all(|event| events.contains(event)), "{seen:?}\n{events:?}");
        let branch = world.git(&["log", "-1", "--format=%s", "clauderon/a"]);
        assert_eq!(branch, "Greet\n");
    };
    let mut dice = Dice(2);
    let mut killed = 0;
    for (colour, word) in [(1, "Stopping"), (2, "Removing"), (3, "Creating"), (4, "Starting")] {
        manifest(colour);
        killed += u32::from(kill(&world, &["up", "--detach", "--now"], word, dice.below(30)));
        world.run(&["up", "--detach", "--now"]).ok();
        assert_eq!(containers(&world), [format!("{} running", world.container("a"))]);
        assert_eq!(world.run(&["exec", "a", "--", "printenv", "COLOUR"]).ok(), format!("c{colour}\n"));
        assert_kept();
    }
    for word in ["Stopping", "Importing", "Removing"] {
        killed += u32::from(kill(&world, &["down"], word, dice.below(30)));
        assert_kept();
    }
    world.run(&["down"]).ok();
    assert_eq!(containers(&world), [""; 0]);
    assert_kept();
    let said = world.run(&["down", "--checkouts"]).fails(3);
    assert!(said.contains("begun.txt"), "{said}");
    assert!(killed >= 3, "only {killed} were alive when they were killed");
    world.run(&["down", "--checkouts", "--volumes", "--force"]).ok();
    assert_eq!(world.git(&["log", "-1", "--format=%s", "clauderon/a"]), "Greet\n");
}

/// What a process said on standard error, and its exit code.
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn of_two_at_once_one_waits_and_says_so_and_a_daemon_may_die_meanwhile() {
    let world = World::with_model(&committing());
    world.manifest("prompt: Greet\nsessions:\n  a:\n  b:\n");
    let up = ["up", "--detach", "--yes"];
    let both = [begin(&world, &up), begin(&world, &up)].map(end);
    assert_eq!([both[0].0, both[1].0], [Some(0); 2], "{both:?}");
    let waits = |said: &str| said.contains("waiting for `clauderon up` (process ");
    assert_eq!(both.iter().filter(|(_, said)| waits(said)).count(), 1, "{both:?}");
    assert_eq!(both.iter().filter(|(_, said)| said.contains("2 sessions up to date")).count(), 1, "{both:?}");
    let running = ["a", "b"].map(|name| format!("{} running", world.container(name)));
    assert_eq!(containers(&world), running);

    let both = [begin(&world, &["down"]), begin(&world, &up)].map(end);
    assert_eq!([both[0].0, both[1].0], [Some(0); 2], "{both:?}");
    let waits = |said: &str| said.contains("waiting for `clauderon ");
    assert_eq!(both.iter().filter(|(_, said)| waits(said)).count(), 1, "{both:?}");
    let left = containers(&world);
    assert!(left.is_empty() || left == running, "half of it: {left:?}");

    world.run(&["down"]).ok();
    let pid = || {
        let status = world.run(&["daemon", "status"]).stdout;
        status.split(|it: char| !it.is_ascii_digit()).find_map(|word| word.parse::<i32>().ok())
    };
    let going = begin(&world, &up);
    let killed = pid().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = killed {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    let (code, said) = end(going);
    // The kernel takes its time to end a process, whose socket still takes callers meanwhile.
    for _ in 0..500 {
        if killed.is_none_or(|pid| rustix::process::test_kill_process(pid).is_err()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(code == Some(0) || said.contains("daemon"), "{code:?} {said}");
    world.run(&up).ok();
    assert_eq!(containers(&world), running);
    world.run(&["wait", "a", "--for", "idle", "--timeout", "90s"]).ok();
}

/// The state that an `up` leaves which ends between its word to the disk and its word to the daemon.
#[test]
fn what_was_written_down_and_told_to_nobody_holds_after_the_next_up() {
    let world = World::with_model(&committing());
    let access = |access: &str| {
        let session = format!("sessions:\n  a: {{proxy: {{hosts: {{denied.example: {access}}}}}}}\n");
        world.manifest(&session);
    };
    access("true");
    world.run(&["up", "--wait", "--yes"]).ok();
    let record = std::fs::read_dir(world.home().join("sessions")).unwrap().next().unwrap().unwrap().path();
    let record = record.join("session.json");
    access("false");
    world.run(&["up", "--detach"]).ok();
    let denied = std::fs::read(&record).unwrap();
    let answer = || {
        let asked = "curl -s -o /dev/null -w '%{http_code}' https://denied.example/ || true";
        world.run(&["exec", "a", "--", "bash", "-c", asked]).ok()
    };
    assert_eq!(answer(), "403");
    access("true");
    world.run(&["up", "--detach"]).ok();
    assert_ne!(answer(), "403");
    std::fs::write(&record, denied).unwrap();
    access("false");
    world.run(&["up", "--detach"]).ok();
    assert_eq!(answer(), "403");
}
