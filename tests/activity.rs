//! What an agent is doing, as the real agents tell it: each scene is played by the real program, and what `ps` says is
//! checked at each of its turns. With `CLAUDERON_BLESS=1` the events are kept in `tests/activity`, from which the unit
//! tests of the pure function read them again.

use crate::support::pty::Terminal;
use crate::support::world::{World, docker, eventually};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(120);

struct Scene {
    world: World,
    terminal: Terminal,
    agent: &'static str,
    name: &'static str,
}

impl Scene {
    /// An agent that is up, with somebody at its terminal.
    fn new(agent: &'static str, name: &'static str, rest: &str, script: &Value) -> Self {
        let world = World::with_model(script);
        world.manifest(&format!("agent: {agent}\n{rest}sessions: {{a: go}}\n"));
        world.run(&["up", "--detach", "--yes"]).ok();
        let terminal = Terminal::of(&world, "clauderon attach a");
        Self { world, terminal, agent, name }
    }

    fn status(&self) -> (String, Option<String>) {
        let status = &self.world.ps()[0];
        let word = |name: &str| status[name].as_str().map(str::to_owned);
        (word("activity").unwrap_or_default(), word("waiting_for"))
    }

    /// Waits until the agent is said to do this.
    #[track_caller]
    fn is(&self, activity: &str, waiting_for: Option<&str>) {
        let start = std::time::Instant::now();
        let expected = (activity.to_owned(), waiting_for.map(str::to_owned));
        while self.status() != expected {
            let hooks = self.world.hooks("a");
            assert!(
                start.elapsed() < LONG,
                "{expected:?}, not {:?}; {hooks:?}\n{}",
                self.status(),
                self.terminal.text()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Expects that it stays so for a while.
    #[track_caller]
    fn stays(&self, activity: &str, waiting_for: Option<&str>) {
        let expected = (activity.to_owned(), waiting_for.map(str::to_owned));
        for _ in 0..10 {
            assert_eq!(self.status(), expected, "{:?}", self.world.hooks("a"));
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    #[track_caller]
    fn hears(&self, kind: &str) {
        eventually(kind, LONG, || self.world.hooks("a").iter().any(|it| it == kind));
    }

    fn types(&mut self, text: &str) {
        std::thread::sleep(Duration::from_millis(700));
        self.terminal.types(text);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::env::var_os("CLAUDERON_BLESS").is_none() {
            return;
        }
        let lines = self.world.events().into_iter().map(|event| {
            let short = |value: &Value| match value {
                Value::String(text) if text.len() > 200 => json!(text.chars().take(200).collect::<String>()),
                other => other.clone(),
            };
            let data = event["data"].as_object().cloned().unwrap_or_default();
            let data: serde_json::Map<_, _> =
                data.iter().map(|(name, value)| (name.clone(), short(value))).collect();
            json!({"time": event["time"], "source": event["source"], "type": event["type"], "data": data})
                .to_string()
                + "\n"
        });
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/activity");
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join(format!("{}-{}.jsonl", self.agent, self.name)), lines.collect::<String>())
            .unwrap();
    }
}

fn runs(command: &str) -> Value {
    json!({"turns": [{"when": "", "steps": [{"run": command}, {"say": "It is done."}]}]})
}

fn calls(tool: &str, with: &Value) -> Value {
    json!({"turns": [
        {"when": "<task-notification>", "steps": [{"say": "Good."}]},
        {"when": "of the helper", "steps": [{"run": "sleep 2"}, {"say": "Helped."}]},
        {"when": "", "steps": [{"call": tool, "with": with}, {"say": "It is done."}]},
    ]})
}

/// A command that needs a permission.
fn asks(agent: &str) -> Value {
    let command = "touch made && sleep 2";
    let with = json!({"cmd": command, "sandbox_permissions": "require_escalated", "justification": "to make it", "yield_time_ms": 30_000});
    if agent == "codex" { calls("exec_command", &with) } else { runs(command) }
}

#[test]
fn a_tool_is_work_until_the_turn_is_over() {
    for agent in ["claude", "codex"] {
        let scene = Scene::new(agent, "tool", "", &runs("sleep 3"));
        scene.is("working", None);
        scene.hears("PreToolUse");
        scene.stays("working", None);
        scene.is("idle", None);
        scene.stays("idle", None);
    }
}

#[test]
fn a_permission_is_waited_for_until_it_is_given() {
    for agent in ["claude", "codex"] {
        let mut scene = Scene::new(agent, "permission", "permissions: ask\n", &asks(agent));
        scene.is("waiting", Some("permission"));
        scene.stays("waiting", Some("permission"));
        scene.types("\r");
        scene.is("working", None);
        scene.is("idle", None);
    }
}

#[test]
fn a_permission_that_is_refused_is_waited_for_no_longer() {
    for agent in ["claude", "codex"] {
        let mut scene = Scene::new(agent, "refused", "permissions: ask\n", &asks(agent));
        scene.is("waiting", Some("permission"));
        scene.types("\x1b");
        scene.is("idle", None);
        scene.stays("idle", None);
    }
}

#[test]
fn a_question_is_waited_for_until_it_is_answered() {
    let question = json!({"questions": [{"question": "Which colour?", "header": "Colour", "multiSelect": false, "options": [
        {"label": "Red", "description": "red"}, {"label": "Blue", "description": "blue"}]}]});
    let mut scene = Scene::new("claude", "question", "", &calls("AskUserQuestion", &question));
    scene.is("waiting", Some("question"));
    scene.stays("waiting", Some("question"));
    scene.types("\r");
    scene.is("idle", None);
}

#[test]
fn a_sub_agent_works_for_its_agent() {
    let task = json!({"description": "help", "prompt": "of the helper", "subagent_type": "general-purpose"});
    let scene = Scene::new("claude", "subagent", "", &calls("Task", &task));
    scene.hears("SubagentStart");
    scene.hears("SubagentStop");
    scene.is("idle", None);
    let task = json!({"description": "help", "prompt": "of the helper", "subagent_type": "general-purpose", "run_in_background": true});
    let scene = Scene::new("claude", "background", "", &calls("Task", &task));
    scene.hears("SubagentStart");
    scene.hears("SubagentStop");
    // Its own turn was over long before.
    scene.hears("Stop");
    scene.is("idle", None);
}

#[test]
fn a_compaction_is_no_new_start() {
    for agent in ["claude", "codex"] {
        let script = json!({"turns": [
            {"when": "summary", "steps": [{"say": "It was short."}]},
            {"when": "", "steps": [{"run": "true"}, {"say": "It is done."}]},
        ]});
        let mut scene = Scene::new(agent, "compaction", "", &script);
        scene.is("idle", None);
        scene.types("/compact");
        scene.types("\r");
        scene.hears("PostCompact");
        scene.is("idle", None);
    }
}

#[test]
fn an_interrupt_ends_the_work() {
    for agent in ["claude", "codex"] {
        let mut scene = Scene::new(agent, "interrupt", "", &runs("sleep 60"));
        scene.hears("PreToolUse");
        scene.types("\x1b");
        scene.is("idle", None);
        scene.stays("idle", None);
    }
}

#[test]
fn a_crash_ends_it() {
    for agent in ["claude", "codex"] {
        let scene = Scene::new(agent, "crash", "restart: \"no\"\n", &runs("sleep 60"));
        scene.hears("PreToolUse");
        docker(&["kill", "--signal", "KILL", &scene.world.container("a")]);
        scene.is("ended", None);
    }
}
