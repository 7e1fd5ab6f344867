//! The foreground of `up`: what the sessions report, until they have all ended or the user has had enough. At rest it
//! does nothing: the store tells when it has grown, the engine when a container has ended.

use super::context::Engine;
use super::remedy::engine_error;
use super::{Code, events, output, status};
use crate::apply::GRACE;
use crate::backend::Backend;
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
/// How long the events of an end may take to the store.
const LAST_WORDS: Duration = Duration::from_millis(300);

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
    let (mut ends, mut listening, mut away) = (engine.docker.ends(), true, false);
    let mut look = Instant::now();
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = growth.grown() => show(engine, &mut filter)?,
            end = ends.next(), if listening => match end {
                Some(()) => look = Instant::now(),
                // The engine is listened to again once it answers.
                None => listening = false,
            },
            () = tokio::time::sleep_until(look) => {
                look = Instant::now() + LOOK;
                if over(engine, desired, &mut away).await {
                    tokio::time::sleep(LAST_WORDS).await;
                    show(engine, &mut filter)?;
                    return Ok(0);
                }
                if !listening && !away {
                    (ends, listening) = (engine.docker.ends(), true);
                }
            }
            watched = &mut watching, if !watching.is_terminated() => watched?,
        }
    }
    output::say("stopping");
    let stops = desired.iter().map(|desired| engine.docker.stop(&desired.container, GRACE));
    let outcomes: Vec<_> = futures_util::stream::iter(stops).buffer_unordered(8).collect().await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>().map_err(engine_error)?;
    Ok(0)
}

/// Shows all that is new.
fn show(engine: &Engine, filter: &mut Filter) -> Result<(), Error> {
    while events::show_new(engine, filter)? > 0 {}
    Ok(())
}

/// Whether all have ended. Where the engine is away, it is not known: that is said once.
async fn over(engine: &Engine, desired: &[Desired], away: &mut bool) -> bool {
    let ended = all_ended(engine, desired).await;
    if let Err(error) = &ended
        && !*away
    {
        output::say(&format!("{error}; it is looked at again every {} s", LOOK.as_secs()));
    }
    *away = ended.is_err();
    ended.unwrap_or(false)
}

async fn all_ended(engine: &Engine, desired: &[Desired]) -> Result<bool, Error> {
    let observed = engine.docker.observe().await.map_err(engine_error)?;
    let runs = |desired: &Desired| {
        let state = observed.session(&desired.id).map(|container| container.state);
        matches!(state, Some(ContainerState::Running | ContainerState::Restarting | ContainerState::Created))
    };
    Ok(!desired.iter().any(runs))
}
