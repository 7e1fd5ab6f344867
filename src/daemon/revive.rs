//! Starts again what is due, as it is: its sources are looked at as `up` does, and what cannot be started is not tried for
//! ever.

use super::binds::moved;
use super::drift;
use super::lives;
use super::record::Record;
use super::state::{Served, State};
use crate::backend::docker::Docker;
use crate::backend::{Backend, Error};
use crate::plan::observed::{Container, Observed};
use crate::plan::restart::FIRST;
use std::sync::Arc;

/// Starts sessions that are due, each by itself.
pub fn revive(state: &Arc<State>, docker: &Docker, due: Vec<String>) {
    for id in due {
        let Some(served) = state.sessions().get(&id).cloned() else {
            state.lives.forget(&id);
            continue;
        };
        state.lives.set_starting(&id, true);
        let (of_state, docker) = (Arc::clone(state), docker.clone());
        state.tasks.spawn(async move {
            start(&of_state, &docker, &served).await;
            of_state.lives.set_starting(&served.record.id, false);
        });
    }
}

async fn start(state: &Arc<State>, docker: &Docker, served: &Served) {
    let id = &served.record.id;
    let outcome = match docker.observe().await {
        Ok(observed) => attempt(state, docker, served, &observed).await,
        Err(error) => Err(error),
    };
    let Err(error) = outcome else { return };
    if matches!(error, Error::Unreachable { .. }) {
        // What is away fails nobody's session: it is due when the engine is back.
        state.lives.change(id, |life| life.due = life.due.map(|_| lives::now() + FIRST));
        return;
    }
    let rules = match docker.observe().await {
        Ok(observed) => observed.session(id).map(drift::rules),
        Err(_) => None,
    };
    let Some(rules) = rules else { return };
    let why = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let next = state.lives.change(id, |life| life.not_started(&why, rules, lives::now()));
    drift::ended(state, docker, served, rules, next).await;
}

async fn attempt(
    state: &Arc<State>,
    docker: &Docker,
    served: &Served,
    observed: &Observed,
) -> Result<(), Error> {
    let id = &served.record.id;
    let Some(container) = observed.session(id).filter(|it| it.backend_id == state.lives.get(id).container)
    else {
        drift::removed(state, served, lives::now()).await;
        return Ok(());
    };
    if let Some(why) = hindrance(&served.record, container) {
        state.lives.change(id, |life| life.hindered(&why));
        drift::told(state, served, &format!("not started again: {why}")).await;
        return Ok(());
    }
    // The user may have had it stopped at this moment.
    if state.lives.get(id).due.is_none() {
        return Ok(());
    }
    docker.start(&container.backend_id).await?;
    // Where it ran already, no event tells of it.
    state.lives.change(id, |life| life.due = None);
    Ok(())
}

/// What keeps a container from being started as it is.
fn hindrance(record: &Record, container: &Container) -> Option<String> {
    if let Some((source, now)) = moved(container) {
        return Some(format!(
            "`{}` now leads to `{}`: `clauderon up` shows what would be mounted, and asks",
            source.display(),
            now.display()
        ));
    }
    let gone = record.lost()?;
    Some(format!("its checkout `{}` is gone; `clauderon up` makes it anew from its branch", gone.display()))
}
