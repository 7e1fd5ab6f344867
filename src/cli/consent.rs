//! Trust: what a manifest takes from this machine beyond its own project is agreed to by a person, once, and again
//! when it grows.

use super::output;
use super::terminal;
use crate::error::{Error, Kind};
use crate::fs;
use crate::home::Home;
use crate::manifest::project::{Egress, Image, Project, Session, VolumeSource};
use crate::render::identity::short_hash;
use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Asks where something new is taken; `yes` agrees beforehand. Without a terminal and without a yes it is refused.
pub fn ask(home: &Home, project: &Project, sessions: &[&Session], yes: bool) -> Result<(), Error> {
    let path = approvals(home, project);
    let agreed: BTreeSet<String> =
        fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let variable =
        |name: &String| format!("the value of the variable `{name}`, from the environment or `.env`");
    let variables = project.variables.iter().map(variable);
    let asked: BTreeSet<String> =
        sessions.iter().flat_map(|session| taken(project, session)).chain(variables).collect();
    let new: Vec<&String> = asked.difference(&agreed).collect();
    if new.is_empty() {
        return Ok(());
    }
    let list: String = new.iter().map(|line| format!("\n  {line}")).collect();
    let agreed_now = yes || (terminal::is_interactive() && agrees(&list));
    if !agreed_now {
        return Err(Error::new(Kind::Refused, format!("the manifest takes from this machine:{list}"))
            .hint("`clauderon up --yes` agrees to it; it is asked again only when the manifest takes more"));
    }
    let all: BTreeSet<&String> = asked.union(&agreed).collect();
    let text = serde_json::to_vec_pretty(&all).unwrap_or_default();
    let kept = fs::create_private_dir(&home.path().join("approvals"))
        .and_then(|()| fs::replace(&path, &text, 0o600));
    kept.map_err(|error| Error::failed("could not record the approval").because(error))
}

/// One file a project root.
fn approvals(home: &Home, project: &Project) -> PathBuf {
    let name = format!("{}.json", short_hash(&project.root.to_string_lossy()));
    home.path().join("approvals").join(name)
}

fn agrees(list: &str) -> bool {
    output::say(&format!("The manifest takes from this machine:{list}"));
    let mut stderr = std::io::stderr();
    // A prompt that cannot be shown is answered by nobody, which is a no.
    let _ = write!(stderr, "Agree? [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

fn taken(project: &Project, session: &Session) -> Vec<String> {
    let mut taken = Vec::new();
    let name = &session.name;
    let outside = |path: &Path| outside(&project.root, path);
    if session.egress == Egress::Open {
        taken.push(format!("{name}: an open network (`proxy.egress: open`)"));
    }
    for volume in &session.volumes {
        if let VolumeSource::Bind(path) = &volume.source
            && let Some(real) = outside(path)
        {
            let how = if volume.read_only { "read-only" } else { "read-write" };
            taken.push(format!("{name}: `{}`, mounted {how} at `{}`", real.display(), volume.target));
        }
    }
    for (host, said) in &session.hosts {
        if let Some(address) = &said.address {
            taken.push(format!("{name}: `{host}` is dialled at `{address}`"));
        }
        if let Some(real) = said.ca.as_deref().and_then(outside) {
            taken.push(format!("{name}: the certificates in `{}`", real.display()));
        }
    }
    taken.extend(super::lend::taken(session));
    if let Image::Build(build) = &session.image
        && let Some(real) = outside(&build.context)
    {
        taken.push(format!("{name}: an image is built from `{}`", real.display()));
    }
    if let Some(repository) = &session.repository
        && let Some(real) = outside(&repository.path)
        && !project.root.starts_with(&real)
    {
        taken.push(format!("{name}: the repository `{}`", real.display()));
    }
    taken
}

/// Where a path leads that lies outside the project, links followed: one inside it may be a link that came with it.
fn outside(root: &Path, path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    (!real.starts_with(root)).then_some(real)
}

/// Refuses a volume through which the engine itself could be driven, links followed.
pub fn refuse_socket(session: &Session, engine: &str) -> Result<(), Error> {
    let path = Path::new(engine.trim_start_matches("unix://"));
    let socket = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for volume in &session.volumes {
        if let VolumeSource::Bind(source) = &volume.source
            && source.canonicalize().is_ok_and(|real| socket.starts_with(&real))
        {
            let name = &session.name;
            return Err(Error::new(
                Kind::Refused,
                format!(
                    "session `{name}`: `{}` holds the engine's socket, which is never mounted",
                    source.display()
                ),
            )
            .hint("whoever holds the socket is root on this machine"));
        }
    }
    Ok(())
}
