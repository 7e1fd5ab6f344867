//! Waiting for an agent that works. While it is waited for, a locked file says so: `ps` sees it, and it is void once the
//! waiting program is gone.

use super::alone::Alone;
use super::remedy::{engine_error, file_error};
use super::status;
use crate::backend::Backend;
use crate::daemon::record::{self, Record};
use crate::error::{Error, Kind};
use crate::fs;
use crate::home::Home;
use crate::hooks::activity::Fold;
use crate::manifest::project::{Mode, Project, Session};
use crate::plan::action::SessionPlan;
use crate::plan::observed::{Container, ContainerState};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_millis(250);
/// Exit codes from here on tell of a signal.
const FIRST_SIGNAL: i64 = 128;
/// The largest file that says what is waited for.
const LARGEST: u64 = 1 << 20;

/// Who waits, and for how long at most.
pub struct Waiting<'a> {
    /// Where the project is.
    pub home: &'a Home,
    /// The project.
    pub project: &'a Project,
    /// Where its containers are.
    pub backend: &'a dyn Backend,
    /// How long.
    pub patience: Duration,
    /// The lock of the project, where it is held.
    pub alone: Option<&'a Alone>,
}

/// What a plan was made from, of one session.
#[derive(PartialEq)]
struct Ground {
    container: Option<(String, bool)>,
    record: Option<Record>,
}

/// Returns once the agent of a session is in the middle of nothing. While it is waited for, others may be at the project;
/// a plan that they have made untrue goes no further.
pub async fn idle(waiting: &Waiting<'_>, session: &SessionPlan) -> Result<(), Error> {
    let Waiting { home, backend, patience, .. } = *waiting;
    let deadline = Instant::now() + patience;
    if !works(home, backend, &session.id).await? {
        return Ok(());
    }
    let before = ground(waiting, session).await?;
    let mut shown = show(home, session)?;
    if let Some(alone) = waiting.alone {
        alone.rest(&session.id);
    }
    loop {
        if Instant::now() >= deadline {
            return Err(over(&session.session, patience));
        }
        if shown.is_none() {
            shown = show(home, session)?;
        }
        tokio::time::sleep(INTERVAL).await;
        if !works(home, backend, &session.id).await? {
            break;
        }
    }
    if let Some(alone) = waiting.alone {
        alone.resume(home, waiting.project, &session.id).await?;
    }
    if ground(waiting, session).await? == before { Ok(()) } else { Err(changed(&session.session)) }
}

/// The container, whether it was left to run, and what the daemon knows: read while the lock is held.
async fn ground(waiting: &Waiting<'_>, session: &SessionPlan) -> Result<Ground, Error> {
    let observed = waiting.backend.observe().await.map_err(engine_error)?;
    let batch = |it: &Session| it.name == session.session && it.mode == Mode::Batch;
    let is_batch = waiting.project.sessions.iter().any(batch);
    let left = |found: &Container| match found.state {
        // A batch session has come to its own end, which is what was waited for.
        ContainerState::Exited(code) => is_batch && code < FIRST_SIGNAL,
        _ => found.runs(),
    };
    let container = observed.session(&session.id).map(|found| (found.backend_id.clone(), left(found)));
    let record = record::read(waiting.home, &session.id).map_err(file_error)?;
    Ok(Ground { container, record })
}

fn changed(session: &str) -> Error {
    Error::failed(format!(
        "session `{session}` was changed, stopped or removed while its agent was waited for"
    ))
    .hint("`clauderon up` again goes by what is there now")
}

async fn works(home: &Home, backend: &dyn Backend, id: &str) -> Result<bool, Error> {
    if !said_so(home, id)? {
        return Ok(false);
    }
    let observed = backend.observe().await.map_err(engine_error)?;
    Ok(observed.session(id).is_some_and(Container::runs))
}

/// Whether an agent has said that it works, and nothing else since.
fn said_so(home: &Home, id: &str) -> Result<bool, Error> {
    let Some(reader) = status::reader_of(home)? else { return Ok(false) };
    let events = status::newest(&reader, &[id.to_owned()])?;
    let events = events.get(id).map_or(&[][..], Vec::as_slice);
    Ok(Fold::of(events).is_busy())
}

fn over(session: &str, patience: Duration) -> Error {
    Error::new(Kind::TimedOut, format!("the agent still works after {patience:?}; it was left alone"))
        .hint(format!(
            "`clauderon wait {session} --for idle` and `up` again, or `--idle-timeout` with more time"
        ))
        .hint(format!("`clauderon up --now {session}` does not wait, and ends its turn in the middle"))
}

/// The file that says what is waited for; it goes with this.
struct Shown {
    path: PathBuf,
    _lock: File,
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Says what is waited for. Where another `up` says so already, that is enough.
fn show(home: &Home, session: &SessionPlan) -> Result<Option<Shown>, Error> {
    let path = home.session(&session.id).pending();
    let mut file = fs::append(&path).map_err(file_error)?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let changes: Vec<Value> =
        session.reasons.iter().map(|reason| change(reason, &session.effect, "idle")).collect();
    let text = Value::from(changes).to_string();
    let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
    written.map_err(|error| Error::failed("could not say what is waited for").because(error))?;
    Ok(Some(Shown { path, _lock: file }))
}

/// A change that is not done yet, as `ps` has it.
pub fn change(reason: &crate::plan::action::Reason, whole: &impl serde::Serialize, waits_for: &str) -> Value {
    let effect = reason.effect.map_or_else(|| json!(whole), |effect| json!(effect));
    json!({
        "field": reason.field, "old": reason.old, "new": reason.new, "effect": effect, "waits_for": waits_for,
    })
}

/// What a running `up` waits to do to a session.
pub fn waiting(home: &Home, id: &str) -> Option<Vec<Value>> {
    let path = home.session(id).pending();
    if !fs::exists(&path) {
        return None;
    }
    let file = fs::append(&path).ok()?;
    if file.try_lock_shared().is_ok() {
        return None;
    }
    serde_json::from_str(&fs::read_small(&path, LARGEST)?).ok()
}
