//! What nearly every command begins with: the manifest, the engine, one look at it.

use super::remedy::engine_error;
use super::{address, condition, ground, host, output, sources};
use crate::backend::Backend;
use crate::backend::docker::Docker;
use crate::error::{Error, Kind};
use crate::home::Home;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::parse::Parsed;
use crate::manifest::project::{Project, Session};
use crate::manifest::source;
use crate::plan::observed::{Container, ContainerState, Observed};
use crate::render::identity::{owner, session_id};
use std::path::{Path, PathBuf};

/// The manifest's files, given or found.
pub fn manifests(named: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let here = std::env::current_dir()
        .map_err(|error| Error::failed("the working directory is gone").because(error))?;
    source::select(named, &here).map_err(unread)
}

/// The directory of the manifest, whether that is valid or not.
pub fn root(named: &[PathBuf]) -> Result<PathBuf, Error> {
    let files = manifests(named)?;
    let above = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("/"));
    above.canonicalize().map_err(|error| Error::failed("the manifest's directory is gone").because(error))
}

/// A manifest that is not there, or no text.
pub fn unread(error: source::Error) -> Error {
    let failed = Error::new(Kind::Usage, error.to_string());
    let failed = match error.hint() {
        Some(hint) => failed.hint(hint),
        None => failed,
    };
    match std::error::Error::source(&error) {
        Some(source) => failed.because(source.to_string()),
        None => failed,
    }
}

/// The project of these files, and every file on which it depends is noted.
pub fn project_noting(
    files: &[PathBuf],
    user: Option<&Path>,
    noted: &source::Noted,
) -> Result<Project, Error> {
    let mut project = match source::load_noting(files, user, noted) {
        Ok(parsed) => parsed.project,
        Err(source::LoadError::Invalid(diagnostics)) => return Err(invalid(&diagnostics)),
        Err(source::LoadError::Unread(error)) => return Err(unread(error)),
    };
    sources::resolve(&mut project);
    Ok(project)
}

/// The manifest, read and resolved, or why not.
pub fn load(named: &[PathBuf]) -> Result<Result<Parsed, Diagnostics>, Error> {
    match source::load_all(&manifests(named)?, host::user_manifest().as_deref()) {
        Ok(parsed) => Ok(Ok(parsed)),
        Err(source::LoadError::Invalid(diagnostics)) => Ok(Err(diagnostics)),
        Err(source::LoadError::Unread(error)) => Err(unread(error)),
    }
}

/// The project of the manifest, resolved.
pub fn project(named: &[PathBuf]) -> Result<Project, Error> {
    let mut project =
        load(named)?.map(|parsed| parsed.project).map_err(|diagnostics| invalid(&diagnostics))?;
    sources::resolve(&mut project);
    Ok(project)
}

/// What is wrong with a manifest, as the error of a command.
pub fn invalid(diagnostics: &Diagnostics) -> Error {
    Error::new(Kind::Usage, diagnostics.render(output::colour()).trim_end().to_owned())
}

/// The sessions that a command line names, or all.
pub fn chosen<'a>(project: &'a Project, names: &[String]) -> Result<Vec<&'a Session>, Error> {
    for name in names {
        if !project.sessions.iter().any(|session| session.name == *name) {
            return Err(unknown(name, project.sessions.iter().map(|session| session.name.as_str())));
        }
    }
    let wanted = |session: &&Session| names.is_empty() || names.contains(&session.name);
    Ok(project.sessions.iter().filter(wanted).collect())
}

/// A session that there is not, and what there is.
pub fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Error {
    let error = Error::new(Kind::Usage, format!("there is no session `{name}`"));
    let near = known
        .clone()
        .max_by(|left, right| strsim::jaro_winkler(left, name).total_cmp(&strsim::jaro_winkler(right, name)));
    match near.filter(|near| strsim::jaro_winkler(near, name) > 0.8) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => {
            let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
            error.hint(format!("the sessions are {}", known.join(", ")))
        }
    }
}

/// A connection to the engine, and what it holds.
pub struct Engine {
    /// The engine.
    pub docker: Docker,
    /// What it holds of ours, of every project.
    pub observed: Observed,
    /// Who we are in labels.
    pub owner: String,
    /// Where state is kept.
    pub home: Home,
}

/// Connects and looks.
pub async fn engine() -> Result<Engine, Error> {
    let engine = look(host::home()?, &address::engine()?).await?;
    // Running sessions need the daemon, and so do those that are to run: one that was killed comes back with the next
    // command, whichever it is.
    let needs = |container: &Container| {
        let runs = || container.state == ContainerState::Running;
        let expected = || condition::life(&engine.home, container).is_some_and(|life| life.expects());
        container.label("owner") == engine.owner && (runs() || expected())
    };
    if engine.observed.containers.iter().any(needs)
        && let Err(error) = ground::daemon(&engine.home).await
    {
        output::say(&format!("warning: {error}"));
    }
    Ok(engine)
}

/// Looks at an engine, and starts nothing.
pub async fn look(home: Home, address: &str) -> Result<Engine, Error> {
    let docker = Docker::connect(address).await.map_err(engine_error)?;
    let observed = docker.observe().await.map_err(engine_error)?;
    let owner = owner(rustix::process::getuid().as_raw(), home.path());
    Ok(Engine { docker, observed, owner, home })
}

impl Engine {
    /// The id of a session of a project.
    pub fn id(&self, project: &Project, session: &str) -> String {
        session_id(&self.owner, project, session)
    }

    /// Removes the helpers of a project that a run left behind which did not come to its end. For who is alone at it.
    pub async fn sweep(&self, project: &Project) -> Result<(), Error> {
        let root = project.root.display().to_string();
        let told = [project.name.as_str(), &root, &self.owner];
        let ours = |helper: &&Container| ["project", "root", "owner"].map(|name| helper.label(name)) == told;
        for helper in self.observed.helpers.iter().filter(ours) {
            self.docker.remove(&helper.name).await.map_err(engine_error)?;
        }
        Ok(())
    }

    /// Every container of a project, those whose session left the manifest too.
    pub fn of_project(&self, project: &Project) -> Vec<&Container> {
        let root = project.root.display().to_string();
        let ours = |container: &&Container| {
            container.label("project") == project.name
                && container.label("root") == root
                && container.label("owner") == self.owner
        };
        self.observed.containers.iter().filter(ours).collect()
    }

    /// The containers that a command line names, or all of the project.
    pub fn chosen(&self, project: &Project, names: &[String]) -> Result<Vec<&Container>, Error> {
        let containers = self.of_project(project);
        let known = || {
            let declared = project.sessions.iter().map(|session| session.name.as_str());
            declared.chain(containers.iter().map(|container| container.label("session")))
        };
        if let Some(name) = names.iter().find(|name| !known().any(|known| known == name.as_str())) {
            return Err(unknown(name, known().collect::<Vec<_>>().into_iter()));
        }
        let wanted = |container: &&Container| {
            names.is_empty() || names.iter().any(|name| name == container.label("session"))
        };
        Ok(containers.into_iter().filter(wanted).collect())
    }

    /// The one container of a session.
    pub fn one(&self, project: &Project, name: &str) -> Result<&Container, Error> {
        let found = self.chosen(project, &[name.to_owned()])?;
        found.into_iter().next().ok_or_else(|| {
            Error::failed(format!("session `{name}` has no container"))
                .hint(format!("`clauderon up {name}` makes it"))
        })
    }
}
