//! `render`: the containers of the manifest, as specs or as `docker run` lines. Asks no engine and no daemon: what
//! only an engine can tell of an image is what it told when `up` last made a container from it.

use super::args::{Render, RenderFormat};
use super::remedy::{checkout_error, file_error};
use super::{Code, context, ground, host, images, kinds, lend, output, remembered};
use crate::backend::docker::line::line;
use crate::daemon::record;
use crate::error::Error;
use crate::fs;
use crate::manifest::project::{Image, Project, PullPolicy, Session};
use crate::render::desired::{container, desired};
use crate::render::facts::{CheckoutFacts, GitIdentity, HostFacts, ImageFacts, Probe, SessionFacts};
use crate::render::spec::ContainerSpec;
use crate::worktree::foresee::{Borrowed, borrowed, foresee};
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

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
    let found = lend::found(&host.home, &project, &sessions);
    let known = Known::of(&project, &sessions, HostFacts { found, ..host })?;
    let rendered = sessions.iter().map(|session| known.render(session));
    let text = match args.format {
        RenderFormat::Spec => specs(rendered)?,
        RenderFormat::Docker => lines(rendered, &known.host)?,
    };
    note_images(&project, &sessions, &known.host);
    output::data(&text);
    Ok(0)
}

/// A session, or why it cannot be rendered.
type One<'a> = Result<Rendered<'a>, Error>;

/// The specs as an array of JSON, one session after the other: thousands of them take no more than their text.
fn specs<'a>(rendered: impl Iterator<Item = One<'a>>) -> Result<String, Error> {
    let unprintable =
        |error: serde_json::Error| Error::failed("the specs cannot be printed as JSON").because(error);
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::pretty(&mut text);
    let mut array = serializer.serialize_seq(None).map_err(unprintable)?;
    for one in rendered {
        array.serialize_element(&one?).map_err(unprintable)?;
    }
    array.end().map_err(unprintable)?;
    text.push(b'\n');
    String::from_utf8(text).map_err(|error| Error::failed("the specs are no text").because(error))
}

fn lines<'a>(rendered: impl Iterator<Item = One<'a>>, host: &HostFacts) -> Result<String, Error> {
    let mut text = String::new();
    for one in rendered {
        let one = one?;
        note_missing(&one, host);
        text.push_str(&line(&one.container, one.pull));
    }
    Ok(text)
}

/// What the sessions share, looked up once.
struct Known<'a> {
    project: &'a Project,
    host: HostFacts,
    images: BTreeMap<String, (ImageFacts, Probe)>,
    repositories: BTreeMap<&'a Path, (Borrowed, GitIdentity)>,
}

impl<'a> Known<'a> {
    fn of(project: &'a Project, sessions: &[&'a Session], host: HostFacts) -> Result<Self, Error> {
        let mut repositories = BTreeMap::new();
        for session in sessions {
            let Some(repository) = &session.repository else { continue };
            if let Entry::Vacant(new) = repositories.entry(repository.path.as_path()) {
                let borrowed = borrowed(&repository.path).map_err(|error| checkout_error(&error))?;
                new.insert((borrowed, ground::identity(session)));
            }
        }
        let image = |reference: String| {
            let image = remembered::facts(&host.home, &reference).unwrap_or_default();
            let probe = remembered::probe(&host.home, &image.id).unwrap_or_default();
            (reference, (image, probe))
        };
        let images = images::references(project, sessions).into_iter().map(image).collect();
        Ok(Self { project, host, images, repositories })
    }

    fn render<'b>(&self, session: &'b Session) -> Result<Rendered<'b>, Error> {
        let reference = images::reference(self.project, session);
        let (image, probe) = self.images.get(&reference).cloned().unwrap_or_default();
        let desired = desired(self.project, session, &self.host, (&reference, &image.id));
        let repository = session.repository.as_ref().and_then(|it| self.repositories.get(it.path.as_path()));
        let facts = SessionFacts {
            identity: repository.map_or_else(|| ground::identity(session), |(_, identity)| identity.clone()),
            probe,
            image,
            checkout: self.checkout(session, &desired.id)?,
            conversation: self.conversation(&desired.id)?,
            // Neither is part of a container: they are in files that it is shown.
            token: String::new(),
            authorities: Vec::new(),
        };
        let container = container(self.project, &desired, &self.host, &facts);
        // What is built has a name that no registry knows.
        let pull =
            if matches!(session.image, Image::Build(_)) { PullPolicy::Never } else { session.pull_policy };
        Ok(Rendered { session: &session.name, id: desired.id, container, pull })
    }

    /// The conversation that the session has, or will have.
    fn conversation(&self, id: &str) -> Result<u32, Error> {
        let record = record::read(&self.host.home, id).map_err(file_error)?;
        Ok(record.map_or(1, |record| record.conversation.max(1)))
    }

    fn checkout(&self, session: &Session, id: &str) -> Result<CheckoutFacts, Error> {
        let directory = self.host.home.session(id).checkout();
        let borrowed =
            session.repository.as_ref().and_then(|it| Some((it, self.repositories.get(it.path.as_path())?)));
        let Some((repository, (borrowed, _))) = borrowed else {
            return Ok(CheckoutFacts { directory, ..CheckoutFacts::default() });
        };
        let kind = kinds::kind(repository.checkout);
        let found = foresee(&directory, borrowed, id, (kind, &repository.branch));
        Ok(kinds::facts(false, found.map_err(|error| checkout_error(&error))?))
    }
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

/// Says that a session has nothing to mount yet.
fn note_missing(one: &Rendered<'_>, host: &HostFacts) {
    let home = host.home.session(&one.id);
    if !(fs::exists(&home.run()) && fs::exists(&home.checkout())) {
        let name = one.session;
        output::say(&format!(
            "note: `clauderon up {name}` makes what `{name}` mounts; before it the line fails"
        ));
    }
}
