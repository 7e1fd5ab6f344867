//! The script: which words of the user lead to which words and commands of the model. Pure.

use serde::Deserialize;
use serde_json::Value;

/// The script used when none is given.
pub const DEFAULT: &str = include_str!("script.json");

/// What the model says once a turn has nothing left to say.
const CLOSING: &str = "Done.";

/// All that the model knows how to answer; the first turn that matches is played.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    turns: Vec<Turn>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    /// Text that the user's message has to contain; empty matches everything.
    when: String,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Step {
    Say {
        say: String,
        #[serde(default)]
        delay_ms: u64,
    },
    Run {
        run: String,
        #[serde(default)]
        delay_ms: u64,
    },
    Call {
        call: String,
        with: Value,
        #[serde(default)]
        delay_ms: u64,
    },
}

/// What the model asks the agent to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// A shell command, by whichever tool the agent has for it.
    Run(String),
    /// A tool by its own name, with its input.
    Tool(String, Value),
}

/// One answer of the model: words, a call, or words and then a call.
#[derive(Debug, Default, PartialEq)]
pub struct Beat {
    /// What the model says; empty for nothing.
    pub say: String,
    /// What it asks for; without it the turn is over.
    pub call: Option<Call>,
    /// How long the model thinks before it answers.
    pub delay_ms: u64,
}

impl Script {
    /// Reads a script from JSON.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The answer to `user_text` after `tool_results` commands have run.
    pub fn beat(&self, user_text: &str, tool_results: usize) -> Beat {
        let steps =
            self.turns.iter().find(|turn| user_text.contains(&turn.when)).map(|turn| turn.steps.as_slice());
        let mut beats = beats(steps.unwrap_or_default());
        if tool_results < beats.len() { beats.swap_remove(tool_results) } else { closing() }
    }
}

/// Cuts steps after each command: whatever is said before one travels with it.
fn beats(steps: &[Step]) -> Vec<Beat> {
    let mut beats = Vec::new();
    let mut current = Beat::default();
    for step in steps {
        match step {
            Step::Say { say, delay_ms } => {
                if !current.say.is_empty() {
                    current.say.push('\n');
                }
                current.say.push_str(say);
                current.delay_ms = current.delay_ms.saturating_add(*delay_ms);
            }
            Step::Run { run, delay_ms } => {
                current.call = Some(Call::Run(run.clone()));
                current.delay_ms = current.delay_ms.saturating_add(*delay_ms);
                beats.push(std::mem::take(&mut current));
            }
            Step::Call { call, with, delay_ms } => {
                current.call = Some(Call::Tool(call.clone(), with.clone()));
                current.delay_ms = current.delay_ms.saturating_add(*delay_ms);
                beats.push(std::mem::take(&mut current));
            }
        }
    }
    if !current.say.is_empty() {
        beats.push(current);
    }
    beats
}

fn closing() -> Beat {
    Beat { say: CLOSING.to_owned(), ..Beat::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_TURNS: &str = r#"{"turns": [
        {"when": "fix", "steps": [{"say": "Looking."}, {"run": "ls", "delay_ms": 5}, {"run": "make"}, {"say": "Fixed."}]},
        {"when": "", "steps": [{"say": "Hello."}]}
    ]}"#;

    fn beat(user_text: &str, tool_results: usize) -> Beat {
        Script::parse(TWO_TURNS).unwrap().beat(user_text, tool_results)
    }

    #[test]
    fn words_before_a_command_travel_with_it() {
        assert_eq!(
            beat("please fix it", 0),
            Beat { say: "Looking.".into(), call: Some(Call::Run("ls".into())), delay_ms: 5 }
        );
        assert_eq!(
            beat("please fix it", 1),
            Beat { call: Some(Call::Run("make".into())), ..Beat::default() }
        );
    }

    #[test]
    fn the_last_words_end_the_turn() {
        assert_eq!(beat("please fix it", 2), Beat { say: "Fixed.".into(), ..Beat::default() });
        assert_eq!(beat("please fix it", 9).say, CLOSING);
    }

    #[test]
    fn the_first_match_wins_and_the_rest_is_caught() {
        assert_eq!(beat("anything", 0).say, "Hello.");
    }

    #[test]
    fn a_script_without_a_match_still_ends_the_turn() {
        let script = Script::parse(r#"{"turns": [{"when": "x", "steps": []}]}"#).unwrap();
        assert_eq!(script.beat("y", 0), closing());
        assert_eq!(script.beat("x", 0), closing());
    }

    #[test]
    fn any_tool_can_be_called() {
        let script = r#"{"turns": [{"when": "", "steps": [{"call": "Task", "with": {"prompt": "x"}}]}]}"#;
        let beat = Script::parse(script).unwrap().beat("", 0);
        assert_eq!(beat.call, Some(Call::Tool("Task".into(), serde_json::json!({"prompt": "x"}))));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(Script::parse(r#"{"turns": [{"when": "", "steps": [{"sing": "la"}]}]}"#).is_err());
        assert!(Script::parse(r#"{"turns": [], "more": 1}"#).is_err());
    }

    #[test]
    fn the_default_script_commits_and_ends() {
        let script = Script::parse(DEFAULT).unwrap();
        let Some(Call::Run(command)) = script.beat("whatever", 0).call else { panic!("a command") };
        assert!(command.contains("git commit"));
        assert_eq!(script.beat("whatever", 1).call, None);
    }
}
