//! `down`: takes containers away; checkouts and volumes only when asked, and never what would be lost.

use super::alone::Alone;
use super::args::{Down, Format};
use super::context::{self, Engine};
use super::ground::{self, Local};
use super::judged::{self, Checkout};
use super::remedy::engine_error;
use super::{Code, host, output, progress, up};
use crate::apply::{Context, apply};
use crate::backend::Backend;
use crate::daemon::record::Record;
use crate::error::Error;
use crate::manifest::project::Project;
use crate::plan::action::{Plan, Step};
use crate::plan::up::down;
use crate::plan::volumes::removable;
use serde::Serialize;
use serde_json::{Value, json};
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
    let mut told = Told::of(&plan);
    let rest = rest(&engine, &project, args, &records, &mut told).await;
    if plan.is_empty() {
        output::say(&format!("{}: nothing is up", project.name));
    }
    if args.format == Format::Json {
        output::data(&format!("{:#}\n", serde_json::json!(told)));
    }
    rest.map(|()| 0)
}

/// What is done beside the containers, and only when it was asked for.
async fn rest(
    engine: &Engine,
    project: &Project,
    args: &Down,
    records: &[Record],
    told: &mut Told,
) -> Result<(), Error> {
    if args.checkouts {
        told.checkouts = judged::judge(records).await?;
        judged::remove(records, &mut told.checkouts, args.force).await?;
    }
    if args.volumes {
        told.volumes = remove_volumes(engine, project, args).await?;
    }
    Ok(())
}

/// What was done, as data.
#[derive(Serialize)]
struct Told {
    containers: Vec<String>,
    checkouts: Vec<Checkout>,
    volumes: Vec<Value>,
}

impl Told {
    fn of(plan: &Plan) -> Self {
        let steps = plan.sessions.iter().flat_map(|session| &session.steps);
        let removed = steps.filter_map(|step| match step {
            Step::Remove(name) => Some(name.clone()),
            _ => None,
        });
        Self { containers: removed.collect(), checkouts: Vec::new(), volumes: Vec::new() }
    }
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

/// The volumes that belong to the project alone, each one named; one that something else uses stays.
async fn remove_volumes(engine: &Engine, project: &Project, args: &Down) -> Result<Vec<Value>, Error> {
    let volumes = engine.docker.volumes().await.map_err(engine_error)?;
    let mut told = Vec::new();
    for volume in removable(&volumes, project, &engine.owner, &args.sessions) {
        let name = &volume.name;
        let users = engine.docker.remove_volume(name).await.map_err(engine_error)?;
        if users.is_empty() {
            output::say(&format!(" Volume {name} removed"));
        } else {
            output::say(&format!(" Volume {name} kept: still in use by {}", users.join(", ")));
        }
        told.push(json!({ "name": name, "removed": users.is_empty(), "used_by": users }));
    }
    Ok(told)
}
