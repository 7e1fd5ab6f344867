//! The hostile agent: root inside a real container, with the sources at hand. Its sessions are brought up once for all
//! tests that run at a time.

mod flood;
mod host;
mod inside;
mod laws;
mod matcher;
mod names;
mod survival;
mod swaps;
mod upstream;

use crate::support::world::World;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use upstream::Upstream;

/// The sessions `a`, which attacks, and `b`, which must not be harmed.
struct Sessions {
    world: World,
    upstream: Upstream,
}

static SHARED: Mutex<Weak<Sessions>> = Mutex::new(Weak::new());

/// The sessions of whichever test began first; they are taken away with the last that uses them.
fn sessions() -> Arc<Sessions> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sessions) = shared.upgrade() {
        return sessions;
    }
    let sessions = Arc::new(Sessions::begin());
    *shared = Arc::downgrade(&sessions);
    sessions
}

impl Sessions {
    fn begin() -> Self {
        let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
        let upstream = Upstream::begin();
        world.manifest("sessions: {a: hello, b: hello}\n");
        let host = |name: &str, more: &str| {
            format!("    {name}: {{address: \"127.0.0.1:{}\"{more}}}\n", upstream.port)
        };
        let hosts = [
            "  hosts:\n    never.example: false\n    \"93.184.215.14\": false\n    \"2606:4700:4700::1111\": false\n",
            &host("up.example", ""),
            &host("reading.example", ", access: read-only"),
            &host("posting.example", ", methods: [POST]"),
        ];
        let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
        world.write("clauderon.yaml", &text.replace("  hosts:\n", &hosts.concat()));
        world.run(&["up", "--wait", "--yes"]).ok();
        Self { world, upstream }
    }

    /// Runs a script in a session, as its agent may, and answers all that it printed.
    fn run(&self, session: &str, script: &str) -> String {
        let answer = self.world.run(&["exec", session, "--", "bash", "-c", script]);
        answer.stdout + &answer.stderr
    }

    /// Says these bytes to the proxy, each on a connection of its own, all at once; answers what came back of each.
    fn say(&self, session: &str, requests: &[String]) -> Vec<String> {
        let mut script = "d=$(mktemp -d)\n".to_owned();
        for (number, request) in requests.iter().enumerate() {
            let bytes: String = request.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
            script.push_str(&format!(
                "(exec 3<>/dev/tcp/127.0.0.1/47100; printf '{bytes}' >&3; timeout 20 cat <&3 | tr -d '\\0' >$d/{number}) 2>/dev/null &\n"
            ));
        }
        script.push_str(&format!(
            "wait\nfor n in $(seq 0 {}); do cat $d/$n; printf '\\036'; done",
            requests.len() - 1
        ));
        let answer = self.world.run_with(&["exec", session, "--", "bash"], script.as_bytes());
        let answers: Vec<String> = answer.stdout.split_terminator('\u{1e}').map(ToOwned::to_owned).collect();
        assert_eq!(answers.len(), requests.len(), "{}", answer.stderr);
        answers
    }

    /// The status of a request made with curl, and 000 where none came.
    fn curl(&self, session: &str, arguments: &str) -> String {
        self.run(session, &format!("curl -s -o /dev/null -w '%{{http_code}}' -m 20 {arguments}"))
    }

    /// The daemon's process.
    fn daemon(&self) -> i32 {
        let status: serde_json::Value =
            serde_json::from_str(&self.world.run(&["daemon", "status"]).ok()).unwrap();
        i32::try_from(status["pid"].as_i64().unwrap()).unwrap()
    }

    /// How many descriptors the daemon holds, and how many KiB of memory.
    fn costs(&self) -> (usize, usize) {
        let process = std::path::PathBuf::from(format!("/proc/{}", self.daemon()));
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let memory = line.trim().trim_end_matches(" kB").parse().unwrap();
        (std::fs::read_dir(process.join("fd")).unwrap().count(), memory)
    }
}

/// The status in the first line of an answer.
fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}
