//! `down`: takes containers away; checkouts and volumes only when asked, and never what would be lost.

use super::alone::Alone;
use super::args::Down;
use super::context::{self, Engine};
use super::ground::{self, Local};
use super::remedy::engine_error;
use super::{Code, host, loss, output, progress, up};
use crate::apply::{Context, apply};
use crate::backend::Backend;
use crate::daemon::record::Record;
use crate::error::{Error, Kind};
use crate::manifest::project::{Checkout, Project};
use crate::plan::up::down;
use crate::plan::volumes::removable;
use crate::worktree;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// `clauderon down`.
pub async fn run(file: &[PathBuf], args: &Down) -> Result<Code, Error> {
    let project = context::project(file)?;
    let _alone = Alone::wait(&host::home()?, &project, "down").await?;
    let engine = context::engine().await?;
    engine.sweep(&project).await?;
    let records = records(&engine, &project, args)?;
    let plan = down(&engine.chosen_or_recorded(&project, &args.sessions, &records)?);
    let display = progress::Display::new();
    let report = |news| display.show(news);
    let host = host::identity(&engine.home);
    let images = BTreeMap::new();
    let ground = Local::new(&project, &host, &engine.docker, &images, Duration::ZERO);
    let context = Context {
        backend: &engine.docker,
        ground: &ground,
        project: &project,
        desired: &[],
        host: &host,
        report: &report,
    };
    up::fail(apply(&context, &plan).await)?;
    // Those too whose containers went away without this: by hand, or by a `down` that did not come to its end.
    let recorded = records.iter().filter(|record| record.active).map(|record| &record.id);
    let ids: BTreeSet<&String> = plan.sessions.iter().map(|session| &session.id).chain(recorded).collect();
    let ids: Vec<String> = ids.into_iter().cloned().collect();
    ground::forget(&engine.home, &ids).await?;
    if args.checkouts {
        remove_checkouts(&engine, &records, args.force).await?;
    }
    if args.volumes {
        remove_volumes(&engine, &project, args).await?;
    }
    if plan.is_empty() {
        output::say(&format!("{}: nothing is up", project.name));
    }
    Ok(0)
}

/// The records of the project's sessions, of those that left the manifest too.
fn records(engine: &Engine, project: &Project, args: &Down) -> Result<Vec<Record>, Error> {
    let all = ground::records(&engine.home)?;
    let ours = all.into_iter().filter(|record| record.root == project.root && record.project == project.name);
    Ok(ours.filter(|record| args.sessions.is_empty() || args.sessions.contains(&record.session)).collect())
}

impl Engine {
    /// The named containers; a session that has only its checkout left is no mistake of the caller's.
    fn chosen_or_recorded(
        &self,
        project: &Project,
        names: &[String],
        records: &[Record],
    ) -> Result<Vec<&crate::plan::observed::Container>, Error> {
        let rest: Vec<String> = names
            .iter()
            .filter(|name| !records.iter().any(|record| record.session == **name))
            .cloned()
            .collect();
        if !rest.is_empty() {
            self.chosen(project, &rest)?;
        }
        let wanted = |session: &str| names.is_empty() || names.iter().any(|name| name == session);
        Ok(self
            .of_project(project)
            .into_iter()
            .filter(|container| wanted(container.label("session")))
            .collect())
    }
}

async fn remove_checkouts(engine: &Engine, records: &[Record], force: bool) -> Result<(), Error> {
    let mut losses = Vec::new();
    for record in records {
        let found = blocking(record, loss::losses).await?;
        losses.extend(found.into_iter().map(|loss| format!("\n  {}: {loss}", record.session)));
    }
    if !losses.is_empty() && !force {
        return Err(Error::new(
            Kind::Refused,
            format!("the checkouts hold what is nowhere else:{}", losses.concat()),
        )
        .hint("commit it in the checkout and run `clauderon pull`, or agree to lose it with `--force`"));
    }
    for record in records {
        blocking(record, loss::remove_checkout).await?;
        output::say(&match record.kind {
            Checkout::Shared => format!(" Checkout of {} ended: your working tree stays", record.session),
            _ => format!(" Checkout of {} removed", record.session),
        });
    }
    let _ = engine;
    Ok(())
}

async fn blocking<T: Send + 'static>(
    record: &Record,
    act: fn(&Record) -> Result<T, worktree::error::Error>,
) -> Result<T, Error> {
    let record = record.clone();
    let session = record.session.clone();
    let done = tokio::task::spawn_blocking(move || act(&record)).await;
    let done = done.map_err(|error| Error::failed("a task ended early").because(error))?;
    done.map_err(|error| {
        Error::failed(format!("session `{session}`: the checkout could not be looked at")).because(error)
    })
}

/// The volumes that belong to the project alone, each one named; one that something else uses stays.
async fn remove_volumes(engine: &Engine, project: &Project, args: &Down) -> Result<(), Error> {
    let volumes = engine.docker.volumes().await.map_err(engine_error)?;
    for volume in removable(&volumes, project, &engine.owner, &args.sessions) {
        let name = &volume.name;
        let users = engine.docker.remove_volume(name).await.map_err(engine_error)?;
        if users.is_empty() {
            output::say(&format!(" Volume {name} removed"));
        } else {
            output::say(&format!(" Volume {name} kept: still in use by {}", users.join(", ")));
        }
    }
    Ok(())
}
