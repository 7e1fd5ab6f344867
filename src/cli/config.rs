//! `validate`, `config` and `schema`: what needs no engine and no daemon.

use super::args::{Config, ConfigFormat};
use super::{Code, context, output};
use crate::error::Error;
use crate::manifest::project::Project;
use crate::manifest::{resolved, schema};
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
    match args.format {
        ConfigFormat::Yaml => output::data(&resolved::to_yaml(&project)),
        ConfigFormat::Json => output::data(&json(&project)?),
    }
    Ok(0)
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
