//! Refusals in the events and as a number: few events, however many refusals; a number that a restart keeps.

use crate::support::daemon::{PROGRAM, Place, SOON};
use crate::support::world::eventually;
use clauderon::daemon::record;
use clauderon::manifest::project::Host;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

fn place() -> Place {
    let place = Place::new("home");
    place.add("a1");
    place.add("b2");
    let mut record = record::read(&place.home, "a1").unwrap().unwrap();
    let closed = Host { rules: Vec::new(), address: None, ca: None, place: "clauderon.yaml:7".to_owned() };
    record.rules.hosts.insert("*".to_owned(), closed);
    record::write(&place.home, &record).unwrap();
    place
}

fn start(place: &Place) -> Child {
    let nowhere = format!("unix://{}", place.directory.path().join("nowhere.sock").display());
    let mut command = Command::new(PROGRAM);
    command.arg("daemon").env("CLAUDERON_HOME", place.home.path()).env("DOCKER_HOST", nowhere);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the daemon answers", SOON, || UnixStream::connect(place.home.control_socket()).is_ok());
    child
}

/// Asks for as many pages, all on one connection, and counts the refusals.
fn ask(place: &Place, id: &str, count: usize, host: impl Fn(usize) -> String) -> usize {
    let mut stream = place.connect(id, "proxy\n").unwrap();
    let mut half = stream.try_clone().unwrap();
    let requests: String = (0..count)
        .map(|number| {
            let close = if number + 1 == count { "Connection: close\r\n" } else { "" };
            format!("GET http://{}/ HTTP/1.1\r\n{close}\r\n", host(number))
        })
        .collect();
    let writer = std::thread::spawn(move || half.write_all(requests.as_bytes()).unwrap());
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    writer.join().unwrap();
    answers.matches("HTTP/1.1 403 ").count()
}

fn denied(place: &Place) -> Value {
    let answer = place.control(b"{\"do\":\"denied\",\"ids\":[\"a1\",\"b2\"]}\n");
    serde_json::from_str::<Value>(&answer).unwrap()["denied"].clone()
}

fn told(place: &Place) -> Vec<Value> {
    let events = place.events("a1").into_iter();
    events.filter(|event| event.source == "proxy" && event.kind == "denied").map(|event| event.data).collect()
}

#[test]
fn a_flood_of_refusals_is_few_events_and_each_is_counted_over_a_restart() {
    let place = place();
    let mut daemon = start(&place);
    assert_eq!(ask(&place, "a1", 1, |_| "a.example".to_owned()), 1);
    // The first is told at once.
    eventually("the refusal is told", SOON, || told(&place).len() == 1);
    let reason = "proxy.hosts.\"*\" (clauderon.yaml:7) is `false`: nothing is allowed there";
    assert_eq!(
        told(&place)[0],
        json!({
            "host": "a.example", "method": "GET", "rule": "proxy.hosts.\"*\"", "place": "clauderon.yaml:7",
            "reason": reason, "count": 1,
        })
    );
    assert_eq!(ask(&place, "a1", 5000, |number| format!("h{}.example", number % 1000)), 5000);
    assert_eq!(denied(&place), json!([5001, 0]));
    assert!(told(&place).len() <= 1 + 17, "{}", told(&place).len());
    // An orderly end tells and keeps what is left.
    assert!(
        Command::new(PROGRAM)
            .args(["daemon", "stop"])
            .env("CLAUDERON_HOME", place.home.path())
            .status()
            .unwrap()
            .success()
    );
    daemon.wait().unwrap();
    let events = told(&place);
    assert!(events.len() <= 1 + 2 * 17, "{}", events.len());
    let sum: u64 = events.iter().map(|data| data["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, 5001);
    let mut daemon = start(&place);
    assert_eq!(denied(&place), json!([5001, 0]));
    assert_eq!(ask(&place, "a1", 1, |_| "a.example".to_owned()), 1);
    assert_eq!(denied(&place), json!([5002, 0]));
    // A kill costs what came in the last seconds, and no more.
    eventually("the number is kept", SOON, || {
        std::fs::read_to_string(place.home.session("a1").denied()).is_ok_and(|text| text == "5002")
    });
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let mut daemon = start(&place);
    assert_eq!(denied(&place), json!([5002, 0]));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}
