//! `validate`, `config` and `schema`: what needs no engine and no daemon.

use super::args::{Config, ConfigFormat, Validate, ValidateFormat};
use super::{Code, context, images, output};
use crate::error::Error;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::project::{Project, Session};
use crate::manifest::{origin, report, resolved, schema};
use crate::render::fields::{fields, spec_hash};
use std::path::PathBuf;

/// `clauderon validate`.
pub fn validate(file: &[PathBuf], args: &Validate) -> Result<Code, Error> {
    let project = match context::load(file)? {
        Ok(parsed) => parsed.project,
        Err(diagnostics) => return told(&diagnostics, args.format),
    };
    if args.format == ValidateFormat::Json {
        output::data("[]\n");
    }
    let names: Vec<&str> = project.sessions.iter().map(|session| session.name.as_str()).collect();
    output::say(&format!(
        "{} is valid: project `{}`, sessions {}",
        project.file.display(),
        project.name,
        names.join(", ")
    ));
    Ok(0)
}

/// Faults in the form that was asked for: for programs they are data.
fn told(diagnostics: &Diagnostics, format: ValidateFormat) -> Result<Code, Error> {
    match format {
        ValidateFormat::Text => return Err(context::invalid(diagnostics)),
        ValidateFormat::Json => output::data(&format!("{:#}\n", report::to_json(diagnostics))),
        ValidateFormat::Github => {
            let here = std::env::current_dir().unwrap_or_default();
            output::data(&report::to_github(diagnostics, &here));
        }
    }
    Ok(2)
}

/// `clauderon config`.
pub fn config(file: &[PathBuf], args: &Config) -> Result<Code, Error> {
    let parsed = context::load(file)?.map_err(|diagnostics| context::invalid(&diagnostics))?;
    if args.origins {
        output::data(&origin::to_yaml(&parsed));
        return Ok(0);
    }
    let project = parsed.project;
    if let Some(lines) = lines(&project, args) {
        output::data(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        return Ok(0);
    }
    match args.format {
        ConfigFormat::Yaml => output::data(&resolved::to_yaml(&project)),
        ConfigFormat::Json => output::data(&format!("{:#}\n", resolved::to_value(&project))),
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
