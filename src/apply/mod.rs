//! Walks a plan over a backend with bounded concurrency. Decides nothing: what is done, and why, stands in the plan.

pub mod ground;
pub mod progress;
pub mod volumes;

use crate::backend::{self, Backend};
use crate::manifest::project::Project;
use crate::plan::action::{Plan, SessionPlan, Step};
use crate::render::desired::{Desired, container};
use crate::render::facts::{CheckoutFacts, HostFacts, SessionFacts};
use ground::Ground;
use progress::{Progress, Report};
use std::time::Duration;
use tokio::sync::Semaphore;
use volumes::Volumes;

/// Sessions worked on at a time, those not counted that wait for their agents. Calls to create and start stop getting faster beyond 4 to 8 in flight
/// (Engine 20.10 on 2 cores); without a network a few more still help.
const CONCURRENCY: usize = 8;

/// The time that an agent has to end after it was asked to.
pub const GRACE: Duration = Duration::from_secs(10);

/// What a plan is applied with.
pub struct Context<'a> {
    /// Where containers are made.
    pub backend: &'a dyn Backend,
    /// Checkouts, files and the daemon.
    pub ground: &'a dyn Ground,
    /// The project.
    pub project: &'a Project,
    /// What is to exist; empty where a plan only takes away.
    pub desired: &'a [Desired],
    /// Facts of the host.
    pub host: &'a HostFacts,
    /// Who is told of the progress.
    pub report: &'a Report<'a>,
}

/// One session whose steps did not all succeed.
#[derive(Debug, thiserror::Error)]
#[error("session `{session}`: could not {step}")]
pub struct Failure {
    /// The session.
    pub session: String,
    /// What was tried, in words.
    pub step: &'static str,
    /// Why not.
    #[source]
    pub source: Error,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The backend refused.
    #[error(transparent)]
    Backend(#[from] backend::Error),
    /// The checkout, a file, or the daemon.
    #[error(transparent)]
    Ground(#[from] crate::error::Error),
    /// A plan that speaks of a session that is not desired.
    #[error("the plan names `{0}`, which nothing describes")]
    Unknown(String),
    /// The container is there, but nothing said what to make it from.
    #[error("the plan makes a container before its files")]
    OutOfOrder,
}

/// Applies a plan. A failure of one session stops that session alone.
pub async fn apply(context: &Context<'_>, plan: &Plan) -> Vec<Failure> {
    let volumes = Volumes::default();
    let places = Semaphore::new(CONCURRENCY);
    let walked = |session| {
        let walk = walk(context, &volumes, &places, session);
        async move {
            let walked = walk.await;
            context.ground.over(session);
            walked
        }
    };
    let sessions = plan.sessions.iter().map(walked);
    let outcomes = futures_util::future::join_all(sessions).await;
    outcomes.into_iter().filter_map(Result::err).collect()
}

async fn walk(
    context: &Context<'_>,
    volumes: &Volumes,
    places: &Semaphore,
    session: &SessionPlan,
) -> Result<(), Failure> {
    let (mut made, mut place) = (Made::default(), None);
    for step in &session.steps {
        if place.is_none() && *step != Step::AwaitIdle {
            place = places.acquire().await.ok();
        }
        (context.report)(Progress::doing(session, step));
        if let Err(source) = perform(context, volumes, session, step, &mut made).await {
            (context.report)(Progress::failed(session));
            return Err(Failure { session: session.session.clone(), step: progress::verb(step), source });
        }
    }
    (context.report)(Progress::done(session));
    Ok(())
}

/// What earlier steps of a session have brought for later ones.
#[derive(Default)]
struct Made {
    checkout: Option<CheckoutFacts>,
    facts: Option<SessionFacts>,
}

async fn perform(
    context: &Context<'_>,
    volumes: &Volumes,
    session: &SessionPlan,
    step: &Step,
    made: &mut Made,
) -> Result<(), Error> {
    let backend = context.backend;
    match step {
        Step::AwaitIdle => context.ground.idle(session).await?,
        Step::Serve => context.ground.serve(desired(context, session)?).await?,
        Step::Checkout => made.checkout = Some(context.ground.checkout(desired(context, session)?).await?),
        Step::Prepare => {
            let checkout = made.checkout.clone().ok_or(Error::OutOfOrder)?;
            let desired = desired(context, session)?;
            made.facts = Some(context.ground.prepare(desired, checkout, session.conversation).await?);
        }
        Step::Create(_) => {
            let facts = made.facts.as_ref().ok_or(Error::OutOfOrder)?;
            let spec = container(context.project, desired(context, session)?, context.host, facts);
            volumes.ensure(context, &spec).await?;
            backend.create(&spec).await?;
        }
        Step::Rename(name, to) => backend.name(name, to).await?,
        Step::Start(name) => backend.start(name).await?,
        Step::Stop(name) => {
            context.ground.ends(&session.id).await;
            backend.stop(name, GRACE).await?;
        }
        Step::Import => context.ground.import(&session.id).await?,
        Step::Remove(name) => {
            context.ground.ends(&session.id).await;
            backend.remove(name).await?;
        }
    }
    Ok(())
}

fn desired<'a>(context: &Context<'a>, session: &SessionPlan) -> Result<&'a Desired, Error> {
    let found = context.desired.iter().find(|desired| desired.id == session.id);
    found.ok_or_else(|| Error::Unknown(session.session.clone()))
}
