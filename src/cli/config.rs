//! `validate`, `config` and `schema`: what needs no engine and no daemon.

use super::args::{Config, ConfigFormat, Validate, ValidateFormat};
use super::{Code, context, host, images, lend, output};
use crate::error::Error;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::project::{Project, Session};
use crate::manifest::{origin, report, resolved, schema};
use crate::render::fields::{fields, spec_hash};
use std::collections::BTreeMap;
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
    if let Some(lines) = lines(&project, args)? {
        output::data(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        return Ok(0);
    }
    let home = host::home()?;
    let told = |session: &Session| (session.name.clone(), lend::told(&home, &project, session));
    let credentials: serde_json::Map<_, _> = project.sessions.iter().map(told).collect();
    let credentials = serde_json::Value::Object(credentials);
    // A key that a manifest may have: what is printed still reads back to the same project.
    match args.format {
        ConfigFormat::Yaml => output::data(&resolved::with(&project, "x-credentials", credentials)),
        ConfigFormat::Json => {
            let mut value = resolved::to_value(&project);
            value["x-credentials"] = credentials;
            output::data(&format!("{value:#}\n"));
        }
    }
    Ok(0)
}

/// What one of the flags asks for, a line each.
fn lines(project: &Project, args: &Config) -> Result<Option<Vec<String>>, Error> {
    let sessions: Vec<&Session> = project.sessions.iter().collect();
    if args.sessions {
        return Ok(Some(sessions.iter().map(|session| session.name.clone()).collect()));
    }
    if args.images {
        return Ok(Some(images::references(project, &sessions)));
    }
    if !args.hash {
        return Ok(None);
    }
    let found = lend::found(&host::home()?, project, &sessions);
    let none = BTreeMap::new();
    let hash = |session: &&Session| {
        let reference = images::reference(project, session);
        let fields = fields(session, "", found.get(&session.name).unwrap_or(&none));
        format!("{} {}", session.name, spec_hash(&fields, &reference))
    };
    Ok(Some(sessions.iter().map(hash).collect()))
}

/// `clauderon schema`.
pub fn schema() -> Code {
    output::data(&format!("{:#}\n", schema::schema()));
    0
}
