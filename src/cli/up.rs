//! `up` and `plan`: read, resolve, render, observe, plan, apply.

use super::args::{Format, Plan as PlanArgs, Up};
use super::context::{self, Engine};
use super::ground::Local;
use super::{
    Code, address, consent, follow, host, images, lend, output, progress, remedy, sources, status, wait,
};
use crate::apply::{Context, Failure, apply};
use crate::error::{Error, Kind};
use crate::manifest::project::Project;
use crate::plan::action::Plan;
use crate::plan::images::{Fetch, fetches};
use crate::plan::up::{Options, up};
use crate::render::desired::{Desired, desired};
use crate::render::facts::HostFacts;
use std::path::PathBuf;

/// Everything that a plan was made from.
struct Planned {
    project: Project,
    engine: Engine,
    desired: Vec<Desired>,
    plan: Plan,
    found: lend::Founds,
    images: std::collections::BTreeMap<String, crate::render::facts::ImageFacts>,
}

/// `clauderon up`.
pub async fn run(file: &[PathBuf], args: &Up) -> Result<Code, Error> {
    let project = context::project(file)?;
    let sessions = context::chosen(&project, &args.sessions)?;
    if !args.dry_run {
        let home = host::home()?;
        sources::refuse(&project, &home, &address::engine()?)?;
        consent::ask(&home, &project, &sessions, args.yes)?;
    }
    let display = progress::Display::new();
    let report = |news| display.show(news);
    let fetch: Option<&crate::apply::progress::Report> = if args.dry_run { None } else { Some(&report) };
    let planned = planned(&project, &args.sessions, args.recreate, fetch).await?;
    if args.dry_run {
        print_plan(&planned.plan, Format::Text);
        return Ok(0);
    }
    for note in &planned.plan.notes {
        output::say(&format!("note: {note}"));
    }
    let mark = newest(&planned.engine)?;
    let host = HostFacts { found: planned.found.clone(), ..host::facts(&planned.engine.home) };
    let ground = Local::new(&planned.project, &host, &planned.engine.docker, &planned.images);
    ground.serve(&planned.desired).await?;
    lend::hand(&planned.engine.home, &planned.desired, &planned.found).await?;
    if planned.plan.is_empty() {
        output::say(&format!("{}: {} up to date", project.name, count(planned.desired.len())));
    } else {
        let context = Context {
            backend: &planned.engine.docker,
            ground: &ground,
            project: &planned.project,
            desired: &planned.desired,
            host: &host,
            report: &report,
        };
        fail(apply(&context, &planned.plan).await)?;
    }
    if args.wait {
        wait::started(&planned.engine, &planned.desired, &planned.plan, mark, args.wait_timeout).await?;
    }
    if args.detach || args.wait {
        return Ok(0);
    }
    follow::follow(&planned.engine, &planned.desired).await
}

/// The number of the newest event.
fn newest(engine: &Engine) -> Result<i64, Error> {
    let read = |reader: crate::store::Reader| {
        reader.last_seq().map_err(|error| Error::failed("could not read the events").because(error))
    };
    status::reader(engine)?.map_or(Ok(0), read)
}

/// `clauderon plan`.
pub async fn plan(file: &[PathBuf], args: &PlanArgs) -> Result<Code, Error> {
    let project = context::project(file)?;
    let planned = planned(&project, &args.sessions, false, None).await?;
    print_plan(&planned.plan, args.format);
    Ok(if args.exit_code && !planned.plan.is_empty() { 5 } else { 0 })
}

async fn planned(
    project: &Project,
    names: &[String],
    recreate: bool,
    fetch: Option<&crate::apply::progress::Report<'_>>,
) -> Result<Planned, Error> {
    let sessions = context::chosen(project, names)?;
    let engine = context::engine().await?;
    let images = images::resolve(&engine.docker, project, &sessions, fetch).await?;
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
    let mut plan = up(&desired, &engine.observed, Options { recreate }).map_err(|refusal| {
        Error::new(Kind::Refused, refusal.to_string())
            .hint("take it down there, or give this project another `name:`")
    })?;
    if fetch.is_none() {
        let (fetches, notes) = fetches(&desired, |reference| images.contains_key(reference));
        plan.images = fetches;
        plan.notes.extend(notes);
    }
    Ok(Planned { project: project.clone(), engine, desired, plan, images, found })
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

fn print_plan(plan: &Plan, format: Format) {
    match format {
        Format::Json => {
            let images = plan.images.iter().flat_map(image_actions);
            let actions: Vec<_> = images.chain(plan.sessions.iter().flat_map(actions)).collect();
            let mut summary = format!("{} to change", count(plan.sessions.len()));
            if !plan.images.is_empty() {
                summary.push_str(&format!(", images to get: {}", plan.images.len()));
            }
            output::data(&format!("{:#}\n", serde_json::json!({ "actions": actions, "summary": summary })));
        }
        Format::Text if !plan.is_empty() => output::data(&plan.to_string()),
        Format::Text if plan.images.is_empty() => output::data(&format!("{plan}nothing to do\n")),
        Format::Text => output::data(&format!("{plan}nothing else to do, unless the image has changed\n")),
    }
}

/// The actions for an image: one a session.
fn image_actions(fetch: &Fetch) -> Vec<serde_json::Value> {
    let one = |session| {
        serde_json::json!({
            "op": fetch.op, "session": session, "target": fetch.reference,
            "reason": { "field": fetch.reason, "old": null, "new": null }, "effect": "create",
        })
    };
    fetch.sessions.iter().map(one).collect()
}

/// The actions of a session as the JSON of `plan`: one a reason.
fn actions(session: &crate::plan::action::SessionPlan) -> Vec<serde_json::Value> {
    let one = |reason| {
        serde_json::json!({
            "op": session.effect, "session": session.session, "target": session.id,
            "reason": reason, "effect": session.effect,
        })
    };
    session.reasons.iter().map(one).collect()
}

fn count(sessions: usize) -> String {
    if sessions == 1 { "1 session".to_owned() } else { format!("{sessions} sessions") }
}
