//! A repository, a home and an engine that runs nothing, for the real program; and the work of agents that it may not lose.

use super::engine::{self, Container, Holds, State};
use super::tracer::{self, End};
use crate::support::daemon::{ask, request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The bed.
pub struct Bed {
    directory: tempfile::TempDir,
    engine: Arc<Mutex<Holds>>,
    /// How many pieces of work the agent has done.
    pub done: usize,
    /// Events that the daemon has taken.
    told: usize,
    turned: bool,
}

impl Bed {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("clauderon-bed-").tempdir().unwrap();
        let engine = engine::serve(&directory.path().join("engine.sock"));
        let bed = Self { directory, engine, done: 0, told: 0, turned: false };
        std::fs::create_dir(bed.root()).unwrap();
        git(&bed.root(), &["init", "--quiet", "--initial-branch", "main"]);
        std::fs::write(bed.root().join("README.md"), "# A repository\n").unwrap();
        git(&bed.root(), &["add", "."]);
        git(&bed.root(), &["commit", "--quiet", "--message", "Begin"]);
        // A ref that is removed is sought among the packed ones too.
        git(&bed.root(), &["branch", "other"]);
        git(&bed.root(), &["pack-refs", "--all"]);
        bed.manifest("red", "opus");
        bed
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// A session with a volume of its own; what the two words are changes it by recreating, by a restart, and live.
    pub fn manifest(&self, colour: &str, model: &str) {
        let text = format!(
            "name: shop\nimage: agents:1\npull_policy: never\nagent: {{model: {model}}}\n\
             caches: {{next: {{path: /workspace/.next, scope: session}}}}\n\
             proxy: {{hosts: {{{colour}.example: false}}}}\nsessions:\n  a: {{environment: {{COLOUR: {colour}}}}}\n"
        );
        std::fs::write(self.root().join("clauderon.yaml"), text).unwrap();
    }

    /// Whether this was asked an odd number of times before.
    pub fn turned(&mut self) -> bool {
        self.turned = !self.turned;
        !self.turned
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clauderon"));
        command.args(args).current_dir(self.root()).stdin(Stdio::null());
        command.env("CLAUDERON_HOME", self.home()).env("HOME", self.directory.path().join("user"));
        command.env("DOCKER_HOST", format!("unix://{}/engine.sock", self.directory.path().display()));
        command.env("XDG_CONFIG_HOME", self.directory.path().join("config"));
        for name in clauderon::credential::known::VARIABLES.iter().chain(&["CLAUDE_CONFIG_DIR", "CODEX_HOME"])
        {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program to its end: its code, and all that it said.
    pub fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.command(args).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Runs the program to its end, which must be a good one.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let (code, said) = self.run(args);
        assert_eq!(code, Some(0), "{args:?} at {}: {said}", std::panic::Location::caller());
        said
    }

    /// Runs the program and kills it at its call of this number.
    pub fn kill(&self, args: &[&str], dies: usize) -> End {
        let end = tracer::run(&self.command(args), dies);
        // Who comes next leaves a killed one's engine a second. This one has done all that it was asked.
        for lock in std::fs::read_dir(self.home().join("projects")).into_iter().flatten() {
            std::fs::write(lock.unwrap().path(), "").unwrap();
        }
        end
    }

    /// Runs a daemon that is killed at its call of this number, while something else is done. Who needs one and finds it
    /// dead starts another.
    pub fn kill_daemon(&mut self, dies: usize, meanwhile: impl FnOnce(&mut Self)) -> End {
        self.stop_daemon();
        let (command, socket) = (self.command(&["daemon", "--detached"]), self.home().join("daemon.sock"));
        std::thread::scope(|scope| {
            let daemon = scope.spawn(move || tracer::run(&command, dies));
            while !daemon.is_finished() && UnixStream::connect(&socket).is_err() {
                std::thread::sleep(Duration::from_millis(2));
            }
            meanwhile(self);
            // Its own, or the one that took its place.
            self.stop_daemon();
            daemon.join().unwrap()
        })
    }

    /// Ends the daemon, if there is one.
    pub fn stop_daemon(&self) {
        self.run(&["daemon", "stop"]);
    }

    /// What the engine holds.
    pub fn holds(&self) -> Holds {
        self.engine.lock().unwrap().clone()
    }

    /// The directory of the one session.
    pub fn session(&self) -> PathBuf {
        let mut all = std::fs::read_dir(self.home().join("sessions")).unwrap();
        all.next().unwrap().unwrap().path()
    }

    fn checkout(&self) -> PathBuf {
        self.session().join("checkout")
    }

    fn transcript(&self) -> PathBuf {
        self.session().join("claude-projects/-workspace/talk.jsonl")
    }

    /// The agent commits, begins something, and writes of its conversation.
    pub fn work(&mut self) {
        self.done += 1;
        let (done, checkout) = (self.done.to_string(), self.checkout());
        std::fs::write(checkout.join("done.txt"), &done).unwrap();
        git(&checkout, &["add", "done.txt"]);
        git(&checkout, &["commit", "--quiet", "--message", &done]);
        std::fs::write(checkout.join("begun.txt"), &done).unwrap();
        let transcript = self.transcript();
        std::fs::create_dir_all(transcript.parent().unwrap()).unwrap();
        std::fs::write(transcript, &done).unwrap();
    }

    /// An event of the agent's, which is kept where the daemon has taken it.
    pub fn tell(&mut self) {
        let (session, short) = (self.session(), self.directory.path().join("run"));
        if !short.exists() {
            symlink(session.join("run"), &short).unwrap();
        }
        let id = session.file_name().unwrap().to_str().unwrap().to_owned();
        let token = std::fs::read_to_string(session.join("token")).unwrap();
        let Ok(mut stream) = UnixStream::connect(short.join("link.sock")) else { return };
        let body =
            json!({"session_id": id, "event": "Notification", "data": {"number": self.told}}).to_string();
        let text = format!("hooks\n{}", request(&token, &body));
        if ask(&mut stream, text.as_bytes()) == 204 {
            self.told += 1;
        }
    }

    /// All that the agent did is where it was.
    #[track_caller]
    pub fn assert_work(&self, when: &str) {
        let (done, checkout) = (self.done.to_string(), self.checkout());
        for path in [checkout.join("done.txt"), checkout.join("begun.txt")] {
            assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), done, "{} {when}", path.display());
        }
        assert_eq!(git(&checkout, &["status", "--porcelain"]), "?? begun.txt", "{when}");
        self.assert_commits(when);
    }

    /// All that it committed is in its checkout, or in the one that was made after that.
    #[track_caller]
    pub fn assert_commits(&self, when: &str) {
        let newest = git(&self.checkout(), &["log", "-1", "--format=%s"]);
        assert_eq!(newest, self.done.to_string(), "{when}");
    }

    /// What no removal takes away: what it said, and all that was heard of it.
    #[track_caller]
    pub fn assert_history(&self, when: &str) {
        assert_eq!(std::fs::read_to_string(self.transcript()).unwrap(), self.done.to_string(), "{when}");
        let events = self.ok(&["events", "--format", "json"]);
        let heard = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut numbers: Vec<Value> = heard
            .filter(|event| event["type"] == "Notification")
            .map(|event| event["data"]["number"].clone())
            .collect();
        let expected: Vec<Value> = (0..self.told).map(|number| json!(number)).collect();
        // One that was stored, and whose answer was cut off, is told again by whoever told it.
        numbers.dedup();
        let unanswered = [&expected[..], &[json!(self.told)]].concat();
        assert!(numbers == expected || numbers == unanswered, "{numbers:?} of {} {when}", self.told);
    }

    /// All that was committed is in the user's repository, which is whole.
    #[track_caller]
    pub fn assert_imported(&self, when: &str) {
        let at = git(&self.root(), &["log", "-1", "--format=%s", "refs/heads/clauderon/a"]);
        assert_eq!(at, self.done.to_string(), "{when}");
        self.assert_unlocked(when);
    }

    /// The user's repository is whole.
    #[track_caller]
    pub fn assert_whole(&self) {
        git(&self.root(), &["fsck", "--strict", "--no-dangling"]);
    }

    /// Nobody is held up in the user's repository.
    #[track_caller]
    pub fn assert_unlocked(&self, when: &str) {
        let (mut files, git) = (BTreeMap::new(), self.root().join(".git"));
        gather(&git, &git, &mut files, &["objects/"]);
        let locks: Vec<_> =
            files.keys().filter(|name| Path::new(name).extension().is_some_and(|it| it == "lock")).collect();
        assert!(locks.is_empty(), "{locks:?} {when}");
    }

    /// The session runs, on volumes that its user may write.
    #[track_caller]
    pub fn assert_up(&self, when: &str) {
        let holds = self.holds();
        let states: Vec<_> = holds.containers.iter().map(|(name, it)| (name.as_str(), it.state)).collect();
        assert_eq!(states, [("clauderon-shop-a", State::Running)], "{when}");
        let mounted = &holds.containers["clauderon-shop-a"].volumes;
        // Root's volumes need not be given to root.
        let given = rustix::process::getuid().is_root() || mounted.is_subset(&holds.given);
        assert!(given, "a volume is root's {when}: {mounted:?}, but {:?}", holds.given);
    }

    /// Nothing is left but what is kept for ever.
    #[track_caller]
    pub fn assert_gone(&self, when: &str) {
        let holds = self.holds();
        assert_eq!(holds.containers.keys().collect::<Vec<_>>(), [""; 0], "{when}");
        let own: Vec<_> = holds.volumes.keys().filter(|name| name.starts_with("clauderon-shop")).collect();
        assert_eq!(own, [""; 0], "{when}");
        let refs = git(&self.root(), &["for-each-ref", "--format=%(refname)", "refs/clauderon"]);
        assert!(refs.lines().all(|name| name.contains("/published/")), "{refs} {when}");
        let left = self
            .state()
            .into_keys()
            .filter(|path| path.starts_with("sessions/") && path.contains("checkout"));
        assert_eq!(left.collect::<Vec<_>>(), [""; 0], "{when}");
        let record = std::fs::read_to_string(self.session().join("session.json")).unwrap();
        assert!(record.contains("\"active\": false"), "{record} {when}");
        assert_eq!(git(&self.root(), &["status", "--porcelain"]), "?? clauderon.yaml", "{when}");
        self.assert_unlocked(when);
    }

    /// Home, refs and engine are as a run has left them that was not killed.
    #[track_caller]
    pub fn assert_state(&self, expected: &BTreeMap<String, String>, when: &str) {
        let state = self.state();
        let differs = |path: &&String| state.get(*path) != expected.get(*path);
        let names: Vec<&String> = state.keys().chain(expected.keys()).filter(differs).collect();
        let what = names.first().map(|name| (state.get(*name), expected.get(*name)));
        assert!(names.is_empty(), "{names:?} {when}: {what:?}");
        self.assert_unlocked(when);
    }

    /// What is in the home and the engine, and the refs of the repository, with what is in them, but for what differs each time.
    pub fn state(&self) -> BTreeMap<String, String> {
        let mut state = BTreeMap::new();
        let home = self.home();
        gather(&home, &home, &mut state, &VOLATILE);
        let refs = git(&self.root(), &["for-each-ref", "--format=%(refname)"]);
        state.extend(refs.lines().map(|line| (format!("ref {line}"), String::new())));
        let labels = |it: &Container| format!("{:?} {:?} {}", it.state, it.labels, it.environment);
        let holds = self.holds();
        state.extend(holds.containers.iter().map(|(name, it)| (format!("container {name}"), labels(it))));
        state.extend(holds.volumes.keys().map(|name| (format!("volume {name}"), String::new())));
        let place = self.directory.path().display().to_string();
        let same = |text: String| without_numbers(&text.replace(&place, "bed"));
        state.into_iter().map(|(path, text)| (same(path), same(text))).collect()
    }
}

#[track_caller]
fn git(place: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "gc.auto=0"];
    let output = Command::new("git").args(identity).args(args).current_dir(place).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A text without its long numbers: ids, hashes and tokens.
fn without_numbers(text: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    let (mut kept, mut rest) = (String::new(), text);
    while !rest.is_empty() {
        let number = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let other = rest[number..].find(is_part).map_or(rest.len(), |length| number + length);
        kept.push_str(if number < 12 { &rest[..number] } else { "#" });
        kept.push_str(&rest[number..other]);
        rest = &rest[other..];
    }
    kept
}

/// What is not the same twice, or is written for the next time alone.
const VOLATILE: [&str; 11] = [
    "state.db",
    "daemon.",
    "audit.",
    ".git/index",
    ".git/objects",
    ".git/logs",
    ".lock",
    // What the daemon has heard of the engine, as far as it was heard when the daemon ended.
    "life.json",
    "watches/",
    "authority/",
    "proxy-ca.pem",
];

fn gather(directory: &Path, home: &Path, state: &mut BTreeMap<String, String>, without: &[&str]) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(home).unwrap().display().to_string();
        if path.is_dir() && !path.is_symlink() {
            gather(&path, home, state, without);
        } else if !without.iter().any(|volatile| name.contains(volatile)) {
            let text = std::fs::read(&path).unwrap_or_default();
            state.insert(name, String::from_utf8_lossy(&text).into_owned());
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop_daemon();
    }
}
