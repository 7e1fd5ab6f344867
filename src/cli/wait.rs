//! `wait`, and the waiting of `up --wait`.

use super::args::{Wait, WaitFor};
use super::context::{self, Engine};
use super::remedy::engine_error;
use super::{Code, output, status};
use crate::backend::Backend;
use crate::error::{Error, Kind};
use crate::hooks::activity::Activity;
use crate::manifest::project::AgentKind;
use crate::plan::action::{Plan, SessionPlan, Step};
use crate::plan::observed::ContainerState;
use crate::render::desired::Desired;
use crate::store::Event;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_millis(50);

/// `clauderon wait`.
pub async fn run(file: &[PathBuf], args: &Wait) -> Result<Code, Error> {
    let project = context::project(file)?;
    let mut engine = context::engine().await?;
    let id = engine.id(&project, &args.session);
    engine.one(&project, &args.session)?;
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let session = (args.session.clone(), project.name.clone(), project.root.display().to_string(), id);
    loop {
        let found = status::statuses(&engine, std::slice::from_ref(&session), Vec::new())?;
        let Some(now) = found.first() else { return Ok(1) };
        let ended = matches!(now.state(), "exited" | "stopped" | "failed" | "missing");
        let there = match args.state {
            WaitFor::Exited => ended,
            WaitFor::Idle => now.told.activity == Activity::Idle,
            WaitFor::Waiting => now.told.activity == Activity::Waiting,
        };
        if there {
            return Ok(0);
        }
        if ended {
            return Err(Error::failed(format!("session `{}` has ended: {}", args.session, now.state())));
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::new(
                Kind::TimedOut,
                format!("session `{}` did not come to it in time", args.session),
            ));
        }
        tokio::time::sleep(INTERVAL).await;
        status::refresh(&mut engine).await?;
    }
}

/// Waits until every session has reported its start, or has ended well.
///
/// A session that this run has started must report after `mark`, the newest event before; one that ran already
/// has reported since its container was made.
pub async fn started(
    engine: &Engine,
    desired: &[Desired],
    plan: &Plan,
    mark: i64,
    timeout: Duration,
) -> Result<(), Error> {
    let deadline = Instant::now() + timeout;
    let starts = |session: &&SessionPlan| session.steps.iter().any(|step| matches!(step, Step::Start(_)));
    let started: Vec<&str> = plan.sessions.iter().filter(starts).map(|session| session.id.as_str()).collect();
    let mut open: Vec<&Desired> = desired.iter().collect();
    loop {
        let observed = engine.docker.observe().await.map_err(engine_error)?;
        let ids: Vec<String> = open.iter().map(|desired| desired.id.clone()).collect();
        let events = status::latest(engine, &ids)?;
        let mut left = Vec::new();
        for desired in open {
            let container = observed.session(&desired.id);
            let since = container.map_or(0, |container| container.created);
            let started_now = started.contains(&desired.id.as_str());
            let counts = |event: &Event| {
                event.kind == "SessionStart"
                    && if started_now { event.seq > mark } else { event.seconds() >= since }
            };
            let reported = events.get(&desired.id).is_some_and(|events| events.iter().any(counts));
            match container.map(|container| container.state) {
                Some(ContainerState::Exited(0)) => {}
                Some(ContainerState::Exited(code)) => return Err(ended(engine, desired, code).await),
                None => {
                    return Err(Error::failed(format!(
                        "session `{}` has no container",
                        desired.session.name
                    )));
                }
                _ if reported || silent(desired) => {}
                _ => left.push(desired),
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let names: Vec<&str> = left.iter().map(|desired| desired.session.name.as_str()).collect();
            return Err(Error::new(
                Kind::TimedOut,
                format!("not started within {timeout:?}: {}", names.join(", ")),
            )
            .hint("`clauderon logs` shows what the agent printed, `clauderon attach` what it asks"));
        }
        open = left;
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Codex reports its start only with its first turn: without a prompt there is nothing to wait for.
fn silent(desired: &Desired) -> bool {
    desired.session.agent.kind == AgentKind::Codex && desired.session.prompt.is_none()
}

async fn ended(engine: &Engine, desired: &Desired, code: i64) -> Error {
    let name = &desired.session.name;
    let tail = engine.docker.tail(&desired.container, 10).await.unwrap_or_else(|error| error.to_string());
    output::say(tail.trim_end());
    Error::failed(format!("session `{name}` ended with exit code {code} before it had started"))
        .hint(format!("`clauderon logs {name}` shows all that it printed"))
}
