//! Images: there before anything is planned, and looked into once per content.

use super::remedy::{engine_error, of_program};
use super::remembered;
use crate::apply::progress::{Progress, Report};
use crate::backend::Backend;
use crate::error::Error;
use crate::home::Home;
use crate::manifest::project::{Image, Project, Session};
use crate::plan::images::way;
use crate::render::facts::{ImageFacts, Probe};
use crate::render::identity::short_hash;
use crate::render::spec::{ContainerSpec, image_labels};
use std::collections::BTreeMap;
use std::time::Duration;

/// The reference of a session's image; a build is named after the project and its own words.
pub fn reference(project: &Project, session: &Session) -> String {
    match &session.image {
        Image::Reference(reference) => reference.clone(),
        Image::Build(build) => {
            format!("clauderon-build/{}:{}", project.name, short_hash(&format!("{build:?}")))
        }
    }
}

/// The references of the sessions' images, each once, in the order of the sessions.
pub fn references(project: &Project, sessions: &[&Session]) -> Vec<String> {
    let mut references = Vec::new();
    for session in sessions {
        let reference = reference(project, session);
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    references
}

/// Facts of every image that the sessions name, by reference: pulled or built where `fetch` says so and it must be.
/// A missing image has no entry when nothing may be fetched.
pub async fn resolve(
    backend: &dyn Backend,
    project: &Project,
    sessions: &[&Session],
    fetch: Option<&Report<'_>>,
    owner: &str,
) -> Result<BTreeMap<String, ImageFacts>, Error> {
    let labels = image_labels(&project.name, &project.root.display().to_string(), owner);
    let mut images = BTreeMap::new();
    for session in sessions {
        let reference = reference(project, session);
        if images.contains_key(&reference) {
            continue;
        }
        let mut found = backend.image(&reference).await.map_err(engine_error)?;
        if let Some(report) = fetch
            && get(backend, session, (&reference, found.is_some()), &labels, report).await?
        {
            found = backend.image(&reference).await.map_err(engine_error)?;
        }
        match found {
            Some(facts) => drop(images.insert(reference, facts)),
            None if fetch.is_some() => return Err(absent(&reference)),
            None => {}
        }
    }
    Ok(images)
}

/// Pulls or builds where it must be; answers whether it did.
async fn get(
    backend: &dyn Backend,
    session: &Session,
    (reference, present): (&str, bool),
    labels: &BTreeMap<String, String>,
    report: &Report<'_>,
) -> Result<bool, Error> {
    let news = |what| Progress { session: reference.to_owned(), what, end: None };
    if way(session, present).is_none() {
        return Ok(false);
    }
    match &session.image {
        Image::Build(build) => {
            report(news("Building"));
            backend.build(build, reference, labels).await.map_err(engine_error)?;
        }
        Image::Reference(_) => {
            report(news("Pulling"));
            backend.pull(reference).await.map_err(engine_error)?;
        }
    }
    report(Progress { end: Some(true), ..news("Ready") });
    Ok(true)
}

fn absent(reference: &str) -> Error {
    Error::failed(format!("the engine has no image `{reference}`"))
        .hint("`pull_policy: never` keeps clauderon from pulling it; use `missing`, or build it first")
}

const WANTED: &str = "bash curl git sccache claude codex mkdir chmod cat date";

/// Looks into an image, once per content: which programs it has, and its own managed settings.
pub async fn probe(
    backend: &dyn Backend,
    home: &Home,
    image: &ImageFacts,
    user: &str,
    labels: BTreeMap<String, String>,
) -> Result<Probe, Error> {
    if let Some(probe) = remembered::probe(home, &image.id) {
        return Ok(probe);
    }
    let script = format!(
        "for p in {WANTED}; do command -v \"$p\" >/dev/null && printf '%s ' \"$p\"; done; echo; \
         cat /etc/claude-code/managed-settings.json 2>/dev/null || true"
    );
    let spec = ContainerSpec {
        name: format!("clauderon-probe-{}", uuid::Uuid::now_v7()),
        image: image.reference.clone(),
        argv: vec!["bash".to_owned(), "-c".to_owned(), script],
        user: user.to_owned(),
        labels,
        sealed: true,
        pids: 64,
        ..ContainerSpec::default()
    };
    let ran = backend.run_once(&spec, Duration::from_secs(60)).await.map_err(engine_error)?;
    let (programs, settings) = ran.output.split_once('\n').unwrap_or((&ran.output, ""));
    let probe = Probe {
        programs: programs.split_whitespace().map(String::from).collect(),
        managed_settings: Some(settings.trim().to_owned()).filter(|text| !text.is_empty()),
    };
    remembered::keep_probe(home, &image.id, &probe)?;
    Ok(probe)
}

/// Refuses an image for another processor: the link that is mounted into it could not run.
pub fn require_architecture(image: &ImageFacts) -> Result<(), Error> {
    let ours = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if image.architecture.is_empty() || image.architecture == ours {
        return Ok(());
    }
    let (reference, theirs) = (&image.reference, &image.architecture);
    Err(Error::failed(format!("the image `{reference}` is for {theirs}, this clauderon for {ours}"))
        .hint(format!("use an image for {ours}")))
}

/// Refuses an image that lacks what a session cannot do without.
pub fn require(image: &str, probe: &Probe, agent: &str) -> Result<(), Error> {
    let lacking = ["bash", "curl", agent, "mkdir", "chmod", "cat", "date"]
        .into_iter()
        .find(|wanted| !probe.programs.iter().any(|program| program == wanted));
    match lacking {
        Some(program) => {
            Err(Error::failed(format!("the image `{image}` has no `{program}`")).hint(of_program(program)))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_for_another_processor_is_refused() {
        let image = |architecture: &str| ImageFacts {
            architecture: architecture.to_owned(),
            ..ImageFacts::default()
        };
        assert!(require_architecture(&image("s390x")).is_err());
        assert!(require_architecture(&image("")).is_ok());
    }
}
