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
    ground::daemon(&engine.home).await?.watch(&ids).await.map_err(remedy::daemon_error)?;
    let engine = &engine;
    let turns = containers.into_iter().map(|container| async move {
        turn(engine, container, stop, start).await?;
        output::say(&format!(" Session {:<24} {done}", container.label("session")));
        Ok::<_, Error>(())
    });
    let outcomes: Vec<_> = futures_util::stream::iter(turns).buffer_unordered(8).collect().await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(0)
}

async fn turn(engine: &Engine, container: &Container, stop: bool, start: bool) -> Result<(), Error> {
    if stop {
        engine.docker.stop(&container.name, GRACE).await.map_err(engine_error)?;
        if let Err(error) = ground::import(&engine.home, container.label("id")).await {
            ground::warn_import(&error);
        }
    }
    if start {
        sources::unchanged(container)?;
        engine.docker.start(&container.name).await.map_err(engine_error)?;
    }
    Ok(())
}
