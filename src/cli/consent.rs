//! Trust: what a manifest takes from this machine beyond its own project is agreed to by a person, once, and again
//! when it grows.

use super::terminal;
use crate::error::{Error, Kind};
use crate::fs;
use crate::home::Home;
use crate::manifest::project::{Egress, Image, Project, Session};
use crate::render::identity::short_hash;
use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Asks where something new is taken; `yes` agrees beforehand. Without a terminal and without a yes it is refused.
pub fn ask(home: &Home, project: &Project, sessions: &[&Session], yes: bool) -> Result<(), Error> {
    let (path, agreed) = (place(home, &project.root), agreed(home, project));
    let variables = variables(project);
    let handed =
        |file: &PathBuf| format!("the file `{}`, which git does not hold, for an agent", file.display());
    let handed = project.unheld.iter().map(handed);
    let asked: BTreeSet<String> =
        sessions.iter().flat_map(|session| taken(project, session)).chain(variables).chain(handed).collect();
    let new: Vec<&String> = asked.difference(&agreed).collect();
    if new.is_empty() {
        return Ok(());
    }
    let list: String = new.iter().map(|line| format!("\n  {line}")).collect();
    let question = format!("The manifest takes from this machine:{list}\nAgree?");
    let agreed_now = yes || (terminal::is_interactive() && agrees(&question));
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

/// Whether a person has agreed to every variable that a project takes.
pub fn knows_variables(home: &Home, project: &Project) -> bool {
    let agreed = agreed(home, project);
    variables(project).all(|line| agreed.contains(&line))
}

fn variables(project: &Project) -> impl Iterator<Item = String> {
    project.variables.iter().map(|(name, taker)| {
        format!("the value of the variable `{name}` for `{taker}`, from the environment or `.env`")
    })
}

/// What was agreed to so far.
fn agreed(home: &Home, project: &Project) -> BTreeSet<String> {
    let text = fs::read_to_string(&place(home, &project.root)).ok();
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Where it is kept what was agreed to: one file a project root.
pub fn place(home: &Home, root: &Path) -> PathBuf {
    let name = format!("{}.json", short_hash(&root.to_string_lossy()));
    home.path().join("approvals").join(name)
}

/// Asks on the terminal.
pub fn agrees(question: &str) -> bool {
    let mut stderr = std::io::stderr();
    // A prompt that cannot be shown is answered by nobody, which is a no.
    let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
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
        if let Some(path) = volume.bind() {
            let how = if volume.read_only { "read-only" } else { "read-write" };
            taken.push(format!("{name}: `{}`, mounted {how} at `{}`", path.display(), volume.target));
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
    if let Image::Build(build) = &session.image {
        let real = real(&build.context);
        taken.push(format!(
            "{name}: an image is built from `{}`, on the engine's own network",
            real.display()
        ));
    }
    taken.extend(super::handed::taken(project, session));
    if let Some(repository) = &session.repository {
        let path = real(&repository.path);
        let top = top(&path);
        let elsewhere = match &top {
            Some(top) => Some(top) != self::top(&project.root).as_ref(),
            None => outside(&path).is_some(),
        };
        if elsewhere {
            taken.push(format!("{name}: the repository `{}`", path.display()));
        }
        let top = top.unwrap_or(path);
        taken.extend(repository.copy.iter().map(|copied| {
            format!("{name}: a copy of `{}`, which git does not hold", top.join(copied).display())
        }));
    }
    taken
}

/// The top of the repository that a path lies in.
fn top(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|above| above.join(".git").symlink_metadata().is_ok()).map(real)
}

/// Where a path leads that lies outside the project, links followed: one inside it may be a link that came with it.
fn outside(root: &Path, path: &Path) -> Option<PathBuf> {
    Some(real(path)).filter(|real| !real.starts_with(root))
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
