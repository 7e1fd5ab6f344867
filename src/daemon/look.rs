//! A look at all containers when the engine is there for the first time, or again: what happened unheard is taken in.

use super::drift;
use super::lives;
use super::state::{Served, State};
use crate::backend::docker::Docker;
use crate::backend::{Backend, Error};
use crate::plan::observed::{Container, ContainerState, Observed};
use futures_util::StreamExt;
use serde_json::Value;
use std::sync::Arc;

/// Containers looked at in detail at a time.
const CONCURRENCY: usize = 8;

/// Holds what the engine has against what is known of every session that is served. An engine that does not answer is no
/// empty one: then nothing is taken in at all.
pub async fn look(state: &Arc<State>, docker: &Docker) -> Result<(), Error> {
    let observed = docker.observe().await?;
    let all: Vec<Served> = state.sessions().values().cloned().collect();
    for served in &all {
        match of(state, &observed, served) {
            Some(container) => found(state, docker, served, container).await,
            None => missing(state, served).await,
        }
    }
    let mut details = Vec::new();
    for served in &all {
        if let Some(container) = of(state, &observed, served) {
            details.push(drift::settings(state, docker, served, container));
        }
    }
    futures_util::stream::iter(details).buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
    Ok(())
}

/// The container of a session: the one that is known, where there is another with its labels.
fn of<'a>(state: &State, observed: &'a Observed, served: &Served) -> Option<&'a Container> {
    let id = &served.record.id;
    let known = state.lives.get(id).container;
    observed.containers.iter().find(|it| it.backend_id == known).or_else(|| observed.session(id))
}

async fn found(state: &Arc<State>, docker: &Docker, served: &Served, container: &Container) {
    let (id, now) = (&served.record.id, lives::now());
    drift::adopt(state, id, container);
    drift::renamed(state, served, container.name.clone()).await;
    let life = state.lives.get(id);
    match container.state {
        ContainerState::Running | ContainerState::Restarting if !life.runs() => {
            state.lives.change(id, |life| life.started(now));
            if life.ended.is_some() {
                state.note(&served.record, "backend", "start", Value::Null).await;
            }
        }
        // It ran when it was heard of last: whatever ended it, nobody has said that he wanted it so.
        ContainerState::Exited(code) if life.runs() => {
            drift::died(state, docker, served, container, (code, now)).await;
        }
        ContainerState::Exited(_) => {
            let rules = drift::rules(container);
            if state.lives.change(id, |life| life.returned(rules, now)) {
                drift::told(
                    state,
                    served,
                    "it was stopped with the engine's own tools; `restart: always` starts it",
                )
                .await;
            }
        }
        _ => {}
    }
}

/// There is no container. One that was never heard of is about to be made.
async fn missing(state: &State, served: &Served) {
    let life = state.lives.get(&served.record.id);
    if !life.container.is_empty() {
        drift::removed(state, served, lives::now()).await;
    }
}
