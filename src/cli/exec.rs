//! `exec`: a command in a session's container, with its own exit code.

use super::args::Exec as Args;
use super::attach::{Target, carry};
use super::remedy::engine_error;
use super::{Code, context, terminal};
use crate::backend::docker::stream::Exec;
use crate::error::Error;
use crate::plan::observed::ContainerState;
use std::path::PathBuf;

/// `clauderon exec`.
pub async fn run(file: &[PathBuf], args: Args) -> Result<Code, Error> {
    let project = context::project(file)?;
    let engine = context::engine().await?;
    let container = engine.one(&project, &args.session)?;
    if container.state != ContainerState::Running {
        return Err(Error::failed(format!("session `{}` does not run", args.session)));
    }
    let with_terminal = !args.no_tty && terminal::is_interactive();
    let argv = if args.command.is_empty() { vec!["bash".to_owned()] } else { args.command };
    let exec = Exec { argv, terminal: with_terminal, stdin: true, environment: Vec::new() };
    let (id, session) = engine.docker.exec(&container.name, exec).await.map_err(engine_error)?;
    carry(&engine.docker, session, Target::Exec(id.clone()), with_terminal).await?;
    let code = engine.docker.exec_code(&id).await.map_err(engine_error)?;
    Ok(i32::try_from(code).unwrap_or(1))
}
