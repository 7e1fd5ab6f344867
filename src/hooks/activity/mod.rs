//! Pure. What an agent is doing, from its events, its container, its traffic and the time. Observed with Claude Code
//! 2.1.197 and Codex 0.169.0 on 2026-11-30; `tests/activity` holds what they said.

mod asks;
#[cfg(test)]
mod recorded;

use crate::store::Event;
use asks::Asks;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// The container runs, the agent has said nothing yet, or only that it has started.
    Starting,
    /// It works on a turn.
    Working,
    /// It waits for a person.
    Waiting,
    /// It has finished its turn, or was interrupted.
    Idle,
    /// It has ended.
    Ended,
    /// It is silent where it should be heard.
    Unknown,
}

impl Activity {
    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Working => "working",
            Self::Waiting => "waiting",
            Self::Idle => "idle",
            Self::Ended => "ended",
            Self::Unknown => "unknown",
        }
    }
}

/// What an agent is doing, since when, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What.
    pub activity: Activity,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// For what it waits.
    pub waiting_for: Option<String>,
}

/// What is known of a session beside its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether its container runs.
    pub running: bool,
    /// Whether it says nothing before its first turn, as codex does.
    pub quiet: bool,
    /// When something last went to or came from its model; now, while a request is under way.
    pub heard: Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
}

/// An agent that has started and has no prompt says nothing more.
const BEGUN: SignedDuration = SignedDuration::from_secs(15);
/// A container that runs for so long has an agent that has started.
const START: SignedDuration = SignedDuration::from_mins(2);
/// Between its tools an agent speaks with its model.
const THOUGHT: SignedDuration = SignedDuration::from_mins(5);
/// No tool of claude's runs for longer unasked (10 minutes at most by its own rules).
const TOOL: SignedDuration = SignedDuration::from_mins(15);
/// A model is asked a little after a turn, too: for a title, or what to suggest. Not for so long.
const AFTERTHOUGHT: SignedDuration = SignedDuration::from_mins(1);
/// A hook that finds the daemon is heard within this; one that is told again, or was spooled, takes longer.
const PROMPT: SignedDuration = SignedDuration::from_millis(1500);
/// Sub-agents that are kept in mind.
const MOST: usize = 64;

/// The type of the event that a credential could not be lent.
pub const CREDENTIAL_MISSING: &str = "credential_missing";
/// The type of the event that it is lent again.
pub const CREDENTIAL_LENT: &str = "credential_lent";
/// The type of the event that a request was refused since the session's budget is spent.
pub const BUDGET_SPENT: &str = "budget_spent";
/// The type of the event that requests pass again.
pub const BUDGET_RAISED: &str = "budget_raised";
/// The type of the event that a turn was broken off by a person, which no hook tells of.
pub const INTERRUPTED: &str = "interrupted";
/// The member of a hook's data that holds the time at which the hook ran, by the container's clock.
pub const STAMP: &str = "clauderon_timestamp";

/// What was said so far, folded. The events of a session are heard in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    turn: Turn,
    since: Option<String>,
    /// What the agents of the session ask a person.
    asks: Asks,
    /// Sub-agents that work though their agent's turn is over.
    behind: BTreeSet<String>,
    /// Whether a tool runs.
    tool: bool,
    /// Whether the container has died.
    dead: bool,
    /// Since when a credential is missing.
    missing: Option<String>,
    /// Since when its budget is spent.
    spent: Option<String>,
    /// When the newest hook ran, by its own clock.
    stamp: Option<String>,
    /// When something was last heard, and when the container started.
    last: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Turn {
    #[default]
    None,
    Begun,
    Working,
    Over,
    Ended,
}

impl Fold {
    /// Folds a session's events, oldest first.
    pub fn of(events: &[Event]) -> Self {
        let mut fold = Self::default();
        for event in events {
            fold.hear(event);
        }
        fold
    }

    /// Hears one event more.
    pub fn hear(&mut self, event: &Event) {
        let before = self.outline();
        match (event.source.as_str(), event.kind.as_str()) {
            ("backend", "die") => {
                self.dead = true;
                self.over(Turn::Ended);
            }
            // Whatever it did before its container died, it does no more. The agent itself may have said so already.
            ("backend", "start") => {
                if std::mem::take(&mut self.dead) {
                    self.over(Turn::None);
                }
                self.last = event.time.parse().ok();
            }
            ("reconcile", INTERRUPTED) => self.over(Turn::Over),
            ("proxy", CREDENTIAL_MISSING) => self.missing = Some(event.time.clone()),
            ("proxy", CREDENTIAL_LENT) => self.missing = None,
            ("proxy", BUDGET_SPENT) => drop(self.spent.get_or_insert_with(|| event.time.clone())),
            ("proxy", BUDGET_RAISED) => self.raised(),
            ("hook", kind) if !self.is_late(event) => {
                self.dead &= kind != "SessionStart";
                self.last = event.time.parse().ok();
                self.hook(kind, &event.data);
            }
            _ => {}
        }
        if before != self.outline() {
            self.since = Some(event.time.clone());
        }
    }

    fn outline(&self) -> (Turn, Option<&'static str>, bool) {
        (self.turn, self.asks.first(), self.behind.is_empty())
    }

    /// Whether a newer hook was heard already: this one was kept in the spool, or is told again. Where the clock was put
    /// back, the newest one seems to lie ahead, and counts no more.
    fn is_late(&mut self, event: &Event) -> bool {
        let Some(stamp) = event.data[STAMP].as_str() else { return false };
        // A hook without our own client knows its time to the second.
        let earlier = |newest: &String| {
            let (stamp, newest) = (stamp.trim_end_matches('Z'), newest.trim_end_matches('Z'));
            let length = stamp.len().min(newest.len());
            stamp[..length] < newest[..length] && newest[..19] <= event.time[..19]
        };
        let plain = |text: &str| text.len() >= 20 && text.is_ascii();
        if !plain(stamp) || !plain(&event.time) {
            return false;
        }
        // Hooks that run side by side may be told in another order than they began in: what comes at once is not late.
        let delay = event.time.parse::<Timestamp>().ok().zip(stamp.parse::<Timestamp>().ok());
        let delayed = delay.is_some_and(|(heard, ran)| heard.duration_since(ran) > PROMPT);
        let late = delayed && self.stamp.as_ref().is_some_and(earlier);
        if !late {
            self.stamp = Some(stamp.to_owned());
        }
        late
    }

    fn hook(&mut self, kind: &str, data: &Value) {
        let agent = data["agent_id"].as_str();
        self.asks.hear(kind, data);
        match kind {
            // After a compaction the turn goes on, or there is none.
            "SessionStart" if data["source"] == "compact" => {}
            "SessionStart" => self.over(Turn::Begun),
            "PreToolUse" => self.works(agent, true),
            "UserPromptSubmit" | "PreCompact" | "PostToolUse" | "PostToolUseFailure" | "PermissionDenied"
            | "ElicitationResult" => self.works(agent, false),
            "SubagentStart" => self.sends(agent),
            "SubagentStop" => {
                self.behind.remove(agent.unwrap_or_default());
            }
            // Asked for by a person between two turns; else the turn goes on.
            "PostCompact" if data["trigger"] == "manual" => self.over(Turn::Over),
            "Notification" if data["notification_type"] == "idle_prompt" => self.over(Turn::Over),
            "Stop" | "StopFailure" => {
                let running = self.behind.iter().filter(|agent| still_runs(data, agent)).cloned().collect();
                self.over(Turn::Over);
                self.behind = running;
            }
            "SessionEnd" => self.over(Turn::Ended),
            _ => {}
        }
    }

    /// A sub-agent that works on when its agent's turn is over begins none.
    fn works(&mut self, agent: Option<&str>, tool: bool) {
        if self.turn != Turn::Over || agent.is_none() {
            self.turn = Turn::Working;
        }
        self.tool = tool;
    }

    fn sends(&mut self, agent: Option<&str>) {
        if let Some(agent) = agent
            && self.behind.len() < MOST
        {
            self.behind.insert(agent.to_owned());
        }
        self.works(agent, false);
    }

    /// Nothing is asked any more, and nothing runs.
    fn over(&mut self, turn: Turn) {
        self.asks.clear();
        self.behind.clear();
        (self.turn, self.tool) = (turn, false);
    }

    /// Refused for its budget, an agent ends its turn; not each of them says so.
    fn raised(&mut self) {
        if self.spent.take().is_some() && self.turn == Turn::Working {
            self.over(Turn::Over);
        }
    }

    /// Whether the agent has said that it works and nothing else since, however long ago.
    pub fn is_busy(&self) -> bool {
        let works = self.turn == Turn::Working || (self.turn == Turn::Over && !self.behind.is_empty());
        works && self.missing.is_none() && self.spent.is_none() && self.asks.first().is_none()
    }

    /// Whether a person may break the turn off.
    pub fn is_open(&self) -> bool {
        self.turn == Turn::Working
    }

    /// When the newest hook ran by its own clock, or was heard.
    pub fn newest(&self) -> Option<String> {
        self.stamp.clone().or_else(|| self.last.map(|last| format!("{last:.3}")))
    }

    /// What the agent is doing now.
    pub fn told(&self, seen: Seen) -> Told {
        let told = |activity, since: Option<&String>, waiting_for: Option<&str>| Told {
            activity,
            since: since.cloned(),
            waiting_for: waiting_for.map(str::to_owned),
        };
        if !seen.running || self.turn == Turn::Ended {
            return told(Activity::Ended, self.since.as_ref(), None);
        }
        // Whatever the agent makes of it: it gets no further before the credential is there.
        if self.missing.is_some() {
            return told(Activity::Waiting, self.missing.as_ref(), Some("credential"));
        }
        if self.spent.is_some() {
            return told(Activity::Waiting, self.spent.as_ref(), Some("budget"));
        }
        if let Some(what) = self.asks.first() {
            return told(Activity::Waiting, self.since.as_ref(), Some(what));
        }
        told(self.settled(seen), self.since.as_ref(), None)
    }

    /// What it is doing, by what was heard and how long ago.
    fn settled(&self, seen: Seen) -> Activity {
        let silent = |since: Option<Timestamp>, limit| {
            since.is_some_and(|since| seen.now.duration_since(since) > limit)
        };
        let last = self.last.max(seen.heard);
        let patience = if self.tool { TOOL } else { THOUGHT };
        match self.turn {
            Turn::None if !seen.quiet && silent(self.last, START) => Activity::Unknown,
            Turn::Begun if silent(self.last, BEGUN) => self.at_rest(seen),
            Turn::None | Turn::Begun => Activity::Starting,
            Turn::Over if self.behind.is_empty() => self.at_rest(seen),
            Turn::Working | Turn::Over if silent(last, patience) => Activity::Unknown,
            Turn::Working | Turn::Over => Activity::Working,
            Turn::Ended => Activity::Ended,
        }
    }

    /// Idle, unless the model is asked still, of which no hook says why.
    fn at_rest(&self, seen: Seen) -> Activity {
        let asked = |heard: Timestamp| {
            self.last.is_some_and(|last| heard.duration_since(last) > AFTERTHOUGHT)
                && seen.now.duration_since(heard) < AFTERTHOUGHT
        };
        if seen.heard.is_some_and(asked) { Activity::Unknown } else { Activity::Idle }
    }
}

/// Whether a turn that is over has left this sub-agent at work.
fn still_runs(data: &Value, agent: &str) -> bool {
    let tasks = data["background_tasks"].as_array();
    tasks.is_some_and(|tasks| tasks.iter().any(|task| task["id"] == agent && task["status"] == "running"))
}
