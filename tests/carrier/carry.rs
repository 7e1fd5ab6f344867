//! Connections through the carrier.

use super::{Link, accept, connect, echo, echoes, eventually, free_port};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

#[test]
fn a_server_that_speaks_first_and_ends_first_is_carried() {
    let link = Link::new();
    let listener = link.listen();
    let port = link.carry("hooks");
    let mut client = connect(port);
    let (name, mut server) = accept(&listener);
    assert_eq!(name, "hooks\n");
    server.write_all(b"greeting").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let mut greeting = String::new();
    client.read_to_string(&mut greeting).unwrap();
    assert_eq!(greeting, "greeting");
    client.write_all(b"late").unwrap();
    drop(client);
    let mut late = String::new();
    server.read_to_string(&mut late).unwrap();
    assert_eq!(late, "late");
}

#[test]
fn an_answer_reaches_a_client_that_is_still_sending() {
    let link = Link::new();
    let listener = link.listen();
    let port = link.carry("proxy");
    let mut client = connect(port);
    let (_, mut server) = accept(&listener);
    server.write_all(b"refused").unwrap();
    drop(server);
    // Nobody reads this any more; the answer is there all the same.
    let _ = client.write_all(&vec![b'x'; 1 << 20]);
    let mut answer = [0; 7];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"refused");
}

#[test]
fn a_daemon_that_stays_away_is_said_in_words_http_clients_show() {
    let link = Link::new();
    let port = link.carry("proxy");
    let start = Instant::now();
    let mut client = connect(port);
    client.write_all(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.contains("clauderon up"), "{answer}");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[test]
fn connections_beyond_the_limit_wait_their_turn() {
    let link = Link::new();
    echo(link.listen());
    let port = link.carry("proxy");
    let mut held: Vec<_> = (0..256).map(|_| connect(port)).collect();
    for client in &mut held {
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
    }
    let mut further = connect(port);
    further.write_all(b"y").unwrap();
    further.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(further.read(&mut [0]).is_err(), "one more than the limit is carried");
    held.pop();
    further.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    further.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_full_name_leaves_room_for_another() {
    let link = Link::new();
    echo(link.listen());
    let (proxy, hooks) = (free_port(), free_port());
    let binds = [format!("proxy={proxy}"), format!("hooks={hooks}")];
    let status =
        link.command(["run", "--bind", &binds[0], "--bind", &binds[1], "--", "true"]).status().unwrap();
    assert!(status.success());
    let _held: Vec<_> = (0..300).map(|_| connect(proxy)).collect();
    std::thread::sleep(Duration::from_millis(300));
    assert!(echoes(hooks), "tunnels keep the hooks out");
}

#[test]
fn a_carrier_is_started_again_after_its_program_was_updated() {
    let link = Link::new();
    echo(link.listen());
    let port = link.carry("proxy");
    link.install();
    for _ in 0..2 {
        link.kill("carry");
        eventually("a new carrier", || echoes(port));
    }
}
