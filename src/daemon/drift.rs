//! What is made of news of a session's container: what somebody did to it is told, and what ended is started again where
//! its policy says so.

use super::life::Life;
use super::lives;
use super::state::{Served, State};
use super::{import, last};
use crate::backend::Backend;
use crate::backend::docker::Docker;
use crate::manifest::project::{Mode, Restart};
use crate::manifest::scalar::RestartText;
use crate::plan::observed::Container;
use crate::plan::restart::{Cause, Millis, Next, Rules};
use crate::plan::touched::touched;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The type of the event that something was done to a container behind our back.
pub const DRIFT: &str = "drift";
/// The type of the event that a session is started again.
const RESTART: &str = "restart";
/// The type of the event that a session has failed, and is not started again.
const FAILED: &str = "failed";
/// What is done to a container in several steps is over by then.
const SETTLING: Duration = Duration::from_secs(3);
/// As many lines are asked for: those of a terminal are drawn over each other.
const TAIL: usize = 200;

/// What befell a container.
pub struct News {
    /// The container's id.
    pub container: String,
    /// What the engine calls it.
    pub action: String,
    /// What it says of it, the container's labels among it.
    pub attributes: HashMap<String, String>,
    /// When.
    pub at: Millis,
}

impl News {
    fn of(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// The container, as far as the event tells.
    fn container(&self) -> Container {
        let labels: BTreeMap<String, String> =
            self.attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Container {
            backend_id: self.container.clone(),
            name: self.of("name").to_owned(),
            labels,
            ..Container::default()
        }
    }
}

/// The rules that a container was made with.
pub fn rules(container: &Container) -> Rules {
    let policy = container.fields().get("restart").and_then(|text| RestartText::try_from(text.clone()).ok());
    let policy = policy.map_or(Restart::No, |text| text.0);
    Rules { policy, batch: container.label("mode") == Mode::Batch.as_str() }
}

/// Takes in what was heard.
pub async fn hear(state: &Arc<State>, docker: &Docker, served: &Served, news: News) {
    let (id, container) = (&served.record.id, news.container());
    let life = state.lives.get(id);
    let other = !life.container.is_empty() && life.container != news.container;
    match news.action.as_str() {
        // A twin, of somebody who has run the line that `render` prints.
        "start" if other && life.gone.is_none() && container.name != served.record.container => {}
        "start" => {
            adopt(state, id, &container);
            state.lives.change(id, |life| life.started(news.at));
            state.note(&served.record, "backend", "start", Value::Null).await;
            settings(state, docker, served, &container).await;
        }
        // Of a container that another took the place of, nothing counts any more.
        _ if other => {}
        "kill" => state.lives.change(id, |life| life.signalled(news.at)),
        "oom" => {
            state.lives.change(id, |life| life.oom = true);
            state.note(&served.record, "backend", "oom", Value::Null).await;
        }
        "die" => {
            adopt(state, id, &container);
            let code = news.of("exitCode").parse().unwrap_or(-1);
            died(state, docker, served, &container, (code, news.at)).await;
        }
        "stop" => stopped(state, served),
        "destroy" => removed(state, served, news.at).await,
        "rename" => {
            let name = news.of("name").trim_start_matches('/').to_owned();
            renamed(state, served, name).await;
        }
        // Each start and end of its own is one to the network too.
        "connect" | "disconnect" if !life.runs() => {}
        "update" | "connect" | "disconnect" => settings(state, docker, served, &container).await,
        _ => {}
    }
}

/// What is known of a session is of this container from now on.
pub fn adopt(state: &State, id: &str, container: &Container) {
    state.lives.change(id, |life| {
        if life.container != container.backend_id {
            life.adopt(&container.backend_id, &container.name);
        }
    });
}

/// A run has ended.
pub async fn died(
    state: &Arc<State>,
    docker: &Docker,
    served: &Served,
    container: &Container,
    (code, at): (i64, Millis),
) {
    let id = &served.record.id;
    let rules = rules(container);
    let was_told = state.lives.get(id).open;
    let next = state.lives.change(id, |life| {
        if life.ended.is_some() {
            // A look has found it already; a signal that was heard of since says who it was.
            if life.killed.is_some() {
                life.stopped();
            }
            return None;
        }
        Some(life.died(code, at, rules, lives::now()))
    });
    let Some(next) = next else { return };
    if !was_told {
        state.note(&served.record, "backend", "die", json!({ "exit_code": code })).await;
    }
    // Not here: a session with a full spool, or a long log, would hold up the news of all others.
    let (of_state, docker, served) = (Arc::clone(state), docker.clone(), served.clone());
    state.tasks.spawn(async move {
        super::session::drain(&of_state, &served).await;
        import::ask(&served);
        ended(&of_state, &docker, &served, rules, next).await;
    });
}

/// Tells what comes of an end.
pub async fn ended(state: &Arc<State>, docker: &Docker, served: &Served, rules: Rules, next: Next) {
    let id = &served.record.id;
    let life = state.lives.get(id);
    let Some(end) = life.ended else { return };
    match (end.cause, next) {
        (Cause::Engine, _) => return told_stopped(state, served).await,
        (Cause::Asked, _) | (Cause::Itself(0), Next::Leave) => return,
        _ => {}
    }
    let printed = docker.tail(&life.container, TAIL).await.unwrap_or_default();
    let lines = last::lines(&printed);
    let life = state.lives.change(id, |life| {
        // By now it may run again.
        if life.ended == Some(end) {
            life.lines.clone_from(&lines);
        }
        life.clone()
    });
    let why = why(&life);
    let (kind, message) = match next {
        Next::Start { at, tries } => {
            let seconds = (at - end.at).max(0) / 1_000;
            let count = if life.spared { String::new() } else { format!(" ({tries} of {})", rules.most()) };
            (RESTART, format!("{why}; started again after {seconds} s{count}"))
        }
        Next::GiveUp => {
            (FAILED, format!("{why}, after {} new starts; `clauderon up` tries again", life.tries))
        }
        Next::Leave => (FAILED, format!("{why}; `restart: {}` leaves it so", rules.policy)),
    };
    let data = json!({ "message": message, "exit_code": end.code, "tries": life.tries, "lines": lines });
    state.note(&served.record, "reconcile", kind, data).await;
}

/// Why the last run is over, in words.
pub fn why(life: &Life) -> String {
    let memory = if life.oom { " (out of memory)" } else { "" };
    if life.spared {
        return "ended with the engine".to_owned();
    }
    match (life.ended.and_then(|ended| ended.code), &life.trouble) {
        (_, Some(trouble)) => trouble.clone(),
        (Some(code), None) => format!("ended with exit code {code}{memory}"),
        (None, None) => "did not start".to_owned(),
    }
}

/// The engine says that it has stopped it.
fn stopped(state: &Arc<State>, served: &Served) {
    if state.lives.change(&served.record.id, Life::stopped) {
        let (of_state, served) = (Arc::clone(state), served.clone());
        state.tasks.spawn(async move { told_stopped(&of_state, &served).await });
    }
}

/// Tells of a stop, unless it was but the beginning: of a removal, or of a new start.
async fn told_stopped(state: &State, served: &Served) {
    let before = state.lives.get(&served.record.id).ended;
    tokio::time::sleep(SETTLING).await;
    let life = state.lives.get(&served.record.id);
    if life.ended != before || life.gone.is_some() {
        return;
    }
    told(state, served, "stopped with the engine's own tools, and left so; `clauderon up` starts it").await;
}

/// The container is gone.
pub async fn removed(state: &State, served: &Served, at: Millis) {
    if state.lives.change(&served.record.id, |life| life.gone.is_none() && life.removed(at)) {
        told(
            state,
            served,
            "its container was removed with the engine's own tools; `clauderon up` makes it anew",
        )
        .await;
        import::ask(served);
    }
}

/// The container has this name now.
pub async fn renamed(state: &State, served: &Served, name: String) {
    let own = name == served.record.container;
    let message = format!("its container is named `{name}` now; `clauderon up` gives it its own name back");
    let before =
        state.lives.change(&served.record.id, |life| std::mem::replace(&mut life.name, name.clone()));
    if !own && before != name {
        told(state, served, &message).await;
    }
}

/// Looks whether a container is as it was made.
pub async fn settings(state: &State, docker: &Docker, served: &Served, container: &Container) {
    let id = &served.record.id;
    let Ok(Some(now)) = docker.settings(&container.backend_id).await else { return };
    if now.restarts
        && let Err(error) = docker.leave_starts(&container.backend_id).await
    {
        tracing::warn!(session = served.record.session, %error, "the engine would start it again too");
    }
    // The events of a network tell nothing of the container's labels.
    let changed = match container.labels.get("clauderon.fields") {
        Some(_) => touched(container, &now),
        None => match docker.observe().await {
            Ok(all) => all.session(id).map(|found| touched(found, &now)).unwrap_or_default(),
            Err(_) => return,
        },
    };
    let before = state.lives.change(id, |life| std::mem::replace(&mut life.changed, changed.clone()));
    let news = changed.iter().filter(|(field, value)| before.get(*field) != Some(value));
    let news: Vec<String> = news.map(|(field, value)| format!("{field}: `{value}`")).collect();
    if !news.is_empty() {
        let message = format!(
            "its container was changed with the engine's own tools ({}); `clauderon up` replaces it",
            news.join(", ")
        );
        told(state, served, &message).await;
    }
}

/// Tells of something that somebody did.
pub async fn told(state: &State, served: &Served, message: &str) {
    state.note(&served.record, "reconcile", DRIFT, json!({ "message": message })).await;
}
