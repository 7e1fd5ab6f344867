//! Trust: what a manifest takes from this machine beyond its own project is agreed to by a person, once, and again
//! when it grows.

use super::output;
use super::terminal;
use crate::error::{Error, Kind};
use crate::fs;
use crate::home::Home;
use crate::manifest::project::{Egress, Project, Session, VolumeSource};
use crate::render::identity::short_hash;
use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::path::PathBuf;

/// Asks where something new is taken; `yes` agrees beforehand. Without a terminal and without a yes it is refused.
pub fn ask(home: &Home, project: &Project, sessions: &[&Session], yes: bool) -> Result<(), Error> {
    let path = approvals(home, project);
    let agreed: BTreeSet<String> =
        fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let asked: BTreeSet<String> = sessions.iter().flat_map(|session| taken(project, session)).collect();
    let new: Vec<&String> = asked.difference(&agreed).collect();
    if new.is_empty() {
        return Ok(());
    }
    let list: String = new.iter().map(|line| format!("\n  {line}")).collect();
    if !yes && !(terminal::is_interactive() && agrees(&list)) {
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
    if session.egress == Egress::Open {
        taken.push(format!("{name}: an open network (`proxy.egress: open`)"));
    }
    for volume in &session.volumes {
        if let VolumeSource::Bind(path) = &volume.source
            && !path.starts_with(&project.root)
        {
            let how = if volume.read_only { "read-only" } else { "read-write" };
            taken.push(format!("{name}: `{}`, mounted {how} at `{}`", path.display(), volume.target));
        }
    }
    for (host, said) in &session.hosts {
        if let Some(address) = &said.address {
            taken.push(format!("{name}: `{host}` is dialled at `{address}`"));
        }
    }
    if let Some(repository) = &session.repository
        && !repository.path.starts_with(&project.root)
        && !project.root.starts_with(&repository.path)
    {
        taken.push(format!("{name}: the repository `{}`", repository.path.display()));
    }
    taken
}
