//! `render`: the containers of the manifest, as specs or as `docker run` lines. Asks no engine and no daemon: what
//! only an engine can tell of an image is what it told when `up` last made a container from it.

use super::args::{Render, RenderFormat};
use super::remedy::checkout_error;
use super::{Code, context, ground, host, images, output, remembered};
use crate::backend::docker::line::line;
use crate::error::Error;
use crate::fs;
use crate::manifest::project::{Image, Project, PullPolicy, Session};
use crate::render::desired::{container, desired};
use crate::render::facts::{CheckoutFacts, HostFacts, SessionFacts};
use crate::render::spec::ContainerSpec;
use crate::worktree::foresee::foresee;
use serde::Serialize;
use std::path::PathBuf;

/// One session, rendered.
#[derive(Serialize)]
struct Rendered<'a> {
    session: &'a str,
    id: String,
    container: ContainerSpec,
    #[serde(skip)]
    pull: PullPolicy,
}

/// `clauderon render`.
pub fn run(file: &[PathBuf], args: &Render) -> Result<Code, Error> {
    let project = context::project(file)?;
    let sessions = context::chosen(&project, &args.sessions)?;
    let host = host::identity(&host::home()?);
    let rendered = sessions.iter().map(|session| render(&project, session, &host));
    let rendered = rendered.collect::<Result<Vec<_>, Error>>()?;
    note_images(&project, &sessions, &host);
    match args.format {
        RenderFormat::Spec => {
            let text = serde_json::to_string_pretty(&rendered)
                .map_err(|error| Error::failed("the specs cannot be printed as JSON").because(error))?;
            output::data(&format!("{text}\n"));
        }
        RenderFormat::Docker => {
            note_missing(&rendered, &host);
            output::data(&rendered.iter().map(|one| line(&one.container, one.pull)).collect::<String>());
        }
    }
    Ok(0)
}

fn render<'a>(project: &Project, session: &'a Session, host: &HostFacts) -> Result<Rendered<'a>, Error> {
    let reference = images::reference(project, session);
    let image = remembered::facts(&host.home, &reference).unwrap_or_default();
    let desired = desired(project, session, host, (&reference, &image.id));
    let facts = SessionFacts {
        identity: ground::identity(session),
        probe: remembered::probe(&host.home, &image.id).unwrap_or_default(),
        image,
        checkout: checkout(session, host, &desired.id)?,
        // Neither is part of a container: they are in files that it is shown.
        token: String::new(),
        authorities: Vec::new(),
    };
    let container = container(project, &desired, host, &facts);
    // What is built has a name that no registry knows.
    let pull = if matches!(session.image, Image::Build(_)) { PullPolicy::Never } else { session.pull_policy };
    Ok(Rendered { session: &session.name, id: desired.id, container, pull })
}

fn checkout(session: &Session, host: &HostFacts, id: &str) -> Result<CheckoutFacts, Error> {
    let directory = host.home.session(id).checkout();
    let Some(repository) = &session.repository else {
        return Ok(CheckoutFacts { directory, ..CheckoutFacts::default() });
    };
    let found = foresee(&directory, &repository.path, id, &repository.branch);
    let found = found.map_err(|error| checkout_error(&error))?;
    Ok(CheckoutFacts {
        directory: found.directory,
        borrowed: found.borrowed,
        pinned: found.pinned,
        read_only: found.read_only,
    })
}

/// Says of which images nothing is known, once each.
fn note_images(project: &Project, sessions: &[&Session], host: &HostFacts) {
    for reference in images::references(project, sessions) {
        if remembered::facts(&host.home, &reference).is_none() {
            output::say(&format!(
                "note: nothing has run on `{reference}` yet, so its id, `LANG` and `RUSTC_WRAPPER` are left out"
            ));
        }
    }
}

/// Says which sessions have nothing to mount yet.
fn note_missing(rendered: &[Rendered<'_>], host: &HostFacts) {
    for one in rendered {
        let home = host.home.session(&one.id);
        if !(fs::exists(&home.run()) && fs::exists(&home.checkout())) {
            let name = one.session;
            output::say(&format!(
                "note: `clauderon up {name}` makes what `{name}` mounts; before it the line fails"
            ));
        }
    }
}
