//! `attach` and what `exec` shares with it: a real terminal on both ends, its size kept in step.

use super::args::Attach;
use super::remedy::engine_error;
use super::{Code, context, output, terminal};
use crate::backend::docker::Docker;
use crate::backend::docker::stream::{Input, Output, Session};
use crate::error::Error;
use crate::plan::observed::ContainerState;
use futures_util::StreamExt;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

/// Whose terminal it is.
#[derive(Clone)]
pub enum Target {
    /// A container's.
    Container(String),
    /// An execution's.
    Exec(String),
}

/// `clauderon attach`.
pub async fn run(file: &[PathBuf], args: &Attach) -> Result<Code, Error> {
    let project = context::project(file)?;
    let engine = context::engine().await?;
    let container = engine.one(&project, &args.session)?;
    let name = &args.session;
    if container.state != ContainerState::Running {
        return Err(Error::failed(format!("session `{name}` does not run"))
            .hint(format!("`clauderon start {name}` goes on with its conversation")));
    }
    if container.label("mode") == "batch" {
        return Err(Error::failed(format!("session `{name}` is a batch session and has no terminal"))
            .hint(format!("`clauderon logs -f {name}` follows it")));
    }
    let keys = args.detach_keys.as_deref();
    let session = engine.docker.attach(&container.name, keys).await.map_err(engine_error)?;
    carry(&engine.docker, session, Target::Container(container.name.clone()), true).await?;
    Ok(0)
}

/// Carries bytes both ways until the container's side ends.
pub async fn carry(docker: &Docker, session: Session, target: Target, terminal: bool) -> Result<(), Error> {
    let Session { mut output, input } = session;
    // Heard before the terminal is changed: who ended the program in between would have a raw terminal left.
    let told_to_end = told_to_end();
    let raw = if terminal { terminal::Raw::enter() } else { None };
    let resizer = terminal.then(|| tokio::spawn(follow_size(docker.clone(), target)));
    let typist = tokio::spawn(type_in(input));
    let ended = tokio::select! {
        ended = show(&mut output) => ended,
        () = told_to_end => Err(Error::failed("the terminal was left: the program was told to end")),
    };
    typist.abort();
    if let Some(resizer) = resizer {
        resizer.abort();
    }
    drop(raw);
    ended
}

/// Shows what comes, until it ends or nobody reads it. The program must not be left from here: the terminal is raw.
async fn show(output: &mut Output) -> Result<(), Error> {
    while let Some(chunk) = output.next().await {
        let chunk = chunk.map_err(engine_error)?;
        if chunk.error {
            output::error_bytes(&chunk.bytes);
        } else if !output::taken(&chunk.bytes) {
            return Ok(());
        }
    }
    Ok(())
}

/// Listens from here on, and comes with SIGTERM, SIGHUP or SIGINT; the keys of a raw terminal are no signals.
fn told_to_end() -> impl Future<Output = ()> {
    let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
    let waits = kinds.map(|kind| {
        let heard = signal(kind);
        Box::pin(async move {
            match heard {
                Ok(mut comes) => drop(comes.recv().await),
                Err(_) => std::future::pending().await,
            }
        })
    });
    async { drop(futures_util::future::select_all(waits).await) }
}

async fn type_in(mut input: Input) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 4096];
    loop {
        match stdin.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                let written = input.write_all(&buffer[..count]).await;
                if written.is_err() || input.flush().await.is_err() {
                    return;
                }
            }
        }
    }
    // The other side has gone already where this fails.
    let _ = input.shutdown().await;
}

async fn follow_size(docker: Docker, target: Target) {
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
    loop {
        if let Some((rows, columns)) = terminal::size() {
            // A container that has just ended cannot be resized; the output tells of its end.
            let _ = match &target {
                Target::Container(name) => docker.resize(name, rows, columns).await,
                Target::Exec(id) => docker.resize_exec(id, rows, columns).await,
            };
        }
        if changes.recv().await.is_none() {
            return;
        }
    }
}
