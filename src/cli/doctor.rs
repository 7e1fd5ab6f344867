//! `doctor`: what of this machine the sessions depend on. So far: the credentials.

use super::args::{Doctor, Format};
use super::{Code, context, host, lend, output};
use crate::error::Error;
use crate::manifest::source;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// `clauderon doctor`: exit code 1 where a credential that a manifest names has no value.
pub fn run(file: &[PathBuf], args: &Doctor) -> Result<Code, Error> {
    let here = std::env::current_dir().unwrap_or_default();
    let project = if file.is_empty() && source::select(&[], &here).is_err() {
        None
    } else {
        Some(context::project(file)?)
    };
    let credentials = match &project {
        None => json!({ "": lend::known() }),
        Some(project) => {
            let home = host::home()?;
            let one = |session: &_| lend::told(&home, project, session);
            let sessions = project.sessions.iter().map(|session| (session.name.clone(), one(session)));
            Value::Object(sessions.collect::<Map<_, _>>())
        }
    };
    let named = |session: &str, name: &str| {
        let project = project.as_ref()?;
        let session = project.sessions.iter().find(|it| it.name == session)?;
        session.credentials.get(name).filter(|credential| !credential.place.is_empty())
    };
    let mut missing = false;
    let mut rows = Vec::new();
    for (session, name, told) in entries(&credentials) {
        let found = &told["found"];
        missing |= *found == json!(false) && named(session, name).is_some();
        let word = match found.as_bool() {
            Some(true) => "found",
            Some(false) => "missing",
            None => "not tried",
        };
        let source = told["source"].as_str().or(told["reason"].as_str()).unwrap_or_default();
        rows.push(vec![session.to_owned(), name.to_owned(), word.to_owned(), source.to_owned()]);
    }
    match args.format {
        Format::Json => output::data(&format!("{:#}\n", json!({ "credentials": credentials }))),
        Format::Text => output::data(&output::table(&["SESSION", "CREDENTIAL", "VALUE", "SOURCE"], &rows)),
    }
    Ok(i32::from(missing))
}

fn entries(credentials: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    credentials.as_object().into_iter().flatten().flat_map(|(session, all)| {
        all.as_object().into_iter().flatten().map(move |(name, told)| (session.as_str(), name.as_str(), told))
    })
}
