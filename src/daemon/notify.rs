//! Runs what the user has said for when a session needs a person. Nothing that an agent says is an argument or a variable of
//! it: an agent chooses no word that a program of the host is run with.

use super::record::Record;
use super::state::State;
use crate::hooks::activity::{Activity, Told};
use crate::manifest::project::notify::{Notify, Occasion};
use crate::store::Event;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::process::Command;

/// The least time from one program's end to the next one's begin, of one session: an agent can change what it does as
/// often as it likes.
const PACE: Duration = Duration::from_secs(1);

/// What is run, and what is to be run next: one program a session.
#[derive(Debug, Default)]
pub struct Notices(Mutex<BTreeMap<String, Option<Notice>>>);

#[derive(Clone, Debug)]
struct Notice {
    occasion: Occasion,
    /// For what it waits: one of few words.
    waiting_for: String,
    notify: Notify,
    project: String,
    session: String,
    root: String,
}

impl Notices {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Option<Notice>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a notice; answers whether somebody has to begin. While a program runs, the newest one waits for its turn.
    fn take(&self, id: &str, notice: Notice) -> Option<Notice> {
        let mut all = self.all();
        match all.get_mut(id) {
            Some(next) => {
                *next = Some(notice);
                None
            }
            None => {
                all.insert(id.to_owned(), None);
                Some(notice)
            }
        }
    }

    /// What comes next; with nothing, the session is free again.
    fn next(&self, id: &str) -> Option<Notice> {
        let mut all = self.all();
        let next = all.get_mut(id).and_then(Option::take);
        if next.is_none() {
            all.remove(id);
        }
        next
    }
}

/// What has happened, where that is an occasion.
fn occasion(event: &Event, before: &Told, now: &Told) -> Option<Occasion> {
    if event.source != "hook" && event.kind == "failed" {
        return Some(Occasion::Failed);
    }
    let changed = (before.activity, &before.waiting_for) != (now.activity, &now.waiting_for);
    match now.activity {
        Activity::Waiting if changed => Some(Occasion::Waiting),
        // An agent that has only started has finished nothing.
        Activity::Idle
            if matches!(before.activity, Activity::Working | Activity::Waiting | Activity::Unknown) =>
        {
            Some(Occasion::Idle)
        }
        Activity::Ended if changed => Some(Occasion::Ended),
        _ => None,
    }
}

/// Tells whom the user wants told.
pub fn heard(state: &State, record: &Record, event: &Event, before: &Told, now: &Told) {
    let Some(occasion) = occasion(event, before, now) else { return };
    if record.notify.on(occasion).is_none() {
        return;
    }
    let notice = Notice {
        occasion,
        waiting_for: now.waiting_for.clone().unwrap_or_default(),
        notify: record.notify.clone(),
        project: record.project.clone(),
        session: record.session.clone(),
        root: record.root.display().to_string(),
    };
    let Some(first) = state.notices.take(&record.id, notice) else { return };
    let (notices, id, shutdown) = (Arc::clone(&state.notices), record.id.clone(), state.shutdown.clone());
    state.tasks.spawn(async move {
        let mut next = Some(first);
        while let Some(notice) = next {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = run(&notice) => {}
            }
            tokio::time::sleep(PACE).await;
            next = notices.next(&id);
        }
    });
}

async fn run(notice: &Notice) {
    let Some([program, arguments @ ..]) = notice.notify.on(notice.occasion) else { return };
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
        .env("CLAUDERON_OCCASION", notice.occasion.as_str())
        .env("CLAUDERON_PROJECT", &notice.project)
        .env("CLAUDERON_SESSION", &notice.session)
        .env("CLAUDERON_ROOT", &notice.root)
        .env("CLAUDERON_WAITING_FOR", &notice.waiting_for);
    let limit = Duration::from_secs(notice.notify.timeout);
    let ended = match command.spawn() {
        Ok(mut child) => {
            let group = child.id();
            let ended = tokio::time::timeout(limit, child.wait()).await;
            if ended.is_err() {
                end_group(group);
            }
            ended
        }
        Err(error) => Ok(Err(error)),
    };
    let (session, occasion) = (&notice.session, notice.occasion.as_str());
    match ended {
        Ok(Ok(status)) if status.success() => {}
        Ok(Ok(status)) => tracing::warn!(session, occasion, program, %status, "a notification failed"),
        Ok(Err(error)) => {
            tracing::warn!(session, occasion, program, %error, "a notification could not be run");
        }
        Err(_) => {
            tracing::warn!(session, occasion, program, ?limit, "a notification took too long, and was ended");
        }
    }
}

/// Ends a program with all that it has begun.
fn end_group(group: Option<u32>) {
    let group = group.and_then(|group| rustix::process::Pid::from_raw(i32::try_from(group).ok()?));
    if let Some(group) = group {
        // It may have ended this moment.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn told(activity: Activity, waiting_for: Option<&str>) -> Told {
        Told { activity, since: None, waiting_for: waiting_for.map(str::to_owned) }
    }

    fn event(source: &str, kind: &str) -> Event {
        Event {
            seq: 1,
            time: String::new(),
            project: String::new(),
            id: String::new(),
            session: String::new(),
            source: source.to_owned(),
            kind: kind.to_owned(),
            data: Value::Null,
        }
    }

    #[test]
    fn each_occasion_is_told_once() {
        use Activity::{Ended, Idle, Starting, Waiting, Working};
        let permission = told(Waiting, Some("permission"));
        for (before, now, expected) in [
            (told(Working, None), permission.clone(), Some(Occasion::Waiting)),
            (permission.clone(), permission.clone(), None),
            (permission.clone(), told(Waiting, Some("question")), Some(Occasion::Waiting)),
            (permission, told(Idle, None), Some(Occasion::Idle)),
            (told(Working, None), told(Idle, None), Some(Occasion::Idle)),
            (told(Idle, None), told(Idle, None), None),
            (told(Starting, None), told(Idle, None), None),
            (told(Idle, None), told(Ended, None), Some(Occasion::Ended)),
            (told(Ended, None), told(Ended, None), None),
            (told(Idle, None), told(Working, None), None),
        ] {
            assert_eq!(occasion(&event("hook", "Stop"), &before, &now), expected, "{before:?} {now:?}");
        }
        let idle = told(Idle, None);
        assert_eq!(occasion(&event("backend", "failed"), &idle, &idle), Some(Occasion::Failed));
        assert_eq!(occasion(&event("hook", "failed"), &idle, &idle), None, "an agent does not say so itself");
    }

    #[test]
    fn while_one_runs_the_newest_waits_for_its_turn() {
        let notices = Notices::default();
        let notice = |occasion| Notice {
            occasion,
            waiting_for: String::new(),
            notify: Notify::default(),
            project: String::new(),
            session: String::new(),
            root: String::new(),
        };
        assert!(notices.take("a", notice(Occasion::Idle)).is_some());
        assert!(notices.take("a", notice(Occasion::Waiting)).is_none());
        assert!(notices.take("a", notice(Occasion::Ended)).is_none());
        assert!(notices.take("b", notice(Occasion::Idle)).is_some(), "another session waits for nobody");
        assert_eq!(notices.next("a").unwrap().occasion, Occasion::Ended);
        assert!(notices.next("a").is_none());
        assert!(notices.take("a", notice(Occasion::Idle)).is_some());
    }
}
