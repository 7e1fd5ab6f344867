//! The foreground of `up`: what the sessions report, until they have all ended or the user has had enough. At rest it
//! does nothing: the store tells when it has grown, the engine when a container has ended.

use super::context::Engine;
use super::remedy::{daemon_error, engine_error};
use super::{Code, condition, events, ground, output, status};
use crate::apply::GRACE;
use crate::backend::{self, Backend};
use crate::error::Error;
use crate::plan::observed::ContainerState;
use crate::render::desired::Desired;
use crate::store::Filter;
use crate::watch::growth::Growth;
use futures_util::future::FusedFuture;
use futures_util::{FutureExt, StreamExt};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// How often the engine is looked at beside what it tells.
const LOOK: Duration = Duration::from_secs(30);
/// The same while it is away, and where all seem to have ended: the daemon has the time to start again what is to be.
const SOON: Duration = Duration::from_secs(1);

/// Follows the sessions, while the files of their manifest are watched. Ctrl-C stops them; so does SIGTERM.
pub async fn follow(
    engine: &Engine,
    desired: &[Desired],
    watching: impl Future<Output = Result<(), Error>>,
) -> Result<Code, Error> {
    let mut watching = std::pin::pin!(watching.fuse());
    let failed = |error| Error::failed("signals cannot be received").because(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    output::say("following; Ctrl-C stops the sessions, `clauderon up -d` leaves them running");
    let ids: Vec<String> = desired.iter().map(|desired| desired.id.clone()).collect();
    let mut growth = Growth::of_store(&engine.home.database());
    let newest = status::reader(engine)?.and_then(|reader| reader.last_seq().ok()).unwrap_or(0);
    let mut filter = Filter { ids: Some(ids), after: newest, limit: 1000 };
    let (mut ends, mut listening) = (engine.docker.ends(), true);
    let (mut look, mut next) = (Look::default(), Instant::now());
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = growth.grown() => show(engine, &mut filter)?,
            end = ends.next(), if listening => {
                // The engine is listened to again once it answers.
                listening = end.is_some();
                next = Instant::now();
            }
            () = tokio::time::sleep_until(next) => {
                if look.all_ended(engine, desired).await? {
                    show(engine, &mut filter)?;
                    return Ok(0);
                }
                next = Instant::now() + if look.away || look.ended { SOON } else { LOOK };
                if !listening && !look.away {
                    (ends, listening) = (engine.docker.ends(), true);
                }
            }
            watched = &mut watching, if !watching.is_terminated() => watched?,
        }
    }
    output::say("stopping");
    stop(engine, desired).await?;
    Ok(0)
}

/// Shows all that is new.
fn show(engine: &Engine, filter: &mut Filter) -> Result<(), Error> {
    while events::show_new(engine, filter)? > 0 {}
    Ok(())
}

/// Stops every session, whatever its container is called by now.
async fn stop(engine: &Engine, desired: &[Desired]) -> Result<(), Error> {
    let ids: Vec<String> = desired.iter().map(|desired| desired.id.clone()).collect();
    ground::daemon(&engine.home).await?.want(&ids, false).await.map_err(daemon_error)?;
    let observed = engine.docker.observe().await.map_err(engine_error)?;
    let containers = ids.iter().filter_map(|id| observed.session(id));
    let stops = containers.map(|container| engine.docker.stop(&container.backend_id, GRACE));
    let outcomes: Vec<_> = futures_util::stream::iter(stops).buffer_unordered(8).collect().await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>().map(drop).map_err(engine_error)
}

/// Looks at the engine from time to time.
#[derive(Default)]
struct Look {
    away: bool,
    /// Whether all had ended at the look before: the daemon has had the time to start again what is to be.
    ended: bool,
}

impl Look {
    async fn all_ended(&mut self, engine: &Engine, desired: &[Desired]) -> Result<bool, Error> {
        let observed = match engine.docker.observe().await {
            Err(backend::Error::Unreachable { .. }) => {
                if !std::mem::replace(&mut self.away, true) {
                    output::say("the engine is away; the sessions are followed again when it is back");
                }
                self.ended = false;
                return Ok(false);
            }
            observed => observed.map_err(engine_error)?,
        };
        if std::mem::replace(&mut self.away, false) {
            output::say("the engine is back");
        }
        let goes_on = |desired: &Desired| {
            observed.session(&desired.id).is_some_and(|container| match container.state {
                ContainerState::Running | ContainerState::Restarting | ContainerState::Created => true,
                ContainerState::Exited(_) | ContainerState::Dead => {
                    condition::life(&engine.home, container).is_some_and(|life| life.due.is_some())
                }
            })
        };
        let ended = !desired.iter().any(goes_on);
        Ok(std::mem::replace(&mut self.ended, ended) && ended)
    }
}
