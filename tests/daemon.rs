//! The daemon, as a process with a home of its own, before hostile sessions, neighbours, pages and users.

use crate::support::daemon::{PROGRAM, Place, SOON, ask, event, request};
use crate::support::world::eventually;
use clauderon::hooks::message::LONGEST;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A home with the sessions `a1` and `b2`, and the daemon that serves it.
struct World {
    place: Place,
    daemon: Option<Child>,
    port: Option<u16>,
}

impl std::ops::Deref for World {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl World {
    /// The home alone, as wide open as a careless user leaves it.
    fn quiet() -> Self {
        let place = Place::new("home");
        std::fs::set_permissions(place.home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        place.add("a1");
        place.add("b2");
        Self { place, daemon: None, port: None }
    }

    fn new() -> Self {
        let mut world = Self::quiet();
        world.start();
        world
    }

    fn command(&self) -> Command {
        // So few open files that a daemon that is content with them starves.
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 256; exec \"$0\" \"$@\"", PROGRAM]);
        let nowhere = format!("unix://{}", self.directory.path().join("nowhere.sock").display());
        command.arg("daemon").env("CLAUDERON_HOME", self.home.path()).env("DOCKER_HOST", nowhere);
        command.env_remove("CLAUDERON_LOG").stdin(Stdio::null()).stdout(Stdio::null());
        command
            .stderr(std::fs::File::options().append(true).create(true).open(self.home.daemon_log()).unwrap());
        command
    }

    fn start(&mut self) {
        let mut command = self.command();
        if let Some(port) = self.port {
            command.args(["--http-port", &port.to_string()]);
        }
        self.daemon = Some(command.spawn().unwrap());
        eventually("the daemon answers", SOON, || UnixStream::connect(self.home.control_socket()).is_ok());
    }

    /// kill -9.
    fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    fn socket(&self, id: &str, word: &str) -> UnixStream {
        self.connect(id, word).unwrap()
    }

    /// Posts an event of a session's own, and answers the status.
    fn post(&self, id: &str, number: usize) -> u16 {
        let request = request(&self.token(id), &event(id, number));
        ask(&mut self.socket(id, "hooks\n"), request.as_bytes())
    }

    fn numbers(&self, id: &str) -> Vec<u64> {
        self.events(id).iter().filter_map(|event| event.data["number"].as_u64()).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_thousand_events_are_stored_once_and_in_order() {
    let world = World::new();
    let (mut stream, token) = (world.socket("a1", "hooks\n"), world.token("a1"));
    for number in 0..1000 {
        assert_eq!(ask(&mut stream, request(&token, &event("a1", number)).as_bytes()), 204);
    }
    assert_eq!(world.numbers("a1"), (0..1000).collect::<Vec<_>>());
    let event = &world.events("a1")[0];
    assert_eq!((event.project.as_str(), event.session.as_str()), ("shop", "a1"));
    assert_eq!((event.source.as_str(), event.kind.as_str()), ("hook", "PostToolUse"));
    assert!(world.numbers("b2").is_empty());
}

#[test]
fn nobody_reports_in_anothers_name() {
    let mut world = World::quiet();
    world.port = Some(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    world.start();
    let (one, two) = (world.token("a1"), world.token("b2"));
    assert_ne!(one, two);
    let good = request(&one, &event("a1", 1));
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from));
        good.replace(from, to)
    };
    let host = "Host: host.docker.internal";
    let cases = [
        ("another's token", request(&two, &event("a1", 1)), 401, 403),
        ("another's token for another", request(&two, &event("b2", 1)), 401, 204),
        ("another's id", request(&one, &event("b2", 1)), 403, 403),
        ("no token", changed(&format!("Authorization: Bearer {one}\r\n"), ""), 401, 401),
        ("an empty token", request("", &event("a1", 1)), 401, 401),
        ("a wrong token", request(&"0".repeat(64), &event("a1", 1)), 401, 401),
        ("half a token", request(&one[..32], &event("a1", 1)), 401, 401),
        (
            "a page's origin",
            changed(host, &format!("{host}\r\nOrigin: http://host.docker.internal")),
            403,
            403,
        ),
        ("no origin", changed(host, &format!("{host}\r\nOrigin: null")), 403, 403),
        ("a rebound name", changed(host, "Host: evil.example"), 403, 403),
        ("an address as name", changed(host, "Host: 127.0.0.1"), 403, 403),
        ("a name in front", changed(host, "Host: host.docker.internal.evil.example"), 403, 403),
        ("no name", changed(&format!("{host}\r\n"), ""), 403, 403),
        ("a form", changed("application/json", "text/plain"), 415, 415),
        ("no type", changed("Content-Type: application/json\r\n", ""), 415, 415),
        ("another method", changed("POST", "PUT"), 405, 405),
        ("another path", changed("/api/hooks", "/api/hooks/"), 404, 404),
        ("no JSON", request(&one, "{"), 400, 400),
        ("two ids", request(&one, r#"{"session_id":"a1","session_id":"b2","event":"Stop"}"#), 400, 400),
        ("an odd event", request(&one, r#"{"session_id":"a1","event":"a\nb"}"#), 400, 400),
        ("too long", request(&one, &format!("\"{}\"", " ".repeat(LONGEST))), 413, 413),
    ];
    for (what, request, on_socket, on_port) in cases {
        assert_eq!(ask(&mut world.socket("a1", "hooks\n"), request.as_bytes()), on_socket, "{what}");
        let mut stream = TcpStream::connect(("127.0.0.1", world.port.unwrap())).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(ask(&mut stream, request.as_bytes()), on_port, "{what}, by HTTP");
    }
    // A token opens nothing behind another's socket, in the other direction too.
    assert_eq!(ask(&mut world.socket("b2", "hooks\n"), good.as_bytes()), 401);
    assert!(world.events("a1").is_empty());
    assert_eq!(world.events("b2").len(), 1);
    let mut stream = TcpStream::connect(("127.0.0.1", world.port.unwrap())).unwrap();
    assert_eq!(ask(&mut stream, good.as_bytes()), 204);
    assert_eq!(world.numbers("a1"), [1]);
}

#[test]
fn a_hostile_spool_gives_its_events_and_nothing_else() {
    let world = World::new();
    let spool = world.home.session("a1").spool();
    let secret = world.directory.path().join("secret");
    std::fs::write(&secret, event("a1", 666)).unwrap();
    symlink(&secret, spool.join("00-link.json")).unwrap();
    symlink(world.directory.path(), spool.join("00-up.json")).unwrap();
    symlink("/dev/zero", spool.join("00-zero.json")).unwrap();
    std::fs::create_dir(spool.join("00-empty.json")).unwrap();
    std::fs::create_dir_all(spool.join("00-full.json/inner")).unwrap();
    assert!(Command::new("mkfifo").arg(spool.join("00-fifo.json")).status().unwrap().success());
    std::fs::File::create(spool.join("00-sparse.json")).unwrap().set_len(1 << 40).unwrap();
    world.spool("a1", "00-long.json", format!("\"{}\"", "x".repeat(5 << 20)));
    world.spool("a1", "00-foreign.json", event("b2", 666));
    world.spool("a1", "00-broken.json", "{\"session_id\":\"a1\",");
    world.spool("a1", "00-deep.json", "[".repeat(1 << 20));
    world.spool("a1", "01 \n\u{1b}[31m.json", event("a1", 1));
    world.spool("a1", "02.json", event("a1", 2));
    assert_eq!(world.post("a1", 3), 204);
    assert_eq!(world.numbers("a1"), [1, 2, 3]);
    assert!(world.events("b2").is_empty());
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), event("a1", 666));
    let mut left: Vec<_> = std::fs::read_dir(&spool)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    // What is no file is left alone, whatever it is.
    let odd = ["empty", "fifo", "full", "link", "up", "zero"].map(|name| format!("00-{name}.json"));
    assert_eq!(left, odd);
    // What an agent can do at will does not fill the log.
    assert!(std::fs::metadata(world.home.daemon_log()).unwrap().len() < 4096);
}

#[test]
fn a_spooled_event_is_stored_once_though_many_look() {
    let world = World::new();
    for number in 0..200 {
        world.spool("a1", &format!("{number:04}.json"), event("a1", number));
    }
    std::thread::scope(|scope| {
        for number in 200..208 {
            let world = &world;
            scope.spawn(move || assert_eq!(world.post("a1", number), 204));
        }
    });
    let numbers = world.numbers("a1");
    assert_eq!(numbers[..200], (0..200).collect::<Vec<_>>());
    let mut later = numbers[200..].to_vec();
    later.sort_unstable();
    assert_eq!(later, (200..208).collect::<Vec<_>>());
}

#[test]
fn a_spool_that_is_a_link_is_left_alone() {
    let world = World::new();
    let spool = world.home.session("a1").spool();
    std::fs::remove_dir(&spool).unwrap();
    let other = world.directory.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("1.json"), event("a1", 666)).unwrap();
    symlink(&other, &spool).unwrap();
    assert_eq!(world.post("a1", 1), 204);
    assert_eq!(world.numbers("a1"), [1]);
    assert!(other.join("1.json").exists());
}

#[test]
fn a_killed_daemon_comes_back_with_all_it_had_stored() {
    let mut world = World::new();
    let token = world.token("a1");
    for number in 0..20 {
        assert_eq!(world.post("a1", number), 204);
    }
    world.kill();
    // What it left in the way stops nobody.
    assert!(world.home.control_socket().exists() && world.home.session("a1").socket().exists());
    for number in 20..30 {
        world.spool("a1", &format!("{number:04}.json"), event("a1", number));
    }
    world.start();
    assert_eq!(world.token("a1"), token);
    assert_eq!(world.post("a1", 30), 204);
    assert_eq!(world.numbers("a1"), (0..31).collect::<Vec<_>>());
}

#[test]
fn of_daemons_that_race_one_lives() {
    let world = World::quiet();
    let mut racers: Vec<Child> = (0..4).map(|_| world.command().spawn().unwrap()).collect();
    let running = |racers: &mut Vec<Child>| {
        racers.iter_mut().map(|racer| racer.try_wait().unwrap()).filter(Option::is_none).count()
    };
    let start = Instant::now();
    while running(&mut racers) > 1 && start.elapsed() < SOON {
        std::thread::sleep(Duration::from_millis(5));
    }
    let answers = Instant::now();
    while UnixStream::connect(world.home.control_socket()).is_err() && answers.elapsed() < SOON {
        std::thread::sleep(Duration::from_millis(5));
    }
    let living = running(&mut racers);
    let answer = world.control(b"{\"do\":\"status\"}\n");
    let status: Value = serde_json::from_str(&answer).unwrap_or_default();
    let winner = racers.iter().any(|racer| status["status"]["pid"] == racer.id());
    for racer in &mut racers {
        let _ = racer.kill();
        let _ = racer.wait();
    }
    assert_eq!((living, winner), (1, true), "{answer}");
    assert_eq!(status["status"]["sessions"], 2);
}

#[test]
fn everything_is_closed_to_other_users() {
    let world = World::new();
    assert_eq!(world.post("a1", 1), 204);
    let home = &world.home;
    assert_eq!(mode(home.path()), 0o700, "though it was there before, and open");
    let session = home.session("a1");
    for directory in [home.sessions(), session.path().to_owned(), session.run()] {
        assert_eq!(mode(&directory), 0o700, "{}", directory.display());
    }
    let database = |end: &str| home.path().join(format!("state.db{end}"));
    for file in [
        home.control_socket(),
        database(""),
        database("-wal"),
        database("-shm"),
        home.audit_log(),
        home.daemon_lock(),
        session.path().join("token"),
        session.record(),
    ] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_session_that_floods_does_not_stop_another() {
    let world = World::new();
    let token = world.token("a1");
    let mut held = Vec::new();
    // As many as it may have at once, and some that wait; silent, half said, and half of a long body.
    let body = format!(
        "POST /api/hooks HTTP/1.1\r\nHost: host.docker.internal\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n[[],[],",
        LONGEST - 1
    );
    let proxied = "proxy\nCONNECT ".to_owned();
    let hooked = format!("hooks\n{body}");
    for words in ["", "ho", &proxied, &hooked].iter().cycle().take(600) {
        held.push(world.socket("a1", words));
    }
    let start = Instant::now();
    for number in 0..20 {
        assert_eq!(world.post("b2", number), 204);
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(world.control(b"{\"do\":\"status\"}\n").contains("pid"));
    // Once it lets go it is served again.
    drop(held);
    assert_eq!(world.post("a1", 1), 204);
}

#[test]
fn garbage_stops_nobody() {
    let world = World::new();
    let garbage: Vec<u8> =
        (0..200_000u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    for bytes in
        [&garbage[..], b"\n", b"hooks", b"hooks\r\n", b"HOOKS\n", b"hooks\n\0\0\0\r\n\r\n", b"proxy\n\n\n\n"]
    {
        let mut stream = world.socket("a1", "");
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    for question in [&b"\n"[..], b"{}\n", b"[]\n", b"{\"do\":\"fly\"}\n", b"{\"do\":\"watch\",\"ids\":[1]}\n"]
    {
        assert!(world.control(question).contains("failed"), "{}", String::from_utf8_lossy(question));
    }
    assert_eq!(world.control(&garbage), "");
    // A line that does not end is heard so far and no further.
    assert_eq!(world.control(&vec![b' '; 4 << 20]), "");
    assert_eq!(world.control(b"{\"do\":\"watch\",\"ids\":[\"0\"]}\n"), "\"done\"\n");
    assert!(world.control(b"{\"do\":\"status\"}\n").contains("\"sessions\":2"));
    assert_eq!(world.post("a1", 1), 204);
}

#[test]
fn what_is_no_id_opens_no_file() {
    let world = World::new();
    // A record that lies where `..` leads to, and one that a session's directory has for another.
    let outside = world.directory.path().join("outside");
    let record = std::fs::read_to_string(world.home.session("a1").record()).unwrap();
    std::fs::create_dir(&outside).unwrap();
    let name = world.home.session("a1").record().file_name().unwrap().to_owned();
    std::fs::write(outside.join(&name), record.replace("a1", "../../outside")).unwrap();
    std::fs::create_dir(world.home.sessions().join("c3")).unwrap();
    std::fs::write(world.home.sessions().join("c3").join(&name), &record).unwrap();
    let long = "a".repeat(37);
    for id in ["", ".", "..", "../../outside", "a1/../a1", "/a1", "a1/", "A1", "a1\\n", "nobody", &long] {
        for question in [
            format!("{{\"do\":\"watch\",\"ids\":[\"a1\",\"{id}\"]}}\n"),
            format!("{{\"do\":\"forget\",\"ids\":[\"{id}\"]}}\n"),
            format!("{{\"do\":\"import\",\"id\":\"{id}\"}}\n"),
        ] {
            let answer = world.control(question.as_bytes());
            assert!(answer.contains("failed") && answer.contains("is no session's id"), "{question}{answer}");
        }
    }
    assert_eq!(world.control(b"{\"do\":\"watch\",\"ids\":[\"c3\"]}\n"), "\"done\"\n");
    assert!(world.control(b"{\"do\":\"status\"}\n").contains("\"sessions\":2"));
    assert!(!outside.join("token").exists() && !world.home.sessions().join("c3/token").exists());
    assert_eq!(world.post("a1", 1), 204);
}

#[test]
fn a_session_that_is_forgotten_is_served_no_longer() {
    let world = World::new();
    let mut open = world.socket("a1", "hooks\n");
    assert_eq!(ask(&mut open, request(&world.token("a1"), &event("a1", 1)).as_bytes()), 204);
    assert_eq!(world.control(b"{\"do\":\"forget\",\"ids\":[\"a1\"]}\n"), "\"done\"\n");
    assert_eq!(ask(&mut open, request(&world.token("a1"), &event("a1", 2)).as_bytes()), 0);
    eventually("its socket answers nobody", SOON, || {
        UnixStream::connect(world.home.session("a1").socket()).is_err()
    });
    assert_eq!(world.post("b2", 1), 204);
    assert_eq!(world.control(b"{\"do\":\"watch\",\"ids\":[\"a1\"]}\n"), "\"done\"\n");
    assert_eq!(world.post("a1", 3), 204);
    assert_eq!(world.numbers("a1"), [1, 3]);
}

#[test]
fn it_ends_in_order() {
    let mut world = World::new();
    let _open = world.socket("a1", "hooks\nPOST /api/hooks HTTP/1.1\r\n");
    assert_eq!(world.post("a1", 1), 204);
    assert_eq!(world.control(b"{\"do\":\"stop\"}\n"), "\"done\"\n");
    let mut daemon = world.daemon.take().unwrap();
    eventually("it has ended", SOON, || daemon.try_wait().unwrap().is_some());
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
    assert!(!world.home.control_socket().exists());
    assert_eq!(world.numbers("a1"), [1]);
}
