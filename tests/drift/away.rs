//! An engine that goes away and comes back: nothing is made meanwhile, and what was missed is found.

use super::*;
use crate::support::engine::Relay;
use crate::support::world::docker;

#[test]
fn an_engine_that_is_away_costs_nothing_and_what_it_did_meanwhile_is_found() {
    let world = World::with_model(&calm());
    world.manifest(
        "restart: always\nsessions:\n  a: {prompt: hello}\n  d: {prompt: hello}\n  h: {prompt: hello, restart: on-failure}\n  \
         n: {prompt: hello, restart: 'no'}\n  r: {prompt: hello}\n  u: {prompt: hello}\n",
    );
    let relay = Relay::new();
    let through = |args: &[&str]| world.run_as("DOCKER_HOST", &relay.address(), args);
    through(&["up", "--wait", "--yes", "--wait-timeout", "3m"]).ok();
    through(&["stop", "u"]).ok();
    settle(&world, "d");
    let of = |session: &str| {
        let seen = inspect(&world.container(session));
        (seen["Id"].clone(), seen["State"]["StartedAt"].clone())
    };
    let before = ["a", "d", "h", "n", "u"].map(of);
    let daemon = || serde_json::from_str::<Value>(&world.run(&["daemon", "status"]).ok()).unwrap();
    assert_eq!(daemon()["engine_away"], Value::Null);

    relay.leave();
    eventually("the daemon knows", LONG, || daemon()["engine_away"].is_string());
    let said = through(&["ps"]).fails(1);
    assert!(said.contains("does not answer") && said.contains("start it"), "{said}");
    assert_eq!(through(&["up", "--detach"]).code, 1);
    // Behind its back, one dies, one is stopped by hand, one is removed.
    strike(&world.container("d"));
    strike(&world.container("n"));
    docker(&["stop", "--time", "5", &world.container("h")]);
    docker(&["rm", "--force", &world.container("r")]);
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(["a", "d", "h", "n", "u"].map(of), before);
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", world.container("r"))]), "");
    // After 1, 2, 4 and 8 seconds, and the two commands.
    let asked = relay.come_back();
    assert!((3..=8).contains(&asked), "asked {asked} times");

    eventually("it is back", LONG, || daemon()["engine_away"] == Value::Null);
    eventually("what died unheard is started again", LONG, || of("d").1 != before[1].1);
    assert_eq!(of("d").0, before[1].0, "it is the same container");
    eventually("the removal is told", LONG, || told(&world, "r", "drift").len() == 1);
    eventually("the conversation goes on", LONG, || resumed(&world, "d") == 1);
    // The engine remembers who was stopped by hand.
    eventually("the stop is told", LONG, || told(&world, "h", "drift").len() == 1);
    for (session, expected) in [("a", &before[0]), ("h", &before[2]), ("n", &before[3]), ("u", &before[4])] {
        assert_eq!(&of(session), expected, "{session} was disturbed");
    }
    let states = ["a", "d", "h", "n", "r", "u"].map(|session| state(&world, session));
    assert_eq!(states, ["running", "running", "stopped", "failed", "missing", "stopped"]);
    for session in ["a", "u"] {
        for kind in ["engine_away", "engine_back"] {
            assert_eq!(told(&world, session, kind).len(), 1, "{kind} of {session}");
        }
        assert!(told(&world, session, "drift").is_empty(), "{session}");
    }
    through(&["up", "--wait", "--wait-timeout", "3m"]).ok();
    assert_eq!(of("a"), before[0]);
    for session in ["d", "h", "n", "r", "u"] {
        assert_eq!(state(&world, session), "running", "{session}");
    }
}

#[test]
fn a_session_that_is_due_waits_for_the_engine_and_up_in_the_foreground_too() {
    let world = World::with_model(&calm());
    world.manifest("sessions:\n  a: {prompt: hello}\n");
    let relay = Relay::new();
    let mut up = world.command(&["up", "--yes"]);
    up.env("DOCKER_HOST", relay.address()).stdout(std::process::Stdio::null());
    let log = std::fs::File::create(world.path("up.log")).unwrap();
    let mut up = up.stderr(log).spawn().unwrap();
    let said = |text: &str| std::fs::read_to_string(world.path("up.log")).unwrap().contains(text);
    eventually("it is up", LONG, || said("following"));
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    let before = inspect(&world.container("a"))["State"]["StartedAt"].clone();
    strike(&world.container("a"));
    eventually("its end is known", LONG, || told(&world, "a", "restart").len() == 1);
    relay.leave();
    eventually("the foreground says so", LONG, || said("the engine is away"));
    std::thread::sleep(Duration::from_secs(3));
    assert!(up.try_wait().unwrap().is_none(), "it goes on");
    relay.come_back();
    eventually("it is started", LONG, || inspect(&world.container("a"))["State"]["StartedAt"] != before);
    eventually("the foreground says so", LONG, || said("the engine is back"));
    assert!(up.try_wait().unwrap().is_none(), "a session that is started again has not ended");
    assert_eq!(told(&world, "a", "failed"), Vec::<String>::new(), "what is away fails nobody's session");
    // Ctrl-C is a stop that stands.
    let pid = rustix::process::Pid::from_child(&up);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(up.wait().unwrap().code(), Some(0));
    assert_eq!((state(&world, "a"), error(&world, "a")), ("stopped".to_owned(), String::new()));
}
