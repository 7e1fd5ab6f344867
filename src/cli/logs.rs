//! `logs`: what sessions print; several at once are told apart by their names.

use super::args::Logs;
use super::remedy::engine_error;
use super::{Code, context, output};
use crate::error::Error;
use futures_util::StreamExt;
use std::path::PathBuf;

/// `clauderon logs`.
pub async fn run(file: &[PathBuf], args: &Logs) -> Result<Code, Error> {
    let project = context::project(file)?;
    let engine = context::engine().await?;
    let containers = engine.chosen(&project, &args.sessions)?;
    let alone = containers.len() == 1;
    let streams = containers.into_iter().map(|container| {
        let name = container.label("session").to_owned();
        let stream = engine.docker.logs(&container.name, args.follow, &args.tail);
        stream.map(move |chunk| (name.clone(), chunk))
    });
    let mut all = futures_util::stream::select_all(streams);
    while let Some((name, chunk)) = all.next().await {
        let chunk = chunk.map_err(engine_error)?;
        match (alone, chunk.error) {
            (true, true) => output::error_bytes(&chunk.bytes),
            (true, false) => output::bytes(&chunk.bytes),
            (false, _) => {
                for line in String::from_utf8_lossy(&chunk.bytes).lines() {
                    output::data(&format!("{name:<16} | {line}\n"));
                }
            }
        }
    }
    Ok(0)
}
