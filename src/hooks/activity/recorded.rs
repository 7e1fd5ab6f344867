//! What real agents said, and what is made of it.

use super::*;
use serde_json::json;

fn event(source: &str, kind: &str, time: &str, data: Value) -> Event {
    let word = |text: &str| text.to_owned();
    Event {
        seq: 1,
        time: word(time),
        project: word("p"),
        id: word("i"),
        session: word("s"),
        source: word(source),
        kind: word(kind),
        data,
    }
}

fn recorded(text: &str) -> Vec<Event> {
    let read = |line: &str| {
        let said: Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| said[name].as_str().unwrap().to_owned();
        event(&word("source"), &word("type"), &word("time"), said["data"].clone())
    };
    text.lines().map(read).collect()
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn seen(now: Timestamp) -> Seen {
    Seen { running: true, quiet: false, heard: None, now }
}

fn activity(events: &[Event], seen: Seen) -> Told {
    Fold::of(events).told(seen)
}

fn words(told: &Told) -> String {
    let what = told.waiting_for.as_ref().map(|what| format!(": {what}")).unwrap_or_default();
    format!("{}{what}", told.activity.word())
}

/// What is told right after each event, where that is another thing than before.
fn course(events: &[Event]) -> Vec<String> {
    let mut fold = Fold::default();
    let mut course = Vec::new();
    for event in events {
        fold.hear(event);
        let now = words(&fold.told(seen(at(&event.time))));
        if course.last() != Some(&now) {
            course.push(now);
        }
    }
    course
}

const TOOL_RUN: &str = include_str!("../../../tests/activity/claude-tool.jsonl");

#[test]
fn recorded_runs_are_told_as_they_were() {
    let turn = ["starting", "working", "idle"];
    let permitted = ["starting", "working", "waiting: permission", "working", "idle"];
    for (name, text, expected) in [
        ("claude tool", TOOL_RUN, &turn[..]),
        ("codex tool", include_str!("../../../tests/activity/codex-tool.jsonl"), &turn),
        ("claude permission", include_str!("../../../tests/activity/claude-permission.jsonl"), &permitted),
        ("codex permission", include_str!("../../../tests/activity/codex-permission.jsonl"), &permitted),
        (
            "claude refused",
            include_str!("../../../tests/activity/claude-refused.jsonl"),
            &["starting", "working", "waiting: permission", "idle"],
        ),
        (
            "codex refused",
            include_str!("../../../tests/activity/codex-refused.jsonl"),
            &["starting", "working", "waiting: permission", "idle"],
        ),
        (
            "claude question",
            include_str!("../../../tests/activity/claude-question.jsonl"),
            &["starting", "working", "waiting: question", "working", "idle"],
        ),
        ("claude sub-agent", include_str!("../../../tests/activity/claude-subagent.jsonl"), &turn),
        ("claude in the background", include_str!("../../../tests/activity/claude-background.jsonl"), &turn),
        (
            "claude compaction",
            include_str!("../../../tests/activity/claude-compaction.jsonl"),
            &["starting", "working", "idle", "working", "idle"],
        ),
        (
            "codex compaction",
            include_str!("../../../tests/activity/codex-compaction.jsonl"),
            &["starting", "working", "idle", "working", "idle"],
        ),
        ("claude interrupt", include_str!("../../../tests/activity/claude-interrupt.jsonl"), &turn),
        ("codex interrupt", include_str!("../../../tests/activity/codex-interrupt.jsonl"), &turn),
        (
            "claude crash",
            include_str!("../../../tests/activity/claude-crash.jsonl"),
            &["starting", "working", "ended"],
        ),
        (
            "codex crash",
            include_str!("../../../tests/activity/codex-crash.jsonl"),
            &["starting", "working", "ended"],
        ),
    ] {
        assert_eq!(course(&recorded(text)), expected, "{name}");
    }
}

#[test]
fn late_and_repeated_events_change_nothing() {
    let events = recorded(TOOL_RUN);
    let mut last = events.last().unwrap().clone();
    last.time = format!("{:.3}", at(&last.time) + SignedDuration::from_secs(5));
    let end = |events: &[Event]| words(&activity(events, seen(at(&last.time))));
    let whole = end(&events);
    assert_eq!(whole, "idle");
    for (number, late) in events.iter().enumerate().filter(|(_, event)| event.source == "hook") {
        // It comes once more, or comes after all the others.
        let mut repeated = events.clone();
        repeated.push(Event { time: last.time.clone(), ..late.clone() });
        assert_eq!(end(&repeated), whole, "{} again", late.kind);
        let mut moved = repeated;
        moved.remove(number);
        let expected = if late.kind == "Stop" { "idle" } else { whole.as_str() };
        assert_eq!(end(&moved), expected, "{} late", late.kind);
    }
}

#[test]
fn hooks_that_run_side_by_side_are_heard_in_the_order_in_which_they_come() {
    let hook =
        |kind: &str, stamp: &str| event("hook", kind, "2026-01-01T12:00:00.400Z", json!({ STAMP: stamp }));
    let events = [hook("PostToolUse", "2026-01-01T12:00:00.300Z"), hook("Stop", "2026-01-01T12:00:00.200Z")];
    assert_eq!(words(&activity(&events, seen(at("2026-01-01T12:00:01Z")))), "idle");
}

#[test]
fn a_clock_that_was_put_back_or_lies_silences_nobody() {
    let hook = |kind: &str, time: &str, stamp: &str| event("hook", kind, time, json!({ STAMP: stamp }));
    for first in ["2026-01-01T12:00:00.000Z", "9999-01-01T00:00:00.000Z", "9999-01-01T00:00:00Z"] {
        let events = [
            hook("UserPromptSubmit", "2026-01-01T12:00:00.001Z", first),
            hook("Stop", "2026-01-01T11:00:00.001Z", "2026-01-01T11:00:00.000Z"),
        ];
        assert_eq!(words(&activity(&events, seen(at("2026-01-01T11:00:01Z")))), "idle", "{first}");
    }
    for odd in ["", "x", "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", "2026"] {
        let time = "2026-01-01T12:00:00.001Z";
        let events = [hook("UserPromptSubmit", time, "2026-01-01T12:00:00.000Z"), hook("Stop", time, odd)];
        assert_eq!(words(&activity(&events, seen(at(time)))), "idle", "{odd}");
    }
}

#[test]
fn silence_where_sound_was_due_is_unknown() {
    let begin = at("2026-01-01T12:00:00Z");
    let after = |seconds: i64| begin + SignedDuration::from_secs(seconds);
    let hook = |kind: &str| event("hook", kind, "2026-01-01T12:00:00.000Z", json!({ "tool_name": "Bash" }));
    let start = event("backend", "start", "2026-01-01T12:00:00.000Z", json!({}));
    let (prompt, tool, stop) = (hook("UserPromptSubmit"), hook("PreToolUse"), hook("Stop"));
    for (what, events, seconds, heard, expected) in [
        ("it starts", vec![&start], 119, None, "starting"),
        ("it does not start", vec![&start], 121, None, "unknown"),
        ("it thinks", vec![&prompt], 299, None, "working"),
        ("it says nothing", vec![&prompt], 301, None, "unknown"),
        ("its model is heard", vec![&prompt], 500, Some(499), "working"),
        ("its model was heard", vec![&prompt], 500, Some(100), "unknown"),
        ("a tool runs", vec![&prompt, &tool], 899, None, "working"),
        ("a tool runs for too long", vec![&prompt, &tool], 901, None, "unknown"),
        ("it is at rest", vec![&prompt, &stop], 100_000, None, "idle"),
        ("it has an afterthought", vec![&prompt, &stop], 59, Some(58), "idle"),
        ("it works without a hook", vec![&prompt, &stop], 300, Some(290), "unknown"),
        ("it worked without a hook", vec![&prompt, &stop], 900, Some(290), "idle"),
    ] {
        let events: Vec<Event> = events.into_iter().cloned().collect();
        let seen = Seen { heard: heard.map(after), ..seen(after(seconds)) };
        assert_eq!(words(&activity(&events, seen)), expected, "{what}");
    }
    let quiet = Seen { quiet: true, ..seen(after(10_000)) };
    assert_eq!(words(&activity(&[start], quiet)), "starting");
    let begun = [hook("SessionStart")];
    assert_eq!(words(&activity(&begun, seen(after(10)))), "starting");
    assert_eq!(words(&activity(&begun, seen(after(16)))), "idle", "it has no prompt");
}

#[test]
fn a_sub_agent_that_asks_is_not_drowned_by_the_others() {
    let time = "2026-01-01T12:00:00.000Z";
    let hook = |kind: &str, agent: Option<&str>, command: &str| {
        let data = json!({ "agent_id": agent, "tool_name": "Bash", "tool_input": { "command": command } });
        event("hook", kind, time, data)
    };
    let mut events = vec![
        hook("UserPromptSubmit", None, ""),
        hook("SubagentStart", Some("a"), ""),
        hook("SubagentStart", Some("b"), ""),
        hook("PreToolUse", Some("a"), "one"),
        hook("PermissionRequest", Some("a"), "one"),
    ];
    let mut then = |event: Event, expected: &str| {
        events.push(event);
        assert_eq!(words(&activity(&events, seen(at(time)))), expected);
    };
    then(hook("PreToolUse", Some("b"), "two"), "waiting: permission");
    then(hook("PostToolUse", Some("b"), "two"), "waiting: permission");
    then(hook("PostToolUse", Some("a"), "zero"), "waiting: permission");
    then(hook("PostToolUse", Some("a"), "one"), "working");
    then(hook("PermissionRequest", Some("b"), "three"), "waiting: permission");
    then(hook("SubagentStop", Some("b"), ""), "working");
    then(hook("PermissionRequest", None, "four"), "waiting: permission");
    then(event("reconcile", INTERRUPTED, time, json!({})), "idle");
}

#[test]
fn a_credential_is_waited_for_whatever_the_agent_says_until_it_is_lent() {
    let time = "2026-01-01T12:00:00.000Z";
    let mut events = vec![
        event("hook", "UserPromptSubmit", time, json!({})),
        event("proxy", CREDENTIAL_MISSING, time, json!({})),
        event("hook", "StopFailure", time, json!({})),
    ];
    let now = |events: &[Event], running| words(&activity(events, Seen { running, ..seen(at(time)) }));
    assert_eq!(now(&events, true), "waiting: credential");
    assert_eq!(now(&events, false), "ended");
    // The agent itself cannot say so.
    events.push(event("hook", CREDENTIAL_LENT, time, json!({})));
    assert_eq!(now(&events, true), "waiting: credential");
    events.push(event("proxy", CREDENTIAL_LENT, time, json!({})));
    assert_eq!(now(&events, true), "idle");
}

#[test]
fn a_budget_is_waited_for_until_it_is_raised_and_the_turn_is_over_then() {
    let event = |source: &str, kind: &str, second: u32| {
        event(source, kind, &format!("2026-01-01T12:00:0{second}.000Z"), json!({}))
    };
    let now = |events: &[Event]| activity(events, seen(at("2026-01-01T12:00:09Z")));
    let mut events = vec![event("hook", "UserPromptSubmit", 0), event("proxy", BUDGET_SPENT, 1)];
    // Codex says nothing of the end of such a turn.
    events.push(event("hook", "PostToolUse", 2));
    events.push(event("proxy", BUDGET_SPENT, 3));
    let told = now(&events);
    assert_eq!(
        (words(&told).as_str(), told.since.as_deref()),
        ("waiting: budget", Some("2026-01-01T12:00:01.000Z"))
    );
    assert!(!Fold::of(&events).is_busy());
    // The agent itself cannot say so.
    events.push(event("hook", BUDGET_RAISED, 4));
    assert_eq!(words(&now(&events)), "waiting: budget");
    events.push(event("proxy", BUDGET_RAISED, 5));
    assert_eq!(words(&now(&events)), "idle");
    events.push(event("hook", "UserPromptSubmit", 6));
    events.push(event("proxy", BUDGET_RAISED, 7));
    assert_eq!(words(&now(&events)), "working");
}

#[test]
fn since_is_when_it_began_and_a_dead_container_ends_it() {
    let events: Vec<Event> = [("UserPromptSubmit", 1), ("PreToolUse", 2), ("PostToolUse", 3)]
        .map(|(kind, second)| event("hook", kind, &format!("2026-01-01T12:00:0{second}.000Z"), json!({})))
        .into();
    let told = |running| activity(&events, Seen { running, ..seen(at("2026-01-01T12:00:04Z")) });
    assert_eq!(told(true).since.as_deref(), Some("2026-01-01T12:00:01.000Z"));
    assert_eq!(told(false).activity, Activity::Ended);
    let idle = Notification::of("idle_prompt");
    assert_eq!(words(&activity(&[events[0].clone(), idle], seen(at("2026-01-01T12:00:04Z")))), "idle");
}

struct Notification;

impl Notification {
    fn of(kind: &str) -> Event {
        event("hook", "Notification", "2026-01-01T12:00:03.000Z", json!({ "notification_type": kind }))
    }
}

#[test]
fn a_restart_begins_anew_and_hears_the_agent_that_was_first() {
    let time = "2026-01-01T12:00:00.000Z";
    let say = |source: &str, kind: &str| event(source, kind, time, json!({}));
    let events = [
        say("hook", "PreToolUse"),
        say("backend", "die"),
        say("backend", "start"),
        say("hook", "SessionStart"),
        say("hook", "UserPromptSubmit"),
    ];
    assert_eq!(course(&events), ["working", "ended", "starting", "working"]);
    let swapped = [
        say("backend", "die"),
        say("hook", "SessionStart"),
        say("hook", "UserPromptSubmit"),
        say("backend", "start"),
    ];
    assert_eq!(course(&swapped), ["ended", "starting", "working"]);
}
