//! `validate`, `config` and `schema`: what needs no engine and no daemon.

use super::args::{Config, ConfigFormat};
use super::{Code, context, images, output};
use crate::error::Error;
use crate::manifest::project::{Project, Session};
use crate::manifest::{resolved, schema};
use crate::render::fields::{fields, spec_hash};
use std::path::Path;

/// `clauderon validate`.
pub fn validate(file: Option<&Path>) -> Result<Code, Error> {
    let project = context::project(file)?;
    let names: Vec<&str> = project.sessions.iter().map(|session| session.name.as_str()).collect();
    output::say(&format!(
        "{} is valid: project `{}`, sessions {}",
        project.file.display(),
        project.name,
        names.join(", ")
    ));
    Ok(0)
}

/// `clauderon config`.
pub fn config(file: Option<&Path>, args: &Config) -> Result<Code, Error> {
    let project = context::project(file)?;
    if let Some(lines) = lines(&project, args) {
        output::data(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        return Ok(0);
    }
    match args.format {
        ConfigFormat::Yaml => output::data(&resolved::to_yaml(&project)),
        ConfigFormat::Json => output::data(&json(&project)?),
    }
    Ok(0)
}

/// What one of the flags asks for, a line each.
fn lines(project: &Project, args: &Config) -> Option<Vec<String>> {
    let sessions: Vec<&Session> = project.sessions.iter().collect();
    if args.sessions {
        return Some(sessions.iter().map(|session| session.name.clone()).collect());
    }
    if args.images {
        return Some(images::references(project, &sessions));
    }
    let hash = |session: &&Session| {
        let reference = images::reference(project, session);
        format!("{} {}", session.name, spec_hash(&fields(session, ""), &reference))
    };
    args.hash.then(|| sessions.iter().map(hash).collect())
}

/// `clauderon schema`.
pub fn schema() -> Code {
    output::data(&format!("{:#}\n", schema::schema()));
    0
}

/// The resolved manifest as JSON: what its YAML says.
fn json(project: &Project) -> Result<String, Error> {
    let unprintable = |error: String| Error::failed("the manifest cannot be printed as JSON").because(error);
    let value: serde_json::Value = serde_saphyr::from_str(&resolved::to_yaml(project))
        .map_err(|error| unprintable(error.to_string()))?;
    Ok(format!("{value:#}\n"))
}
