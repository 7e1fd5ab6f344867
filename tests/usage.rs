//! What agents ask of their models: counted to the token, through whatever befalls the daemon, and held against budgets and
//! timeouts. The agents are real; the model tells numbers and writes them down.

use crate::support::pty::Terminal;
use crate::support::wire::{installation, judged, named};
use crate::support::world::{World, docker, eventually, inspect};
use clauderon::manifest::project::{Budget, Period};
use clauderon::proxy::forward::serve;
use clauderon::proxy::meter::Meter;
use clauderon::proxy::policy::Policy;
use clauderon::proxy::ruled::Ruled;
use clauderon::proxy::rules::Rules;
use clauderon::proxy::usage::Counts;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(90);
/// How often a key is pressed again that an agent may not have been ready for.
const AGAIN: Duration = Duration::from_secs(4);

/// A model that runs a command and then answers, and that answers each further question.
fn talking() -> World {
    World::with_model(&json!({"turns": [
        {"when": "Begin", "steps": [{"run": "echo one"}, {"say": "Begun."}]},
        {"when": "Go on", "steps": [{"say": "Gone on."}]},
        {"when": "", "steps": [{"say": "Yes."}]},
    ]}))
}

fn kill_daemon(world: &World) {
    let status: Value = serde_json::from_str(&world.run(&["daemon", "status"]).ok()).unwrap();
    let pid = Pid::from_raw(i32::try_from(status["pid"].as_i64().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    eventually("the daemon is gone", LONG, || test_kill_process(pid).is_err());
}

/// `usage --format json` of one session.
#[track_caller]
fn usage(world: &World, session: &str) -> Value {
    let all: Vec<Value> =
        serde_json::from_str(&world.run(&["usage", "--format", "json", session]).ok()).unwrap();
    assert_eq!(all.len(), 1);
    all.into_iter().next().unwrap()
}

const NUMBERS: [&str; 5] =
    ["requests", "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"];

/// What the model says that it has told, over all requests to paths that begin so.
fn told(world: &World, path: &str) -> [u64; 5] {
    let mut sums = [0; 5];
    for request in world.requests() {
        let usage = &request["usage"];
        if !request["path"].as_str().unwrap().starts_with(path) || usage.is_null() {
            continue;
        }
        let of = |key: &str| usage[key].as_u64().unwrap_or(0);
        let (created, read) = (of("cache_creation_input_tokens"), of("cache_read_input_tokens"));
        let cached = usage["input_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0);
        let more = [1, of("input_tokens") + created + read, created, read + cached, of("output_tokens")];
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }
    sums
}

fn counted(usage: &Value) -> [u64; 5] {
    NUMBERS.map(|key| usage[key].as_u64().unwrap())
}

fn curl(world: &World, session: &str, url: &str, body: &str) -> String {
    let all = ["exec", session, "--", "curl", "-sS", "-m", "20", "-w", "\n%{http_code}", "-H"];
    world.run(&[&all[..], &["Content-Type: application/json", "-d", body, url]].concat()).stdout
}

/// Types to an agent and presses enter until that was heard.
#[track_caller]
fn say(world: &World, session: &str, text: &str, heard: impl Fn(&Terminal) -> bool) {
    let mut terminal = Terminal::of(world, &format!("clauderon attach {session}"));
    let mut rows = 33;
    eventually("the conversation is shown", LONG, || {
        // An agent that was running all the time draws itself anew for a new size alone.
        rows = if rows == 33 { 34 } else { 33 };
        terminal.resize(rows, 101);
        std::thread::sleep(Duration::from_millis(250));
        terminal.shows("Begin")
    });
    terminal.types(text);
    let (start, mut pressed) = (Instant::now(), None::<Instant>);
    while !heard(&terminal) {
        assert!(start.elapsed() < LONG, "it was not heard; the screen:\n{}", terminal.text());
        if pressed.is_none_or(|pressed| pressed.elapsed() > AGAIN) && start.elapsed() > AGAIN / 8 {
            terminal.types("\r");
            pressed = Some(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn asked(world: &World, text: &str) -> bool {
    world.requests().iter().any(|request| request["user_text"] == text)
}

/// The time since a session's container was made and how often it was started, as the engine has it.
fn run_of(world: &World, session: &str) -> (Value, Value) {
    let inspected = inspect(&world.container(session));
    (inspected["Id"].clone(), inspected["State"]["StartedAt"].clone())
}

#[test]
fn both_agents_are_counted_to_the_token_also_by_a_daemon_that_was_killed() {
    let world = talking();
    world.manifest("sessions:\n  a: {prompt: Begin}\n  c: {agent: codex, prompt: Begin}\n  quiet:\n");
    world.run(&["up", "--wait", "--yes"]).ok();
    for session in ["a", "c"] {
        world.run(&["wait", session, "--for", "idle", "--timeout", "90s"]).ok();
    }
    world.run(&["stop", "quiet"]).ok();
    let quiet = counted(&usage(&world, "quiet"));
    let others = |of: [u64; 5]| -> Vec<u64> { of.iter().zip(quiet).map(|(of, quiet)| of - quiet).collect() };
    // What the quiet one's agent asked as it started is no other's.
    let exact = |when: &str| {
        eventually(when, LONG, || {
            counted(&usage(&world, "a")).to_vec() == others(told(&world, "/v1/messages"))
                && counted(&usage(&world, "c")) == told(&world, "/v1/responses")
        });
        assert_eq!(counted(&usage(&world, "quiet")), quiet, "{when}");
        let [requests, input, created, read, output] = counted(&usage(&world, "a"));
        assert!(requests > 1 && input > created + read && created > 0 && read > 0 && output > 0, "{when}");
    };
    exact("both were counted");
    for _ in 0..3 {
        kill_daemon(&world);
        exact("what was kept is told without a daemon");
        world.run(&["ps"]).ok();
        exact("a new daemon goes on");
        // Without a stream, as programs beside the agents may ask.
        let body =
            json!({"messages": [{"role": "user", "content": "Go on"}, {"role": "user", "content": "?"}]});
        let got = curl(&world, "a", "https://api.anthropic.com/v1/messages", &body.to_string());
        assert!(got.contains("\"usage\"") && got.ends_with("200"), "{got}");
        let body = json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Go on"}]}]});
        let got = curl(&world, "c", "https://api.openai.com/v1/responses", &body.to_string());
        assert!(got.contains("\"usage\"") && got.ends_with("200"), "{got}");
        exact("what is no stream counts too");
    }
    let before = counted(&usage(&world, "a"));
    let got = curl(&world, "a", "https://api.anthropic.com/v1/messages/count_tokens", "{}");
    assert!(got.contains("input_tokens") && got.ends_with("200"), "{got}");
    // What a container says of itself is nothing that counts.
    let forged = json!({"session_id": "x", "usage": {"input_tokens": 9}}).to_string();
    curl(&world, "a", "http://host.docker.internal:47101/api/hooks", &forged);
    curl(&world, "a", "https://example.com/v1/messages", "{\"usage\":{\"input_tokens\":9}}");
    assert_eq!(counted(&usage(&world, "a")), before);

    // `ps` has the same, and a table is for people.
    for status in world.ps() {
        let of = usage(&world, status["session"].as_str().unwrap());
        let expected = json!({
            "requests": of["requests"], "input_tokens": of["input_tokens"], "output_tokens": of["output_tokens"],
        });
        assert_eq!(status["usage"], expected);
        assert_eq!((&of["budget"], &of["unread"]), (&Value::Null, &0.into()));
        assert_eq!(counted(&of["today"]), counted(&of), "a test at midnight fails here");
    }
    let table = world.run(&["usage"]).ok();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("SESSION   REQUESTS   INPUT"), "{table}");
    assert!(lines[1].starts_with("a ") && lines[4].starts_with("(all) "), "{table}");
    assert!(world.run(&["usage", "none"]).fails(2).contains("there is no session `none`"));

    // A conversation of its own has a count of its own.
    let conversation = world.ps()[0]["conversation"].clone();
    let first = counted(&usage(&world, "a"));
    world.run(&["up", "-d", "--renew", "--now", "a"]).ok();
    eventually("the new one asks", LONG, || {
        usage(&world, "a")["conversations"].as_array().unwrap().len() == 2
    });
    world.run(&["wait", "a", "--for", "idle", "--timeout", "90s"]).ok();
    let of = usage(&world, "a");
    assert_eq!(of["conversations"][0]["conversation"], conversation);
    assert_eq!(counted(&of["conversations"][0]), first);
    assert_ne!(of["conversations"][1]["conversation"], conversation);
    let sum = [0, 1].map(|number| counted(&of["conversations"][number])[1]).iter().sum::<u64>();
    assert_eq!(sum, counted(&of)[1]);
    // It outlives its container.
    world.run(&["down"]).ok();
    assert_eq!(counted(&usage(&world, "c")), told(&world, "/v1/responses"));
}

#[test]
fn a_budget_that_is_spent_ends_the_turn_in_words_and_raised_it_lets_both_agents_go_on() {
    let world = talking();
    let manifest = |tokens: u64, requests: u64| {
        let budget = format!("budget: {{tokens: {tokens}, requests: {requests}}}");
        world.manifest(&format!(
            "{budget}\nsessions:\n  a: {{prompt: Begin}}\n  c: {{agent: codex, prompt: Begin}}\n"
        ));
    };
    manifest(100, 1_000);
    world.run(&["up", "-d", "--wait", "--yes"]).ok();
    let waits = |session: &str| {
        let all = world.ps();
        let one = all.iter().find(|status| status["session"] == session).unwrap();
        (one["activity"] == "waiting").then(|| one["waiting_for"].clone())
    };
    for session in ["a", "c"] {
        eventually("it waits for its budget", LONG, || waits(session) == Some("budget".into()));
    }
    world.run(&["wait", "a", "--for", "waiting", "--timeout", "10s"]).ok();
    // Nothing passes, and the turn was over at once: no agent tries for long.
    std::thread::sleep(Duration::from_secs(5));
    let sent = world.requests().len();
    let runs = ["a", "c"].map(|session| run_of(&world, session));
    for (session, host) in [("a", "api.anthropic.com/v1/messages"), ("c", "api.openai.com/v1/responses")] {
        let got = curl(&world, session, &format!("https://{host}"), "{}");
        let told: Value = serde_json::from_str(got.rsplit_once('\n').unwrap().0).unwrap();
        let message = told["error"]["message"].as_str().unwrap();
        let of = usage(&world, session)["budget"].clone();
        let used = format!("the budget of this conversation is spent: {} of 100 tokens", of["used_tokens"]);
        assert!(got.ends_with("400") && message.contains(&used), "{got}");
        assert!(message.contains("Raise `budget.tokens`") && message.contains("`clauderon up`"), "{got}");
        assert_eq!((&of["spent"], &of["per"]), (&true.into(), &"conversation".into()));
        // A body that is longer than what is read ahead does not cost the answer.
        let long = format!("https://{host}");
        let script = format!(
            "head -c 20000000 /dev/zero | curl -sS -m 20 -w '%{{http_code}}' --data-binary @- {long}"
        );
        let got = world.run(&["exec", session, "--", "bash", "-c", &script]).stdout;
        assert!(got.contains("is spent") && got.ends_with("400"), "{got}");
        // The agent shows it to whoever is there.
        say(&world, session, "Go on", |terminal| terminal.text().matches("budget").count() > 1);
        assert!(!asked(&world, "Go on"));
    }
    assert_eq!(world.requests().iter().filter(|it| !it["usage"].is_null()).count(), counted_requests(&world));
    let log = world.requests().into_iter().skip(sent).filter(|it| !it["usage"].is_null()).count();
    assert_eq!(log, 0, "nothing of it went to the model");
    let denied = world.run(&["audit", "--denied"]).ok();
    assert!(denied.contains("the budget of this conversation is spent"), "{denied}");

    // More waits for a person; then both go on as they are.
    manifest(100_000_000, 1_000);
    eventually("it is pending", LONG, || world.ps()[0]["pending"].to_string().contains("budget.tokens"));
    assert_eq!(usage(&world, "a")["budget"]["tokens"], 100);
    assert!(world.run(&["plan"]).ok().contains("live a: budget.tokens: 100 → 100000000 [live]"));
    world.run(&["up", "-d"]).ok();
    for session in ["a", "c"] {
        eventually("it waits no longer", LONG, || waits(session).is_none());
        say(&world, session, "Go on", |_| {
            let path = if session == "a" { "/v1/messages" } else { "/v1/responses" };
            let of = |it: &Value| {
                it["path"].as_str().unwrap().starts_with(path)
                    && it["user_text"].as_str().unwrap().ends_with("Go on")
            };
            world.requests().iter().any(of)
        });
    }
    assert_eq!(["a", "c"].map(|session| run_of(&world, session)), runs, "neither was started anew");
    let types: Vec<Value> = world
        .events()
        .into_iter()
        .filter(|it| it["source"] == "proxy")
        .map(|it| it["type"].clone())
        .collect();
    for kind in ["budget_spent", "budget_raised"] {
        let count = types.iter().filter(|it| *it == kind).count();
        assert!((2..=4).contains(&count), "{kind}: {types:?}");
    }

    // Less holds as soon as it is saved, and a daemon that is killed changes nothing of it.
    let requests = counted(&usage(&world, "a"))[0];
    manifest(100_000_000, requests);
    eventually("it is narrowed", LONG, || usage(&world, "a")["budget"]["requests"] == requests);
    let refused = || curl(&world, "a", "https://api.anthropic.com/v1/messages", "{}");
    assert!(refused().contains(&format!("{requests} of {requests} requests")), "{}", refused());
    kill_daemon(&world);
    world.run(&["ps"]).ok();
    eventually("it is served again", LONG, || refused().contains("`budget.requests`"));
    world.manifest("sessions:\n  a: {prompt: Begin}\n  c: {agent: codex, prompt: Begin}\n");
    world.run(&["up", "-d"]).ok();
    assert!(refused().ends_with("200"), "{}", refused());
}

fn counted_requests(world: &World) -> usize {
    let count = |session: &str| usize::try_from(counted(&usage(world, session))[0]).unwrap();
    count("a") + count("c")
}

/// The state of the only session, and what is said of it.
fn state(world: &World) -> (String, String) {
    let status = world.ps().remove(0);
    (status["state"].as_str().unwrap().to_owned(), status["error"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_session_that_has_run_as_long_as_it_may_is_stopped_and_stays_so_whoever_was_there() {
    let world = talking();
    world.manifest("restart: always\ntimeout: {run: 20s}\nsessions:\n  a: {prompt: Begin}\n");
    world.run(&["up", "-d", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    world.run(&["exec", "a", "--", "git", "commit", "-q", "--allow-empty", "-m", "Late"]).ok();
    // A new start by its policy, and a new daemon, count on.
    docker(&["exec", &world.container("a"), "bash", "-c", "kill -9 -1"]);
    eventually("it is started again", LONG, || world.events().iter().any(|it| it["type"] == "restart"));
    kill_daemon(&world);
    world.run(&["ps"]).ok();
    eventually("it is stopped", LONG, || state(&world).0 == "stopped");
    assert_eq!(state(&world).1, "timeout: it has run for 20s (`timeout.run`)");
    let started = world.events().iter().filter(|it| it["type"] == "start").count();
    assert!(world.git(&["log", "-1", "--format=%s", "clauderon/a"]).contains("Late"));
    let told = world.run(&["events"]).ok();
    assert!(
        told.contains("stopped: it has run for 20s (`timeout.run`); `clauderon start` goes on"),
        "{told}"
    );
    // `restart: always` does not undo it, nor does a daemon to come.
    world.run(&["daemon", "stop"]).ok();
    world.run(&["ps"]).ok();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(world.events().iter().filter(|it| it["type"] == "start").count(), started);
    assert_eq!(state(&world).0, "stopped");
    // Whoever starts it gives it its time anew; more time holds without a new start.
    world.run(&["start", "a"]).ok();
    world.manifest("restart: always\ntimeout: {run: 1d}\nsessions:\n  a: {prompt: Begin}\n");
    world.run(&["up", "-d"]).ok();
    let begun = run_of(&world, "a");
    std::thread::sleep(Duration::from_secs(22));
    assert_eq!((state(&world), run_of(&world, "a")), (("running".to_owned(), String::new()), begun));
}

#[test]
fn an_agent_that_rests_is_stopped_and_one_that_works_in_silence_is_not() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [
        {"run": "sleep 20; git commit -q --allow-empty -m Slept"}, {"say": "Slept."},
    ]}]}));
    world.manifest("timeout: {idle: 8s}\nsessions:\n  a: {prompt: Sleep}\n");
    world.run(&["up", "-d", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "90s"]).ok();
    let rests = Instant::now();
    eventually("it is stopped", LONG, || state(&world).0 == "stopped");
    assert!(rests.elapsed() > Duration::from_secs(5), "{:?}", rests.elapsed());
    assert_eq!(state(&world).1, "timeout: its agent was idle for 8s (`timeout.idle`)");
    assert!(world.git(&["log", "-1", "--format=%s", "clauderon/a"]).contains("Slept"));
    // One that was started before this daemon began is known by its events.
    world.run(&["start", "a"]).ok();
    kill_daemon(&world);
    world.run(&["ps"]).ok();
    eventually("it is stopped again", LONG, || state(&world).0 == "stopped");
}

/// Asks a model in this process, whose answer are these pieces as they are.
async fn answered(meter: &Arc<Meter>, pieces: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosts = BTreeMap::from([("api.anthropic.com".to_owned(), named(listener.local_addr().unwrap()))]);
    let directory = tempfile::tempdir().unwrap();
    let installation = Arc::new(installation(directory.path()).0);
    let judge = Arc::new(Ruled::new(Rules::default()).counting(Arc::clone(meter)));
    let caller = judged(installation, Policy { hosts }.with_models(), judge);
    let model = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"{}") {
            assert!(stream.read_buf(&mut head).await.unwrap() > 0);
        }
        for piece in pieces {
            if stream.write_all(&piece).await.is_err() {
                return;
            }
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let (mut inside, outside) = duplex(1 << 20);
    let served = tokio::spawn(async move { serve(outside, caller, CancellationToken::new()).await });
    let head = "POST http://api.anthropic.com/v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    inside.write_all(head.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let _ = tokio::time::timeout(LONG, inside.read_to_end(&mut got)).await.expect("no end came");
    model.abort();
    drop(inside);
    let _ = tokio::time::timeout(LONG, served).await.expect("the proxy holds on");
    String::from_utf8_lossy(&got).into_owned()
}

const STREAM: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\
    \"cache_read_input_tokens\":20,\"output_tokens\":1}}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":\
    {\"output_tokens\":42}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_model_answers_passes_unchanged_and_counts_for_what_it_tells() {
    let head =
        |kind: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n").into_bytes();
    let close = |kind: &str, body: &str| vec![head(kind), b"\r\n".to_vec(), body.as_bytes().to_vec()];
    let events = "text/event-stream";
    let of = |input, read, output| Counts {
        requests: 1,
        input_tokens: input,
        cache_read_input_tokens: read,
        output_tokens: output,
        ..Counts::default()
    };
    let unread = Counts { requests: 1, unread: 1, ..Counts::default() };
    // Each byte is a chunk of its own.
    let mut bytes = vec![head(events), b"Transfer-Encoding: chunked\r\n\r\n".to_vec()];
    bytes.extend(STREAM.bytes().map(|byte| vec![b'1', b'\r', b'\n', byte, b'\r', b'\n']));
    bytes.push(b"0\r\n\r\n".to_vec());
    let mut compressed = head(events);
    compressed.extend(b"Content-Encoding: gzip\r\n\r\n");
    compressed.extend(STREAM.as_bytes());
    let huge =
        format!("data: {{\"text\":\"{}\",\"usage\":{{\"output_tokens\":3}}}}\n\n", "x".repeat(3 << 20));
    let text = "{\"usage\":{\"input_tokens\":18446744073709551616,\"output_tokens\":-5}}";
    for (what, pieces, expected) in [
        ("byte by byte", bytes, of(29, 20, 42)),
        ("twice the same", close(events, &STREAM.repeat(2)), of(29, 20, 42)),
        ("cut off", close(events, &STREAM[..160]), of(29, 20, 1)),
        ("a line of three megabytes", close(events, &huge), of(0, 0, 3)),
        (
            "a document",
            close("application/json", "{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}"),
            of(3, 0, 4),
        ),
        ("numbers that are none", close("application/json", text), unread),
        ("compressed, though it was asked not to be", vec![compressed], unread),
        ("no end of brackets", close("application/json", &"[{\"usage\":".repeat(100_000)), unread),
        ("nothing", close("application/json", ""), unread),
        (
            "an error",
            vec![b"HTTP/1.1 529 Busy\r\nContent-Length: 0\r\n\r\n".to_vec()],
            Counts { requests: 1, ..Counts::default() },
        ),
        ("no answer", vec![], Counts { requests: 1, ..Counts::default() }),
    ] {
        let meter = Arc::new(Meter::default());
        meter.limit(Budget { tokens: Some(1_000), requests: None, per: Period::Day }, 1);
        let body: usize = pieces.iter().map(Vec::len).sum();
        let got = answered(&meter, pieces).await;
        assert!(got.starts_with("HTTP/1.1 "), "{what}: {got}");
        assert!(body < 1 << 20 || got.len() >= 3 << 20, "{what}: {} of {body} came", got.len());
        assert_eq!(meter.ledger().total, expected, "{what}");
        assert_eq!(meter.ledger().today, expected, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_finished_though_the_budget_is_spent_meanwhile() {
    let meter = Arc::new(Meter::default());
    meter.limit(Budget { tokens: Some(10), requests: None, per: Period::Conversation }, 1);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let got = answered(&meter, vec![[head, STREAM].concat().into_bytes()]).await;
    assert!(got.contains("message_stop"), "{got}");
    let got = answered(&meter, vec![[head, STREAM].concat().into_bytes()]).await;
    assert!(got.starts_with("HTTP/1.1 400 ") && got.contains("71 of 10 tokens"), "{got}");
    assert_eq!(meter.ledger().total.requests, 1);
}
