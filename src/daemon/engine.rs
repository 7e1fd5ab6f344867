//! The engine's own events: what befell a container of ours, whoever did it. An engine that goes away is asked again, ever
//! more seldom; once it is back, what it did unheard is looked for.

use super::drift::{self, News};
use super::life::Life;
use super::lives;
use super::state::{State, now};
use super::{expire, look, revive};
use crate::backend::Error;
use crate::backend::docker::Docker;
use crate::plan::restart::Millis;
use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptions, EventsOptionsBuilder};
use futures_util::StreamExt;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The wait before the engine is asked again, the first time and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The nanoseconds of a millisecond.
const NANOS: i64 = 1_000_000;
/// How long the engine is asked for what was missed.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine that has hung up.
#[derive(Default)]
struct Gone {
    /// When.
    at: Millis,
    /// The sessions that it ended as it went, where it was stopped.
    ended: Vec<String>,
}

/// Listens until the end.
pub async fn watch(state: Arc<State>, address: String) {
    let (mut pause, mut gone) = (PAUSES.0, Gone::default());
    loop {
        let mut reached = false;
        let ended = tokio::select! {
            () = state.shutdown.cancelled() => return,
            ended = listen(&state, &address, &mut gone, &mut reached) => ended,
        };
        if reached {
            pause = PAUSES.0;
            gone = Gone { at: lives::now(), ended: state.lives.ended_by_engine() };
        }
        let why = ended.err().map_or_else(|| "it has hung up".to_owned(), |error| error.to_string());
        went(&state, &why, reached).await;
        tokio::select! {
            () = state.shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSES.1),
        }
    }
}

/// Listens until the engine hangs up. While it is away nothing is started: what is due waits for its return.
async fn listen(state: &Arc<State>, address: &str, gone: &mut Gone, reached: &mut bool) -> Result<(), Error> {
    let docker = Docker::connect(address).await?;
    let born = docker.born().await?.unwrap_or(0);
    if born / NANOS > gone.at {
        // What it ended was nobody's stop.
        for id in std::mem::take(&mut gone.ended) {
            state.lives.change(&id, Life::reopen);
        }
    }
    let mut heard = missed(state, &docker, born).await;
    look::look(state, &docker).await?;
    *reached = true;
    came(state).await;
    let mut events = docker.client().events(Some(asking(Some(heard), None)));
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => hear(state, &docker, event, (&mut heard, born)).await,
                Some(Err(_)) | None => return Ok(()),
            },
            due = state.lives.due() => revive::revive(state, &docker, due),
            over = expire::over(state) => expire::stop(state, &docker, over),
        }
    }
}

/// What happened since an event was heard last, as far as the engine remembers; answers since when there may be more.
async fn missed(state: &Arc<State>, docker: &Docker, born: i64) -> i64 {
    let until = nanoseconds();
    let known = state.sessions().keys().cloned().collect::<Vec<_>>();
    let Some(mut heard) = known.iter().map(|id| state.lives.get(id).heard).max().filter(|heard| *heard > 0)
    else {
        return until;
    };
    let mut events = docker.client().events(Some(asking(Some(heard), Some(until))));
    let all = async {
        while let Some(Ok(event)) = events.next().await {
            hear(state, docker, event, (&mut heard, born)).await;
        }
    };
    // The look that comes next finds what this does not.
    let _ = tokio::time::timeout(PATIENCE, all).await;
    heard.max(until)
}

fn nanoseconds() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0)
}

fn asking(since: Option<i64>, until: Option<i64>) -> EventsOptions {
    let actions =
        ["start", "kill", "die", "stop", "oom", "destroy", "rename", "update", "connect", "disconnect"];
    let filters = HashMap::from([("type", vec!["container", "network"]), ("event", actions.to_vec())]);
    let second = |nano: i64| format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    let mut options = EventsOptionsBuilder::default().filters(&filters);
    if let Some(since) = since {
        options = options.since(&second(since));
    }
    if let Some(until) = until {
        options = options.until(&second(until));
    }
    options.build()
}

/// One event, where it is of a container of ours and was not heard before.
async fn hear(state: &Arc<State>, docker: &Docker, event: EventMessage, (heard, born): (&mut i64, i64)) {
    let nano = event.time_nano.unwrap_or_else(nanoseconds);
    if nano <= *heard {
        return;
    }
    *heard = nano;
    let actor = event.actor.unwrap_or_default();
    let attributes = actor.attributes.unwrap_or_default();
    let action = event.action.unwrap_or_default();
    let (id, container) = match action.as_str() {
        // These are of a network, and name the container.
        "connect" | "disconnect" => {
            let container = attributes.get("container").cloned().unwrap_or_default();
            (state.lives.of_container(&container), container)
        }
        _ => (attributes.get("clauderon.id").cloned(), actor.id.unwrap_or_default()),
    };
    let Some(id) = id else { return };
    let Some(served) = state.sessions().get(&id).cloned() else { return };
    state.lives.change(&id, |life| life.heard = nano);
    if nano < born && matches!(action.as_str(), "kill" | "stop") {
        // Nobody could ask it yet: it ends what an engine that was killed has left.
        return state.lives.change(&id, |life| life.spared |= life.runs());
    }
    let news = News { container, action, attributes, at: nano / NANOS };
    drift::hear(state, docker, &served, news).await;
}

/// The engine is away: said once, and told where it was there before.
async fn went(state: &State, why: &str, was_there: bool) {
    let known = state.engine_away().replace((now(), was_there));
    if known.is_some() {
        *state.engine_away() = known;
        return;
    }
    tracing::warn!(why, "the engine is away; nothing is started until it is back");
    if was_there {
        tell(state, "engine_away", &format!("the engine is away: {why}")).await;
    }
}

/// The engine is back, where it was away.
async fn came(state: &State) {
    let Some((since, was_told)) = state.engine_away().take() else { return };
    tracing::info!(since, "the engine is back");
    if was_told {
        tell(state, "engine_back", &format!("the engine is back; it was away since {since}")).await;
    }
}

async fn tell(state: &State, kind: &str, message: &str) {
    let served: Vec<_> = state.sessions().values().cloned().collect();
    for served in served {
        state.note(&served.record, "backend", kind, json!({ "message": message })).await;
    }
}
