//! `stop`, `start` and `restart`: the containers as they are, nothing made and nothing removed.

use super::alone::Alone;
use super::context::{self, Engine};
use super::remedy::engine_error;
use super::{Code, ground, host, output, remedy, sources};
use crate::apply::GRACE;
use crate::backend::Backend;
use crate::error::Error;
use crate::plan::observed::Container;
use futures_util::StreamExt;
use std::path::PathBuf;

/// `clauderon stop`.
pub async fn stop(file: &[PathBuf], names: &[String]) -> Result<Code, Error> {
    each(file, names, ("stop", "Stopped"), true, false).await
}

/// `clauderon start`.
pub async fn start(file: &[PathBuf], names: &[String]) -> Result<Code, Error> {
    each(file, names, ("start", "Started"), false, true).await
}

/// `clauderon restart`.
pub async fn restart(file: &[PathBuf], names: &[String]) -> Result<Code, Error> {
    each(file, names, ("restart", "Restarted"), true, true).await
}

async fn each(
    file: &[PathBuf],
    names: &[String],
    (verb, done): (&str, &str),
    stop: bool,
    start: bool,
) -> Result<Code, Error> {
    let project = context::project(file)?;
    // An `up` in the middle of its steps would undo it.
    let _alone = Alone::wait(&host::home()?, &project, verb).await?;
    let engine = context::engine().await?;
    let containers = engine.chosen(&project, names)?;
    let ids: Vec<String> = containers.iter().map(|container| container.label("id").to_owned()).collect();
    let mut daemon = ground::daemon(&engine.home).await?;
    daemon.watch(&ids).await.map_err(remedy::daemon_error)?;
    // Before the engine tells of it: what the user wants is not undone.
    daemon.want(&ids, start && !stop).await.map_err(remedy::daemon_error)?;
    let (engine, daemon) = (&engine, &tokio::sync::Mutex::new(daemon));
    let turns = containers.into_iter().map(|container| async move {
        if stop {
            end(engine, container).await?;
        }
        if start {
            sources::unchanged(container)?;
            let id = [container.label("id").to_owned()];
            daemon.lock().await.want(&id, true).await.map_err(remedy::daemon_error)?;
            engine.docker.start(&container.name).await.map_err(engine_error)?;
        }
        output::say(&format!(" Session {:<24} {done}", container.label("session")));
        Ok::<_, Error>(())
    });
    let outcomes: Vec<_> = futures_util::stream::iter(turns).buffer_unordered(8).collect().await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(0)
}

async fn end(engine: &Engine, container: &Container) -> Result<(), Error> {
    engine.docker.stop(&container.name, GRACE).await.map_err(engine_error)?;
    if let Err(error) = ground::import(&engine.home, container.label("id")).await {
        ground::warn_import(&error);
    }
    Ok(())
}
