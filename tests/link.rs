//! The link, as it runs inside a container: the program that this one carries, against a socket of the test.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A directory with the program, a socket's place and a spool.
struct Link(tempfile::TempDir);

impl Link {
    fn new() -> Self {
        let link = Self(tempfile::tempdir().unwrap());
        // Written by another process: a descriptor open for writing that a neighbouring test's child inherits would
        // make the program busy.
        let mut child = Command::new("sh")
            .args(["-c", "cat >\"$0\""])
            .arg(link.path("link"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(clauderon::proxy::program::LINK).unwrap();
        assert!(child.wait().unwrap().success());
        std::fs::set_permissions(link.path("link"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(link.path("spool")).unwrap();
        link
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn listen(&self) -> UnixListener {
        let _ = std::fs::remove_file(self.path("socket"));
        UnixListener::bind(self.path("socket")).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("link"));
        command.args(arguments).env("CLAUDERON_LINK_SOCKET", self.path("socket")).stdin(Stdio::null());
        command
    }

    /// A carrier of `proxy` on this port, that listens.
    fn carry(&self, verb: &str, port: u16) -> Carrier {
        let bind = format!("proxy={port}");
        let mut child = self.command(&[verb, "--bind", &bind]).stdout(Stdio::piped()).spawn().unwrap();
        let mut word = [0; 6];
        child.stdout.take().unwrap().read_exact(&mut word).unwrap();
        assert_eq!(&word, b"ready\n");
        Carrier(child)
    }

    /// Runs `hook Stop` with this on standard input.
    fn hook(&self, data: &[u8]) {
        let spool = self.path("spool");
        let arguments =
            ["hook", "Stop", "--session", "one", "--token", "secret", "--spool", spool.to_str().unwrap()];
        let mut child = self.command(&arguments).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A link that reads no more than its bound closes the pipe.
        let _ = stdin.write_all(data);
        drop(stdin);
        assert!(child.wait().unwrap().success(), "a hook never fails");
    }

    /// The spooled messages, in the order of their names.
    fn spooled(&self) -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(self.path("spool")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(paths.iter().all(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.')));
        paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
    }
}

struct Carrier(Child);

impl Drop for Carrier {
    fn drop(&mut self) {
        for child in children(self.0.id()) {
            signal("KILL", child);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signal(name: &str, process: u32) {
    let _ = Command::new("kill").args(["-s", name, &process.to_string()]).stderr(Stdio::null()).status();
}

fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn connect(port: u16) -> TcpStream {
    let start = Instant::now();
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                return stream;
            }
            Err(error) => assert!(start.elapsed() < Duration::from_secs(5), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Accepts a connection and reads the line that says whose bytes follow.
fn accept(listener: &UnixListener) -> (String, UnixStream) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut word = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        word.push(byte[0]);
    }
    (String::from_utf8(word).unwrap(), stream)
}

/// Reads one HTTP request with a body, and answers it.
fn answer(listener: &UnixListener, status: &str) -> (String, String) {
    let (word, mut stream) = accept(listener);
    assert_eq!(word, "hooks");
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65536];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                stream
                    .write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
                    .unwrap();
                return (head.to_owned(), body.to_owned());
            }
        }
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the request ended early");
        bytes.extend_from_slice(&buffer[..count]);
    }
}

#[test]
fn bytes_flow_both_ways_and_an_end_is_passed_on() {
    let (link, port) = (Link::new(), free_port());
    let listener = link.listen();
    let _carrier = link.carry("carry", port);
    let mut inside = connect(port);
    inside.write_all(b"from inside").unwrap();
    inside.shutdown(Shutdown::Write).unwrap();
    let (word, mut outside) = accept(&listener);
    assert_eq!(word, "proxy");
    let mut text = String::new();
    outside.read_to_string(&mut text).unwrap();
    assert_eq!(text, "from inside");
    // The other half is open still.
    outside.write_all(b"from outside").unwrap();
    drop(outside);
    text.clear();
    inside.read_to_string(&mut text).unwrap();
    assert_eq!(text, "from outside");
}

#[test]
fn ten_megabytes_go_there_and_back_unchanged() {
    let (link, port) = (Link::new(), free_port());
    let listener = link.listen();
    let _carrier = link.carry("carry", port);
    let sent: Vec<u8> =
        (0..10_000_000u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut inside = connect(port);
    let mut writer = inside.try_clone().unwrap();
    let copy = sent.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&copy).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let echo = std::thread::spawn(move || {
        let (_, mut outside) = accept(&listener);
        let mut back = outside.try_clone().unwrap();
        std::io::copy(&mut outside, &mut back).unwrap();
        back.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    inside.read_to_end(&mut received).unwrap();
    writing.join().unwrap();
    echo.join().unwrap();
    assert!(received == sent, "{} bytes came back", received.len());
}

#[test]
fn a_daemon_that_is_away_for_a_moment_is_waited_for() {
    let (link, port) = (Link::new(), free_port());
    drop(link.listen());
    let _carrier = link.carry("carry", port);
    let mut inside = connect(port);
    inside.write_all(b"patient").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let listener = link.listen();
    let (word, mut outside) = accept(&listener);
    assert_eq!(word, "proxy");
    let mut text = [0; 7];
    outside.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"patient");
}

#[test]
fn a_carrier_that_is_killed_is_started_again() {
    let (link, port) = (Link::new(), free_port());
    let listener = link.listen();
    let supervisor = link.carry("supervise", port);
    let before = children(supervisor.0.id());
    assert_eq!(before.len(), 1);
    signal("KILL", before[0]);
    let start = Instant::now();
    while children(supervisor.0.id()).iter().all(|child| before.contains(child)) {
        assert!(start.elapsed() < Duration::from_secs(5), "no carrier came back");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut inside = connect(port);
    inside.write_all(b"again").unwrap();
    let (word, mut outside) = accept(&listener);
    let mut text = [0; 5];
    outside.read_exact(&mut text).unwrap();
    assert_eq!((word.as_str(), &text), ("proxy", b"again"));
}

#[test]
fn the_agent_keeps_its_exit_code_its_arguments_and_its_signals() {
    let link = Link::new();
    let code = |arguments: &[&str]| link.command(arguments).stderr(Stdio::null()).status().unwrap().code();
    assert_eq!(code(&["run", "--", "sh", "-c", "exit 37"]), Some(37));
    assert_eq!(code(&["run", "--", "/no/such/program"]), Some(127));
    assert_eq!(code(&["run", "--", "/"]), Some(126));
    assert_eq!(code(&["run"]), Some(111));
    let odd = "a 'b' \"c\" $(d) -- \n";
    let output = link.command(&["run", "--", "printf", "%s", odd]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), odd);

    let mut child = link.command(&["run", "--", "sleep", "60"]).spawn().unwrap();
    let name = || std::fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap_or_default();
    let start = Instant::now();
    while name() != "sleep\n" && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The process is the agent, not its parent.
    signal("TERM", child.id());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn an_event_is_posted_with_the_token_and_not_spooled() {
    let link = Link::new();
    let listener = link.listen();
    let posted = std::thread::spawn(move || answer(&listener, "204 No Content"));
    link.hook(br#"{"hook_event_name":"Stop","text":"\ud83d\ude00"}"#);
    let (head, body) = posted.join().unwrap();
    assert!(head.starts_with("POST /api/hooks HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nAuthorization: Bearer secret"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["session_id"], &body["event"]), (&"one".into(), &"Stop".into()));
    assert_eq!(body["data"]["text"], "😀");
    assert!(body["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{body}");
    assert!(link.spooled().is_empty());
}

#[test]
fn an_event_that_finds_nobody_or_is_refused_is_spooled_whole() {
    let link = Link::new();
    link.hook(b"{\"number\":1}");
    let listener = link.listen();
    let refused = std::thread::spawn(move || answer(&listener, "503 Service Unavailable"));
    link.hook(b"{\"number\":2}");
    refused.join().unwrap();
    let numbers: Vec<_> = link
        .spooled()
        .iter()
        .map(|bytes| clauderon::hooks::message::parse(bytes, "one").unwrap().data["number"].clone())
        .collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn what_is_no_json_forges_nothing_and_loses_nothing() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let broken = [
        r#"null,"session_id":"two""#,
        r#"{}},"session_id":"two","data":{"#,
        r#"null}{"session_id":"two"}"#,
        "{\"a\":\"\u{1}\"}",
        r#""half \ud83d of a pair""#,
        r#""\q""#,
        r#""\u12""#,
        "\"",
        "-inf",
        "-",
        "01",
        "1.",
        "1e999",
        "+1",
        "{\"a\" 1}",
        "[1,]",
        &deep,
    ];
    let link = Link::new();
    for text in broken {
        link.hook(text.as_bytes());
    }
    let sound = ["", r#"{"a":[1,-2.5e+3,0,true,null,"\u00e9\n\\"],"b":{}}"#, "0", "[ ]"];
    for text in sound {
        link.hook(text.as_bytes());
    }
    let mut spooled =
        link.spooled().into_iter().map(|bytes| clauderon::hooks::message::parse(&bytes, "one").unwrap());
    for text in broken {
        assert_eq!(spooled.next().unwrap().data, text, "kept as text");
    }
    for text in sound {
        let value: serde_json::Value =
            serde_json::from_str(if text.is_empty() { "null" } else { text }).unwrap();
        assert_eq!(spooled.next().unwrap().data, value);
    }
}

#[test]
fn an_event_that_is_too_long_is_cut_to_what_the_daemon_reads() {
    let link = Link::new();
    // Cut at 8 MiB it is no JSON any more, and each of its bytes takes six as a string.
    let mut long = br#"{"text":""#.to_vec();
    long.resize(9 << 20, 1);
    link.hook(&long);
    // A byte that is no text takes three.
    let mut odd = b"\"".to_vec();
    odd.resize(8 << 20, 0xff);
    *odd.last_mut().unwrap() = b'"';
    link.hook(&odd);
    let spooled = link.spooled();
    assert_eq!(spooled.len(), 2);
    for bytes in spooled {
        assert!(bytes.len() <= clauderon::hooks::message::LONGEST, "{}", bytes.len());
        assert_eq!(clauderon::hooks::message::parse(&bytes, "one").unwrap().event, "Stop");
    }
}
