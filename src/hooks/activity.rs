//! Pure. What an agent is doing, from its events and whether its container runs.

use crate::store::Event;

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// The container runs, the agent has said nothing yet, or only that it has started.
    Starting,
    /// It works on a turn.
    Working,
    /// It waits for a person.
    Waiting,
    /// It has finished its turn.
    Idle,
    /// It has ended.
    Ended,
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

/// Folds a session's events, oldest first.
pub fn activity(events: &[Event], running: bool) -> Told {
    let mut told = Told { activity: Activity::Starting, since: None, waiting_for: None };
    let mut dead = false;
    for event in events {
        let meant = match (event.source.as_str(), event.kind.as_str()) {
            ("backend", "die") => {
                dead = true;
                Some((Activity::Ended, None))
            }
            // Whatever it did before its container died, it does no more. The agent itself may have said so already.
            ("backend", "start") if std::mem::take(&mut dead) => Some((Activity::Starting, None)),
            ("hook", kind) => {
                dead &= kind != "SessionStart";
                meaning(event)
            }
            _ => None,
        };
        let Some((activity, waiting_for)) = meant else { continue };
        if activity != told.activity || waiting_for != told.waiting_for {
            told = Told { activity, since: Some(event.time.clone()), waiting_for };
        }
    }
    // Whatever the agent makes of it: it gets no further before the credential is there.
    let credential = events.iter().rev().find(|event| event.source == "proxy" && is_credential(event));
    if let Some(event) = credential.filter(|event| event.kind == CREDENTIAL_MISSING) {
        let since = Some(event.time.clone());
        told = Told { activity: Activity::Waiting, since, waiting_for: Some("credential".to_owned()) };
    }
    if !running && told.activity != Activity::Ended {
        told = Told { activity: Activity::Ended, since: told.since, waiting_for: None };
    }
    told
}

/// The type of the event that a credential could not be lent.
pub const CREDENTIAL_MISSING: &str = "credential_missing";
/// The type of the event that it is lent again.
pub const CREDENTIAL_LENT: &str = "credential_lent";

fn is_credential(event: &Event) -> bool {
    event.kind == CREDENTIAL_MISSING || event.kind == CREDENTIAL_LENT
}

/// What one event says; nothing for events that change nothing.
fn meaning(event: &Event) -> Option<(Activity, Option<String>)> {
    let waiting = |what: &str| Some((Activity::Waiting, Some(what.to_owned())));
    match event.kind.as_str() {
        "SessionStart" => Some((Activity::Starting, None)),
        // A question is a tool that ends when a person has answered.
        "PreToolUse" if event.data["tool_name"] == "AskUserQuestion" => waiting("question"),
        "UserPromptSubmit" | "PreToolUse" | "PostToolUse" | "PostToolUseFailure" | "PermissionDenied"
        | "ElicitationResult" | "SubagentStart" | "PreCompact" => Some((Activity::Working, None)),
        "PermissionRequest" => waiting("permission"),
        "Elicitation" => waiting("question"),
        "Notification" if event.data["notification_type"] == "permission_prompt" => waiting("permission"),
        "Stop" | "StopFailure" => Some((Activity::Idle, None)),
        "SessionEnd" => Some((Activity::Ended, None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(kinds: &[(&str, Value)], running: bool) -> Told {
        let events: Vec<Event> = kinds
            .iter()
            .zip(1..)
            .map(|((kind, data), seq)| Event {
                seq,
                time: format!("t{seq}"),
                project: "p".to_owned(),
                id: "i".to_owned(),
                session: "s".to_owned(),
                source: "hook".to_owned(),
                kind: (*kind).to_owned(),
                data: data.clone(),
            })
            .collect();
        activity(&events, running)
    }

    #[test]
    fn a_turn_with_a_tool_and_a_permission() {
        let mut seen: Vec<(&str, Value)> = Vec::new();
        for (kind, data, expected, waiting) in [
            ("SessionStart", json!({}), Activity::Starting, None),
            ("UserPromptSubmit", json!({}), Activity::Working, None),
            ("PreToolUse", json!({"tool_name": "Bash"}), Activity::Working, None),
            ("PermissionRequest", json!({}), Activity::Waiting, Some("permission")),
            (
                "Notification",
                json!({"notification_type": "permission_prompt"}),
                Activity::Waiting,
                Some("permission"),
            ),
            ("PostToolUse", json!({}), Activity::Working, None),
            ("PreToolUse", json!({"tool_name": "AskUserQuestion"}), Activity::Waiting, Some("question")),
            ("PostToolUse", json!({}), Activity::Working, None),
            ("Stop", json!({}), Activity::Idle, None),
            ("Notification", json!({"notification_type": "idle_prompt"}), Activity::Idle, None),
            ("SessionEnd", json!({}), Activity::Ended, None),
        ] {
            seen.push((kind, data));
            let told = told(&seen, true);
            assert_eq!((told.activity, told.waiting_for.as_deref()), (expected, waiting), "after {kind}");
        }
    }

    #[test]
    fn a_credential_is_waited_for_whatever_the_agent_says_until_it_is_lent() {
        let event = |kind: &str, source: &str| Event {
            seq: 1,
            time: "t".to_owned(),
            project: "p".to_owned(),
            id: "i".to_owned(),
            session: "s".to_owned(),
            source: source.to_owned(),
            kind: kind.to_owned(),
            data: json!({}),
        };
        let mut events = vec![event("UserPromptSubmit", "hook"), event(CREDENTIAL_MISSING, "proxy")];
        events.push(event("StopFailure", "hook"));
        let waits = activity(&events, true);
        assert_eq!((waits.activity, waits.waiting_for.as_deref()), (Activity::Waiting, Some("credential")));
        assert_eq!(activity(&events, false).activity, Activity::Ended);
        // The agent itself cannot say so.
        events.push(event(CREDENTIAL_LENT, "hook"));
        assert_eq!(activity(&events, true).activity, Activity::Waiting);
        events.push(event(CREDENTIAL_LENT, "proxy"));
        assert_eq!(activity(&events, true).activity, Activity::Idle);
    }

    #[test]
    fn since_is_when_it_began_and_a_dead_container_ends_it() {
        let working = [("UserPromptSubmit", json!({})), ("PreToolUse", json!({}))];
        assert_eq!(told(&working, true).since.as_deref(), Some("t1"));
        assert_eq!(told(&working, false).activity, Activity::Ended);
        assert_eq!(told(&[], true).activity, Activity::Starting);
    }
}
