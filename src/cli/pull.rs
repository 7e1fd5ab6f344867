//! `pull`: the agents' commits into the user's repository, now.

use super::{Code, context, ground, output};
use crate::error::Error;
use std::path::PathBuf;

/// `clauderon pull`.
pub async fn run(file: &[PathBuf], names: &[String]) -> Result<Code, Error> {
    let project = context::project(file)?;
    let sessions = context::chosen(&project, names)?;
    let engine = context::engine().await?;
    for session in sessions {
        for line in ground::import(&engine.home, &engine.id(&project, &session.name)).await? {
            output::data(&format!("{}: {line}\n", session.name));
        }
    }
    Ok(0)
}
