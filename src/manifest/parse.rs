//! Pure. The way from text to `Project`: tree, typed manifest, settled levels, merged and resolved sessions.
//! The schema is asked only when something is wrong, for then every fault is wanted.

use std::collections::BTreeMap;
use std::path::Path;

use super::check::check;
use super::diagnostic::{Diagnostics, Fault, quoted};
use super::finding::{Finding, Wrong};
use super::level::Level;
use super::prepare::prepare;
use super::project::{Project, Repository, Session};
use super::prune::{Pruned, prune};
use super::read::{Manifest, read};
use super::resolve::{Broken, resolve};
use super::settle::{Surroundings, settle};
use super::tree::Node;
use super::yaml;

/// Reads, checks and resolves a manifest. `file` is absolute; `files` reads the prompts that it names.
/// There is no home directory here: see `parse_in` for one.
pub fn parse(
    file: &Path,
    text: &str,
    files: &dyn Fn(&Path) -> Result<String, String>,
) -> Result<Project, Diagnostics> {
    let root = file.parent().unwrap_or(Path::new("/"));
    parse_in(file, text, &Surroundings { root, home: None, files })
}

/// Reads, checks and resolves a manifest that stands at `file`, in the given surroundings.
pub fn parse_in(file: &Path, text: &str, around: &Surroundings<'_>) -> Result<Project, Diagnostics> {
    let mut tree = match yaml::read(text) {
        Ok(tree) => tree,
        Err(fault) => return Err(Diagnostics::new(file, text, vec![fault])),
    };
    let mut faults = prepare(&mut tree, text);
    let (manifest, mut findings, pruned) = understand(&tree);
    let known = findings.len();
    let project = manifest.map(|manifest| build(file, &manifest, around, &tree, &mut findings));
    findings.iter_mut().skip(known).for_each(|finding| pruned.restore(&mut finding.path));
    faults.extend(findings.into_iter().map(|finding| finding.place(&tree)));
    match project {
        Some(project) if faults.is_empty() => Ok(project),
        _ => Err(Diagnostics::new(file, text, with_a_fault(faults))),
    }
}

/// A refusal always says why, even one that no rule has words for.
fn with_a_fault(mut faults: Vec<Fault>) -> Vec<Fault> {
    if faults.is_empty() {
        faults.push(Fault::new(0..0, "the manifest is not understood"));
    }
    faults
}

/// The typed manifest. When something is wrong with it: all that is, and what remains without the faulty parts,
/// so that the rules can still be held against the rest.
fn understand(tree: &Node) -> (Option<Manifest>, Vec<Finding>, Pruned) {
    let first = match read(tree.to_value()) {
        Ok(manifest) => return (Some(manifest), Vec::new(), Pruned::default()),
        Err(first) => first,
    };
    let mut value = tree.to_value();
    let mut findings = check(&value);
    if findings.is_empty() {
        findings.push(first);
    }
    let pruned = prune(&mut value, &findings);
    (read(value).ok(), findings, pruned)
}

/// Settles every level, then merges and resolves the sessions in which nothing is wrong so far.
fn build(
    file: &Path,
    manifest: &Manifest,
    around: &Surroundings<'_>,
    tree: &Node,
    findings: &mut Vec<Finding>,
) -> Project {
    let defaults = settle(&manifest.defaults, &[], around, findings);
    let levels: Vec<(&str, Level)> = match &manifest.sessions {
        None => vec![("default", Level::default())],
        Some(sessions) => sessions
            .iter()
            .map(|(name, settings)| {
                let base = ["sessions".to_owned(), name.0.clone()];
                (name.0.as_str(), settle(settings, &base, around, findings))
            })
            .collect(),
    };
    let sound: Vec<bool> = levels.iter().map(|(name, _)| is_sound(name, findings)).collect();
    let mut sessions = Vec::new();
    for ((name, level), _) in levels.into_iter().zip(sound).filter(|(_, sound)| *sound) {
        let (session, broken) = resolve(name, level.over(&defaults), around);
        let place = |rule: Broken| Finding::value(best_path(tree, name, &rule.keys), rule.wrong);
        findings.extend(broken.into_iter().map(place));
        sessions.push(session);
    }
    branches(&sessions, tree, findings);
    let name = manifest.name.as_ref().map_or_else(|| fitting_name(around.root), |name| name.0.clone());
    Project { name, root: around.root.to_owned(), file: file.to_owned(), sessions }
}

/// Whether nothing is wrong with a session or with what it inherits.
fn is_sound(name: &str, findings: &[Finding]) -> bool {
    findings.iter().all(|finding| match finding.path.as_slice() {
        [key, other, ..] if key == "sessions" => other != name,
        [key, ..] => key == "name" || key.starts_with("x-"),
        [] => false,
    })
}

/// The first path that the manifest has: in the session, among the defaults, at last the session itself.
fn best_path(tree: &Node, session: &str, keys: &[Vec<String>]) -> Vec<String> {
    let own = vec!["sessions".to_owned(), session.to_owned()];
    let in_session = keys.iter().map(|keys| [own.as_slice(), keys].concat());
    in_session.chain(keys.iter().cloned()).find(|path| tree.has(path)).unwrap_or(own)
}

/// No two sessions work on one branch, nor on branches that git cannot keep beside each other.
fn branches(sessions: &[Session], tree: &Node, findings: &mut Vec<Finding>) {
    let mut taken: BTreeMap<(&Path, &str), &str> = BTreeMap::new();
    let keys = [vec!["repository".to_owned(), "branch".to_owned()]];
    for session in sessions {
        let Some(Repository { path, branch, .. }) = &session.repository else { continue };
        let clash = taken
            .iter()
            .find(|((other_path, other), _)| *other_path == path.as_path() && collide(other, branch));
        if let Some(((_, other_branch), other)) = clash {
            let (name, other) = (quoted(&session.name), quoted(other));
            let wrong = if other_branch == branch {
                Wrong::new(format!("the sessions {other} and {name} work on one branch, {}", quoted(branch)))
            } else {
                let (one, two) = (quoted(other_branch), quoted(branch));
                Wrong::new(format!("git cannot keep {one} of {other} and {two} of {name} beside each other"))
            };
            let wrong = wrong.help("a branch that ends in `/` has the session's name added");
            findings.push(Finding::value(best_path(tree, &session.name, &keys), wrong));
        } else {
            taken.insert((path, branch), &session.name);
        }
    }
}

/// Whether two branches are the same, or one is the directory of the other.
fn collide(one: &str, two: &str) -> bool {
    let (short, long) = if one.len() < two.len() { (one, two) } else { (two, one) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A project's name from its directory's: lower case, with `-` for what a name cannot have.
fn fitting_name(root: &Path) -> String {
    let directory = root.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let fitting =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter);
    let name: String = directory.chars().map(|letter| if fitting(letter) { letter } else { '-' }).collect();
    let name: String = name.trim_matches(['-', '_']).chars().take(63).collect();
    if name.is_empty() { "project".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_give_valid_names() {
        for (directory, expected) in [
            ("/p/Shop", "shop"),
            ("/p/My Shop.v2", "my-shop-v2"),
            ("/p/.dotfiles", "dotfiles"),
            ("/p/Über", "ber"),
            ("/p/你好", "project"),
            ("/", "project"),
        ] {
            assert_eq!(fitting_name(Path::new(directory)), expected);
        }
    }

    #[test]
    fn branches_collide_as_files_do() {
        assert!(collide("a/b", "a/b") && collide("a", "a/b") && collide("a/b/c", "a/b"));
        assert!(!collide("a", "ab") && !collide("a/b", "a/c"));
    }
}
