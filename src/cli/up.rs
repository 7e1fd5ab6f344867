//! `up`: read, resolve, render, observe, plan, apply.

use super::alone::Alone;
use super::args::{Format, Up};
use super::context::{self, Engine};
use super::edited::Edited;
use super::follow::{Left, View};
use super::ground::Local;
use super::named::Named;
use super::{
    Code, address, consent, follow, host, images, lend, output, plan, progress, remedy, sources, status,
    terminal, wait, watch,
};
use crate::apply::progress::Report;
use crate::apply::{Context, Failure, apply};
use crate::error::{Error, Kind};
use crate::manifest::project::Project;
use crate::plan::action::Plan;
use crate::plan::images::fetches;
use crate::plan::observed::Observed;
use crate::plan::up::{Options, up};
use crate::render::desired::{Desired, desired};
use crate::render::facts::{HostFacts, ImageFacts};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that a plan was made from.
pub struct Planned {
    project: Project,
    engine: Engine,
    looked: Looked,
    /// Held from the look on, where something is to be done.
    alone: Option<Alone>,
}

struct Looked {
    desired: Vec<Desired>,
    plan: Plan,
    found: lend::Founds,
    images: BTreeMap<String, ImageFacts>,
}

impl Planned {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.looked.plan
    }
}

/// `clauderon up`.
pub async fn run(file: &[PathBuf], args: &Up) -> Result<Code, Error> {
    let edited = Edited::read(file)?;
    let project = edited.project().clone();
    let named = Named::new(file, &project)?;
    let sessions = context::chosen(&project, &args.sessions)?;
    if !args.dry_run {
        let home = host::home()?;
        sources::refuse(&project, &home, &address::engine()?)?;
        consent::ask(&home, &project, &sessions, args.yes)?;
    }
    let display = progress::Display::new();
    let report = |news| display.show(news);
    let options = Options { recreate: args.recreate, renew: args.renew, now: args.now };
    let fetch: Option<&Report> = if args.dry_run { None } else { Some(&report) };
    let planned = planned(&project, &Asked { names: &args.sessions, options, fetch }).await?;
    if args.dry_run {
        plan::print(planned.plan(), Format::Text);
        return Ok(0);
    }
    // Somebody may have been asked, or another have been waited for.
    edited.unchanged()?;
    plan::say(planned.plan());
    let mark = newest(&planned.engine)?;
    carry_out(&planned, &edited, args.idle_timeout, &report).await?;
    planned.alone.iter().for_each(Alone::let_go);
    let (engine, desired) = (&planned.engine, &planned.looked.desired);
    if args.wait {
        wait::started(engine, desired, planned.plan(), mark, args.wait_timeout).await?;
    }
    if args.detach || args.wait {
        if args.no_watch {
            watch::leave_alone(&engine.home, &project.root)?;
        } else {
            watch::leave(&engine.home, &named)?;
        }
        return Ok(0);
    }
    let (teller, talk) = tokio::sync::mpsc::unbounded_channel();
    // Nobody hears it once the foreground is left.
    let say = |line: &str| drop(teller.send(line.to_owned()));
    let watching = async {
        if args.no_watch {
            return watch::leave_alone(&engine.home, &project.root);
        }
        watch::foreground(engine.home.clone(), named.clone(), &project, &say).await
    };
    let view = if args.plain || !terminal::is_interactive() {
        View::lines(engine, desired)?
    } else {
        View::live(context::engine().await?, desired, format!("clauderon up: {}", project.name)).await?
    };
    if follow::follow(engine, desired, view, watching, talk).await? == Left::Going && !args.no_watch {
        watch::leave(&engine.home, &named)?;
    }
    Ok(0)
}

/// Does what is planned. What is live holds before anything is waited for.
async fn carry_out(
    planned: &Planned,
    edited: &Edited,
    patience: Duration,
    report: &Report<'_>,
) -> Result<(), Error> {
    let Planned { project, engine, looked: Looked { desired, plan, found, images }, alone } = planned;
    let host = HostFacts { found: found.clone(), ..host::facts(&engine.home) };
    let ground = Local::new(project, &host, &engine.docker, images, patience).of_up(edited, alone.as_ref());
    ground.serve_all(desired).await?;
    lend::hand(&engine.home, desired, found).await?;
    if plan.is_empty() {
        output::say(&format!("{}: {} up to date", project.name, count(desired.len())));
        return Ok(());
    }
    if let Some(alone) = alone {
        alone.begin(plan.sessions.iter().map(|session| session.id.as_str()));
    }
    let context = Context { backend: &engine.docker, ground: &ground, project, desired, host: &host, report };
    fail(apply(&context, plan).await)
}

/// The number of the newest event.
fn newest(engine: &Engine) -> Result<i64, Error> {
    let read = |reader: crate::store::Reader| {
        reader.last_seq().map_err(|error| Error::failed("could not read the events").because(error))
    };
    status::reader(engine)?.map_or(Ok(0), read)
}

/// What a plan is made with.
pub struct Asked<'a> {
    /// The sessions, or all.
    pub names: &'a [String],
    /// What was asked for beside the manifest.
    pub options: Options,
    /// Who is told of images that are got; without, none is.
    pub fetch: Option<&'a Report<'a>>,
}

/// What the next `up` would do, for a look alone.
pub async fn changes(project: &Project, engine: &Engine) -> Result<Plan, Error> {
    let asked = Asked { names: &[], options: Options::default(), fetch: None };
    Ok(look(project, engine, &asked).await?.plan)
}

/// Looks at everything and plans.
pub async fn planned(project: &Project, asked: &Asked<'_>) -> Result<Planned, Error> {
    // A wrong name is told before the engine is asked.
    context::chosen(project, asked.names)?;
    let alone = match asked.fetch {
        Some(_) => Some(Alone::wait(&host::home()?, project, "up").await?),
        None => None,
    };
    let engine = context::engine().await?;
    if alone.is_some() {
        engine.sweep(project).await?;
    }
    let looked = look(project, &engine, asked).await?;
    Ok(Planned { project: project.clone(), engine, looked, alone })
}

async fn look(project: &Project, engine: &Engine, asked: &Asked<'_>) -> Result<Looked, Error> {
    let sessions = context::chosen(project, asked.names)?;
    let images = images::resolve(&engine.docker, project, &sessions, asked.fetch, &engine.owner).await?;
    let found = lend::found(&engine.home, project, &sessions);
    let host = HostFacts { found: found.clone(), ..host::identity(&engine.home) };
    let desired: Vec<Desired> = sessions
        .iter()
        .map(|session| {
            let reference = images::reference(project, session);
            let id = images.get(&reference).map_or("", |facts| facts.id.as_str());
            desired(project, session, &host, (&reference, id))
        })
        .collect();
    let ids: Vec<String> = desired.iter().map(|desired| desired.id.clone()).collect();
    let observed = Observed { known: status::known(engine, &ids)?, ..engine.observed.clone() };
    let mut plan = up(&desired, &observed, asked.options).map_err(|refusal| {
        Error::new(Kind::Refused, refusal.to_string())
            .hint("take it down there, or give this project another `name:`")
    })?;
    if asked.fetch.is_none() {
        let (fetches, notes) = fetches(&desired, |reference| images.contains_key(reference));
        plan.images = fetches;
        plan.notes.extend(notes);
    }
    Ok(Looked { desired, plan, found, images })
}

/// One sentence for all that failed; the first cause in full.
pub fn fail(failures: Vec<Failure>) -> Result<(), Error> {
    let others = failures.len().saturating_sub(1);
    let Some(first) = failures.into_iter().next() else { return Ok(()) };
    let mut message = first.to_string();
    if others > 0 {
        message.push_str(&format!(" (and {others} more failed)"));
    }
    let cause = match first.source {
        crate::apply::Error::Backend(error) => remedy::engine_error(error),
        crate::apply::Error::Ground(error) => error,
        other => Error::failed(other.to_string()),
    };
    let mut error = Error::new(cause.kind, message);
    error.hints.clone_from(&cause.hints);
    Err(error.because(cause))
}

/// A number of sessions, in words.
pub fn count(sessions: usize) -> String {
    if sessions == 1 { "1 session".to_owned() } else { format!("{sessions} sessions") }
}
