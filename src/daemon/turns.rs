//! What the agents of the served sessions are doing, as their events are stored. While a turn is open, its transcript is
//! looked at: a person who breaks it off is told by no hook.

use super::state::State;
use crate::home::{Home, SessionHome};
use crate::hooks::activity::{Fold, INTERRUPTED, STAMP, Seen, Told};
use crate::hooks::transcript::interrupted;
use crate::store::{Event, Reader};
use crate::worktree::beneath::Beneath;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How often an open turn's transcript is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// What is read of its end.
const END: u64 = 64 << 10;
/// Events that are read of a session when the daemon begins, and where they came out of order.
const LATEST: usize = 50;

/// The turns of all sessions.
#[derive(Debug, Default)]
pub struct Turns {
    all: Mutex<BTreeMap<String, Turn>>,
    opened: Notify,
}

#[derive(Clone, Debug, Default)]
struct Turn {
    fold: Fold,
    /// The number of the newest event.
    newest: i64,
    /// Where the agent says that its transcript is, inside the container.
    transcript: Option<String>,
    /// Its length when it was looked at last.
    length: u64,
}

impl Turns {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Turn>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears a stored event, and answers what was told before it and what is told now; nothing where it came out of order,
    /// so that the events have to be read again.
    pub fn hear(&self, event: &Event) -> Option<(Told, Told)> {
        let mut all = self.all();
        let turn = all.entry(event.id.clone()).or_default();
        if event.seq <= turn.newest {
            return None;
        }
        turn.newest = event.seq;
        let before = turn.fold.told(running());
        turn.hear(event);
        let told = turn.fold.told(running());
        if turn.fold.is_open() {
            self.opened.notify_one();
        }
        Some((before, told))
    }

    /// Reads a session's events again.
    pub fn read(&self, reader: &Reader, id: &str) {
        let Ok(latest) = reader.latest(&[id.to_owned()], LATEST) else { return };
        let mut turn = Turn::default();
        for event in latest.into_values().flatten() {
            turn.newest = event.seq;
            turn.hear(&event);
        }
        let open = turn.fold.is_open();
        self.all().insert(id.to_owned(), turn);
        if open {
            self.opened.notify_one();
        }
    }

    /// Forgets a session.
    pub fn forget(&self, id: &str) {
        self.all().remove(id);
    }

    /// The sessions whose turn is open.
    fn open(&self) -> Vec<(String, Turn)> {
        let all = self.all();
        all.iter()
            .filter(|(_, turn)| turn.fold.is_open())
            .map(|(id, turn)| (id.clone(), turn.clone()))
            .collect()
    }

    fn looked(&self, id: &str, length: u64) {
        if let Some(turn) = self.all().get_mut(id) {
            turn.length = length;
        }
    }
}

impl Turn {
    fn hear(&mut self, event: &Event) {
        self.fold.hear(event);
        if event.source != "hook" {
            return;
        }
        if let Some(path) = event.data["transcript_path"].as_str()
            && self.transcript.as_deref() != Some(path)
        {
            (self.transcript, self.length) = (Some(path.to_owned()), 0);
        }
    }
}

/// A container that says something runs.
fn running() -> Seen {
    Seen { running: true, quiet: false, heard: None, now: jiff::Timestamp::now() }
}

/// Looks at the transcripts of open turns until the daemon ends; without one it rests.
pub async fn watch(state: Arc<State>) {
    loop {
        let open = state.turns.open();
        let pause = async {
            if open.is_empty() {
                state.turns.opened.notified().await;
            }
            tokio::time::sleep(LOOK).await;
        };
        tokio::select! {
            () = state.shutdown.cancelled() => return,
            () = pause => {}
        }
        for (id, turn) in open {
            look(&state, id, turn).await;
        }
    }
}

async fn look(state: &Arc<State>, id: String, turn: Turn) {
    let Some(served) = state.sessions().get(&id).cloned() else { return state.turns.forget(&id) };
    let (home, path) = (state.home.session(&id), turn.transcript.clone());
    // What an agent has put there may be slow to read.
    let read = tokio::task::spawn_blocking(move || end(&home, path.as_deref()?, turn.length)).await;
    let Some((length, end)) = read.ok().flatten() else { return };
    state.turns.looked(&id, length);
    if let Some(at) = interrupted(&end)
        && turn.fold.newest().is_none_or(|newest| is_after(&at, &newest))
    {
        state.note(&served.record, "reconcile", INTERRUPTED, json!({ "by": "a person", "at": at })).await;
    }
}

/// Both are of the container's clock, in UTC, to the millisecond or the second.
fn is_after(time: &str, other: &str) -> bool {
    let bare =
        |text: &str| text.trim_end_matches('Z').as_bytes().iter().take(23).copied().collect::<Vec<_>>();
    let (time, other) = (bare(time), bare(other));
    let length = time.len().min(other.len());
    time[..length] >= other[..length]
}

/// The length of a transcript and its end, where it is another than before.
fn end(home: &SessionHome, path: &str, before: u64) -> Option<(u64, Vec<u8>)> {
    let (root, path) = place(home, path)?;
    let (mut file, length) = Beneath::open(&root).ok()?.open_file(&path).ok()??;
    if length == before {
        return None;
    }
    file.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end).ok()?;
    Some((length, end))
}

/// Where a transcript is on the host: only what is mounted for it is looked at.
fn place(home: &SessionHome, path: &str) -> Option<(PathBuf, PathBuf)> {
    let path = Path::new(path);
    for (inside, root) in
        [("/workspace/.claude/projects", home.claude_projects()), ("/workspace/.codex", home.codex())]
    {
        if let Ok(rest) = path.strip_prefix(inside) {
            return Some((root, rest.to_owned()));
        }
    }
    None
}

/// Takes in a stored event, and answers what was told before it and what is told now. The disk is read again where two of one session were stored at once and come out of order.
pub async fn heard(turns: &Arc<Turns>, home: &Home, event: &Event) -> Option<(Told, Told)> {
    let told = turns.hear(event);
    if told.is_none() {
        let (turns, home, id) = (Arc::clone(turns), home.clone(), event.id.clone());
        let read = tokio::task::spawn_blocking(move || read(&turns, &home, &id)).await;
        if let Err(error) = read {
            tracing::error!(%error, "events were not read again");
        }
    }
    told
}

/// Reads a session's events again.
pub fn read(turns: &Turns, home: &Home, id: &str) {
    if let Ok(Some(reader)) = Reader::open(&home.database()) {
        turns.read(&reader, id);
    }
}

/// What counts of a hook's data; the rest may be long.
pub fn gist(data: &Value) -> Value {
    let names = [
        STAMP,
        "agent_id",
        "background_tasks",
        "notification_type",
        "source",
        "tool_input",
        "tool_name",
        "transcript_path",
        "trigger",
    ];
    names.into_iter().filter_map(|name| Some((name.to_owned(), data.get(name)?.clone()))).collect()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_transcript_is_read_where_it_is_mounted_alone_and_at_its_end_alone() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path()).session("a");
        let root = home.claude_projects();
        std::fs::create_dir_all(root.join("-workspace")).unwrap();
        let inside = |name: &str| format!("/workspace/.claude/projects/-workspace/{name}");
        std::fs::write(root.join("-workspace/good"), "x".repeat(100_000)).unwrap();
        let (length, read) = end(&home, &inside("good"), 0).unwrap();
        assert_eq!((length, read.len() as u64), (100_000, END));
        assert_eq!(end(&home, &inside("good"), 100_000), None, "nothing is new");

        std::fs::write(directory.path().join("outside"), "secret").unwrap();
        std::os::unix::fs::symlink(directory.path().join("outside"), root.join("-workspace/link")).unwrap();
        mknodat(CWD, root.join("-workspace/pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let outside = directory.path().join("outside").display().to_string();
        for odd in
            [inside("link"), inside("pipe"), inside("none"), inside(""), inside("../../../outside"), outside]
        {
            assert_eq!(end(&home, &odd, 0), None, "{odd}");
        }
    }

    #[test]
    fn times_of_the_containers_clock_are_compared_as_far_as_both_go() {
        for (time, other, after) in [
            ("2026-11-30T23:49:12.338Z", "2026-11-30T23:49:12.337Z", true),
            ("2026-11-30T23:49:12.336Z", "2026-11-30T23:49:12.337Z", false),
            ("2026-11-30T23:49:12.336Z", "2026-11-30T23:49:12Z", true),
            ("2026-11-30T23:49:12.336123456Z", "2026-11-30T23:49:12.336Z", true),
            ("2026-11-30T23:49:11.999Z", "2026-11-30T23:49:12Z", false),
        ] {
            assert_eq!(is_after(time, other), after, "{time} {other}");
        }
    }
}
