//! `ps`: the sessions of the project, or of all.

use super::args::{Format, Ps};
use super::status::{Status, ask_daemon, statuses};
use super::{Code, context, ground, output, pending, report};
use crate::error::Error;
use std::path::PathBuf;

/// `clauderon ps`.
pub async fn run(file: &[PathBuf], args: &Ps) -> Result<Code, Error> {
    let mut invalid = None;
    let project = match context::project(file) {
        Ok(project) => Some(project),
        // Outside a project, every session is shown.
        Err(error) if file.is_empty() && (args.all || context::manifests(&[]).is_err()) => {
            drop(error);
            None
        }
        // Beside an invalid manifest, what runs is shown as it is.
        Err(error) => {
            let Ok(root) = context::root(file) else { return Err(error) };
            invalid = Some((root.display().to_string(), error));
            None
        }
    };
    let engine = context::engine().await?;
    let mut sessions = Vec::new();
    if let Some(project) = &project {
        let root = project.root.display().to_string();
        for session in &project.sessions {
            let id = engine.id(project, &session.name);
            sessions.push((session.name.clone(), project.name.clone(), root.clone(), id));
        }
    }
    for container in &engine.observed.containers {
        let known = sessions.iter().any(|(_, _, _, id)| id == container.label("id"));
        let ours = match (&project, &invalid) {
            (Some(project), _) => {
                container.label("root") == project.root.display().to_string()
                    && container.label("project") == project.name
            }
            (None, Some((root, _))) => container.label("root") == root,
            (None, None) => true,
        };
        if !known && container.label("owner") == engine.owner && (args.all || ours) {
            let label = |name: &str| container.label(name).to_owned();
            sessions.push((label("session"), label("project"), label("root"), label("id")));
        }
    }
    if let Some((_, error)) = invalid.take_if(|_| sessions.is_empty()) {
        return Err(error);
    }
    let mut statuses = statuses(&engine, &sessions, ground::records(&engine.home)?)?;
    ask_daemon(&engine, &mut statuses).await;
    pending::fill(project.as_ref(), &engine, &mut statuses).await;
    if let Some((root, error)) = &invalid {
        output::say(&report::text(error));
        pending::invalid(root, &mut statuses);
    }
    match args.format {
        Format::Json => {
            let list: Vec<_> = statuses.iter().map(Status::json).collect();
            output::data(&format!("{:#}\n", serde_json::Value::from(list)));
        }
        Format::Text => {
            let mut head = vec!["SESSION", "AGENT", "STATE", "ACTIVITY", "BRANCH", "CONTAINER"];
            let mut rows: Vec<_> = statuses.iter().map(row).collect();
            if statuses.iter().any(|status| status.denied > Some(0)) {
                head.push("DENIED");
                for (row, status) in rows.iter_mut().zip(&statuses) {
                    row.push(status.denied.unwrap_or(0).to_string());
                }
            }
            if statuses.iter().any(|status| !status.pending.is_empty()) {
                head.push("PENDING");
                for (row, status) in rows.iter_mut().zip(&statuses) {
                    row.push(pending::text(&status.pending));
                }
            }
            output::data(&output::table(&head, &rows));
            statuses.iter().for_each(explain);
        }
    }
    Ok(0)
}

/// What is wrong with a session, where anything is.
fn explain(status: &Status) {
    if let Some(error) = &status.condition.error {
        output::say(&format!("{}: {error}", status.session));
        status.condition.output.iter().for_each(|line| output::say(&format!("  | {line}")));
    }
}

fn row(status: &Status) -> Vec<String> {
    let container = status.container.as_ref();
    let state = match status.exit_code() {
        Some(code) => format!("{} ({code})", status.state()),
        None => status.state().to_owned(),
    };
    let activity = match &status.told.waiting_for {
        Some(what) => format!("{}: {what}", status.told.activity.word()),
        None => status.told.activity.word().to_owned(),
    };
    vec![
        status.session.clone(),
        container.map_or_else(|| "-".to_owned(), |it| it.label("agent").to_owned()),
        state,
        if container.is_some() { activity } else { "-".to_owned() },
        status.record.as_ref().and_then(|record| record.branch.clone()).unwrap_or_else(|| "-".to_owned()),
        container.map_or_else(|| "-".to_owned(), |it| it.name.clone()),
    ]
}
