//! The foreground of `up`: what the sessions report, until they have all ended or the user has had enough. At rest it
//! does nothing: the store tells when it has grown, the engine when a container has ended.

use super::context::Engine;
use super::remedy::{daemon_error, engine_error};
use super::top::Live;
use super::top::board::Wish;
use super::top::source::{Scope, Source};
use super::{condition, events, ground, output, status};
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
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

/// How often the engine is looked at beside what it tells.
const LOOK: Duration = Duration::from_secs(30);
/// The same while it is away, and where all seem to have ended: the daemon has the time to start again what is to be.
const SOON: Duration = Duration::from_secs(1);

/// How the foreground was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The sessions have ended, or were stopped.
    Over,
    /// They go on without it.
    Going,
}

/// Follows the sessions, while the files of their manifest are watched. Ctrl-C stops them; so does SIGTERM.
pub async fn follow(
    engine: &Engine,
    desired: &[Desired],
    mut view: View,
    watching: impl Future<Output = Result<(), Error>>,
    mut talk: UnboundedReceiver<String>,
) -> Result<Left, Error> {
    let mut watching = std::pin::pin!(watching.fuse());
    let failed = |error| Error::failed("signals cannot be received").because(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let (mut ends, mut listening) = (engine.docker.ends(), true);
    let (mut look, mut next) = (Look::default(), Instant::now());
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            Some(line) = talk.recv() => view.say(&line),
            wish = view.next(engine) => match wish? {
                Wish::Interrupt => break,
                Wish::Leave => {
                    drop(view);
                    output::say("left running; `clauderon top` shows them, `clauderon stop` stops them");
                    return Ok(Left::Going);
                }
                wish => {
                    // Edits are seen while the terminal is another's.
                    let mut granted = std::pin::pin!(view.grant(wish));
                    loop {
                        tokio::select! {
                            done = &mut granted => break done?,
                            watched = &mut watching, if !watching.is_terminated() => watched?,
                        }
                    }
                }
            },
            end = ends.next(), if listening => {
                // The engine is listened to again once it answers.
                listening = end.is_some();
                next = Instant::now();
            }
            () = tokio::time::sleep_until(next) => {
                if look.all_ended(engine, desired, &mut view).await? {
                    view.last(engine)?;
                    return Ok(Left::Over);
                }
                next = Instant::now() + if look.away || look.ended { SOON } else { LOOK };
                if !listening && !look.away {
                    (ends, listening) = (engine.docker.ends(), true);
                }
            }
            watched = &mut watching, if !watching.is_terminated() => watched?,
        }
    }
    drop(view);
    output::say("stopping");
    stop(engine, desired).await?;
    Ok(Left::Over)
}

/// What the foreground looks like.
pub enum View {
    /// A line for each event.
    Lines {
        /// Tells of more.
        growth: Growth,
        /// What was not shown yet.
        filter: Filter,
    },
    /// The sessions as they are.
    Live(Box<Live>),
}

impl View {
    /// Lines, from here on.
    pub fn lines(engine: &Engine, desired: &[Desired]) -> Result<Self, Error> {
        output::say("following; Ctrl-C stops the sessions, `clauderon up -d` leaves them running");
        let ids: Vec<String> = desired.iter().map(|desired| desired.id.clone()).collect();
        let growth = Growth::of_store(&engine.home.database());
        let newest = status::reader(engine)?.and_then(|reader| reader.last_seq().ok()).unwrap_or(0);
        Ok(Self::Lines { growth, filter: Filter { ids: Some(ids), after: newest, limit: 1000 } })
    }

    /// The sessions as they are, on a terminal.
    pub async fn live(engine: Engine, desired: &[Desired], title: String) -> Result<Self, Error> {
        let ids = desired.iter().map(|desired| desired.id.clone()).collect();
        let docker = engine.docker.clone();
        let source = Source::begin(engine, Scope::Ids(ids)).await?;
        Ok(Self::Live(Box::new(Live::begin(source, docker, title, true)?)))
    }

    fn say(&mut self, line: &str) {
        match self {
            Self::Lines { .. } => output::say(line),
            Self::Live(live) => live.say(line),
        }
    }

    /// Goes on until something is asked for. It may be left at any moment.
    async fn next(&mut self, engine: &Engine) -> Result<Wish, Error> {
        match self {
            Self::Live(live) => live.next().await,
            Self::Lines { growth, .. } => {
                growth.grown().await;
                self.last(engine)?;
                Ok(Wish::Nothing)
            }
        }
    }

    async fn grant(&mut self, wish: Wish) -> Result<(), Error> {
        match self {
            Self::Live(live) => live.grant(wish).await,
            Self::Lines { .. } => Ok(()),
        }
    }

    /// Shows all that is new.
    fn last(&mut self, engine: &Engine) -> Result<(), Error> {
        if let Self::Lines { filter, .. } = self {
            while events::show_new(engine, filter)? > 0 {}
        }
        Ok(())
    }
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
    async fn all_ended(
        &mut self,
        engine: &Engine,
        desired: &[Desired],
        view: &mut View,
    ) -> Result<bool, Error> {
        let observed = match engine.docker.observe().await {
            Err(backend::Error::Unreachable { .. }) => {
                if !std::mem::replace(&mut self.away, true) {
                    view.say("the engine is away; the sessions are followed again when it is back");
                }
                self.ended = false;
                return Ok(false);
            }
            observed => observed.map_err(engine_error)?,
        };
        if std::mem::replace(&mut self.away, false) {
            view.say("the engine is back");
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
