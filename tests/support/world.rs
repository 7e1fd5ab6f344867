//! A world for one test: a home of its own, a repository, a scripted model, the real program.

use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The image with both real agents.
pub const IMAGE: &str = "clauderon-agents:latest";

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// The standard output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The standard error of a command that must have failed with this code.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stderr
    }
}

/// The world.
pub struct World {
    directory: tempfile::TempDir,
    /// The project's name, unique.
    pub project: String,
    model: Option<Child>,
}

impl World {
    /// A world with a repository of one commit.
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("clauderon-test-").tempdir().unwrap();
        let project = format!("t{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
        let world = Self { directory, project, model: None };
        std::fs::create_dir(world.root()).unwrap();
        world.git(&["init", "--quiet", "--initial-branch", "main"]);
        world.git(&["config", "user.name", "Grace Hopper"]);
        world.git(&["config", "user.email", "grace@example.org"]);
        world.write("README.md", "# A repository\n");
        world.write(".gitignore", "model-ca.pem\n");
        world.git(&["add", "."]);
        world.git(&["commit", "--quiet", "--message", "Begin"]);
        world
    }

    /// The same with a scripted model that answers as the script (JSON) says.
    pub fn with_model(script: &Value) -> Self {
        let mut world = Self::new();
        let script_path = world.path("script.json");
        std::fs::write(&script_path, script.to_string()).unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_clauderon")).with_file_name("examples").join("model");
        let child = Command::new(program)
            .args(["--listen", "127.0.0.1:0", "--ca-out"])
            .arg(world.root().join("model-ca.pem"))
            .arg("--address-out")
            .arg(world.path("address"))
            .arg("--script")
            .arg(&script_path)
            .arg("--log")
            .arg(world.path("model.log"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        world.model = Some(child);
        eventually("the model answers", Duration::from_secs(20), || world.path("address").exists());
        world
    }

    /// A path beside the repository.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory of it all.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The repository.
    pub fn root(&self) -> PathBuf {
        self.path("repository")
    }

    /// The home of clauderon.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Writes a file of the repository.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes the manifest: the project's name, the image and the model's address, and then this text.
    pub fn manifest(&self, rest: &str) {
        let address = std::fs::read_to_string(self.path("address")).unwrap_or_default();
        let address = address.trim();
        let hosts = if address.is_empty() {
            String::new()
        } else {
            let host = |name| format!("    {name}: {{address: \"{address}\", ca: model-ca.pem}}\n");
            let hosts = ["api.anthropic.com", "api.openai.com", "chatgpt.com"].map(host).concat();
            format!("proxy:\n  hosts:\n{hosts}")
        };
        let project = &self.project;
        self.write(
            "clauderon.yaml",
            &format!("name: {project}\nimage: {IMAGE}\npull_policy: never\n{hosts}{rest}"),
        );
    }

    /// Runs git in the repository.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git").args(args).current_dir(self.root()).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The program, ready to run in the repository.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clauderon"));
        command.args(args).current_dir(self.root()).env("CLAUDERON_HOME", self.home()).env_remove("NO_COLOR");
        // The manifest of whoever runs the tests does not lie below theirs.
        command.env("XDG_CONFIG_HOME", self.path("config"));
        // Nor are their credentials lent.
        command.env("HOME", self.path("user"));
        for name in clauderon::credential::known::VARIABLES.iter().chain(&["CLAUDE_CONFIG_DIR", "CODEX_HOME"])
        {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Answer {
        let output = self.command(args).output().unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the program to its end with a variable more.
    pub fn run_as(&self, name: &str, value: &str, args: &[&str]) -> Answer {
        let output = self.command(args).env(name, value).output().unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the program with bytes on its standard input.
    pub fn run_with(&self, args: &[&str], input: &[u8]) -> Answer {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// `ps --format json`.
    #[track_caller]
    pub fn ps(&self) -> Vec<Value> {
        serde_json::from_str(&self.run(&["ps", "--format", "json"]).ok()).unwrap()
    }

    /// `events --format json`.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let text = self.run(&["events", "--format", "json"]).ok();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The types of a session's events from the agent, in order.
    #[track_caller]
    pub fn hooks(&self, session: &str) -> Vec<String> {
        let ours = |event: &&Value| event["session"] == session && event["source"] == "hook";
        self.events().iter().filter(ours).map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The requests that the model received.
    pub fn requests(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("model.log")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The proxy's log.
    pub fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.home().join("audit.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The container's name of a session.
    pub fn container(&self, session: &str) -> String {
        format!("clauderon-{}-{session}", self.project)
    }

    /// The checkout of a session.
    #[track_caller]
    pub fn checkout(&self, session: &str) -> PathBuf {
        let all = self.ps();
        let one = all.iter().find(|status| status["session"] == session).expect("the session is known");
        PathBuf::from(one["checkout"].as_str().expect("it has a checkout"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed {
            for name in ["daemon.log", "audit.jsonl"] {
                let text = std::fs::read_to_string(self.home().join(name)).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(20).collect();
                eprintln!("== {name}, newest first\n{}", tail.join("\n"));
            }
            eprintln!("== logs\n{:?}", self.run(&["logs", "--tail", "30"]));
        }
        self.run(&["down", "--checkouts", "--volumes", "--force"]);
        // Where the test broke off early, the manifest may be no longer what was up.
        let filter = format!("label=clauderon.project={}", self.project);
        for container in docker(&["ps", "-aq", "--filter", &filter]).lines() {
            docker(&["rm", "-f", container]);
        }
        self.run(&["daemon", "stop"]);
        if let Some(mut model) = self.model.take() {
            let _ = model.kill();
            let _ = model.wait();
        }
    }
}

/// A script whose agent writes `greeting.txt` and commits it.
pub fn committing() -> Value {
    json!({"turns": [{"when": "", "steps": [
        {"run": "printf 'hello\\n' > greeting.txt && git add greeting.txt && git commit -q -m 'Greet'"},
        {"say": "I greeted and committed."},
    ]}]})
}

/// Waits until something holds.
#[track_caller]
pub fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs the engine's own client: an independent witness.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A container's inspection by the engine's own client.
#[track_caller]
pub fn inspect(container: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&["inspect", container])).unwrap();
    all[0].clone()
}

/// All files below a directory that hold a text.
pub fn files_with(directory: &Path, text: &str) -> Vec<PathBuf> {
    let output = Command::new("grep").args(["-rlF", "--", text]).arg(directory).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from).collect()
}
