//! `clauderon audit`: filters, formats, and a follower under whom the file is turned over.

use clauderon::proxy::audit::{Audit, Line};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A project and a home; no engine can be reached.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.home()).unwrap();
        let manifest = "name: shop\nimage: x:1\nrepository: false\nsessions: {login: hello, cart: hello}\n";
        std::fs::write(place.0.path().join("clauderon.yaml"), manifest).unwrap();
        place
    }

    fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    fn log(&self) -> PathBuf {
        self.home().join("audit.jsonl")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clauderon"));
        command.current_dir(self.0.path()).env("CLAUDERON_HOME", self.home()).arg("audit").args(args);
        command.env("DOCKER_HOST", "unix:///nowhere/docker.sock").stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The hosts of the lines that are shown.
    #[track_caller]
    fn hosts(&self, args: &[&str]) -> Vec<String> {
        let output = self.run(&[args, &["--format", "json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        let host =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["host"].as_str().unwrap().to_owned();
        lines.lines().map(host).collect()
    }
}

fn line(project: &str, session: &str, host: &str, decision: &'static str) -> Line {
    Line {
        time: "2026-01-02T03:04:05.678Z".to_owned(),
        project: project.to_owned(),
        session: session.to_owned(),
        host: host.to_owned(),
        port: 443,
        method: "GET".to_owned(),
        path: Some("/a".to_owned()),
        status: 200,
        decision,
        ..Line::default()
    }
}

fn filled(path: &Path) -> Audit {
    let audit = Audit::open(path).unwrap();
    audit.write(line("shop", "login", "a.example", "pass"));
    audit.write(line("shop", "cart", "b.example", "deny"));
    audit.write(line("shop", "gone", "x.b.example", "tunnel"));
    audit.write(line("other", "login", "c.example", "deny"));
    audit
}

#[test]
fn lines_are_found_by_project_session_host_and_decision_without_an_engine() {
    let place = Place::new();
    assert!(place.hosts(&[]).is_empty(), "no log is no error");
    filled(&place.log());
    assert_eq!(place.hosts(&[]), ["a.example", "b.example", "x.b.example"]);
    assert_eq!(place.hosts(&["-a"]), ["a.example", "b.example", "x.b.example", "c.example"]);
    assert_eq!(place.hosts(&["--denied"]), ["b.example"]);
    assert_eq!(place.hosts(&["-a", "--denied"]), ["b.example", "c.example"]);
    assert_eq!(place.hosts(&["--session", "login"]), ["a.example"]);
    assert_eq!(place.hosts(&["--session", "login", "--session", "cart"]), ["a.example", "b.example"]);
    assert_eq!(place.hosts(&["-a", "--session", "login"]), ["a.example", "c.example"]);
    assert_eq!(place.hosts(&["--host", "B.example."]), ["b.example"]);
    assert_eq!(place.hosts(&["--host", "*.b.example"]), ["x.b.example"]);
    assert!(place.hosts(&["--host", "b.example", "--session", "login"]).is_empty());
    let unknown = place.run(&["--session", "logn"]);
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(unknown.status.code() == Some(2) && said.contains("did you mean `login`?"), "{said}");
    let odd = place.run(&["--host", "https://a.example/"]);
    assert_eq!(odd.status.code(), Some(2));
}

#[test]
fn json_is_the_lines_of_the_contract_and_text_is_for_people() {
    let place = Place::new();
    filled(&place.log());
    let json = String::from_utf8(place.run(&["--session", "cart", "--format", "json"]).stdout).unwrap();
    assert_eq!(
        json,
        "{\"time\":\"2026-01-02T03:04:05.678Z\",\"project\":\"shop\",\"session\":\"cart\",\"host\":\"b.example\",\
         \"port\":443,\"method\":\"GET\",\"path\":\"/a\",\"status\":200,\"decision\":\"deny\",\"credential\":null,\
         \"reason\":null,\"bytes_in\":0,\"bytes_out\":0,\"ms\":0}\n"
    );
    let text = String::from_utf8(place.run(&["--session", "cart"]).stdout).unwrap();
    assert!(
        text.starts_with("2026-01-02T03:04:05.678Z  cart ") && text.ends_with("  b.example/a\n"),
        "{text}"
    );
    // Half a line, as a kill leaves it, and what is no line at all are passed over.
    let torn = std::fs::read_to_string(place.log()).unwrap() + "{\"time\":\"20";
    std::fs::write(place.log(), torn).unwrap();
    Audit::open(&place.log()).unwrap().write(line("shop", "cart", "d.example", "pass"));
    assert_eq!(place.hosts(&["--session", "cart"]), ["b.example", "d.example"]);
}

#[test]
fn a_follower_sees_each_line_once_across_two_files() {
    let place = Place::new();
    let most = 3000;
    let audit = Audit::bounded(&place.log(), 200_000).unwrap();
    audit.write(line("shop", "login", "0.example", "pass"));
    let mut child = place.command(&["-f", "--format", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["host"], "0.example", "what was there before is shown too");
    let writer = std::thread::spawn(move || {
        for number in 1..most {
            audit.write(line("shop", "login", &format!("{number}.example"), "pass"));
            if number % 100 == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    for number in 1..most {
        assert_eq!(next()["host"], format!("{number}.example"));
    }
    writer.join().unwrap();
    let old = place.home().join("audit.jsonl.1");
    assert!(old.exists() && std::fs::metadata(old).unwrap().len() <= 200_000, "it was turned over");
    child.kill().unwrap();
    child.wait().unwrap();
}
