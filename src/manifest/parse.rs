//! Pure. The way from text to `Project`: tree, typed manifest, settled levels, merged and resolved sessions.
//! The schema is asked only when something is wrong, for then every fault is wanted.

use std::collections::HashSet;
use std::path::Path;

use super::branches::clashes;
use super::check::{MAX_FOUND, check};
use super::diagnostic::{Diagnostics, Fault};
use super::finding::Finding;
use super::level::Level;
use super::prepare::prepare;
use super::project::{Project, Session};
use super::prune::{Pruned, prune};
use super::read::{Manifest, read};
use super::resolve::{Broken, resolve};
use super::settle::{Surroundings, settle};
use super::tree::Node;
use super::weight::{Weight, bounded};
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
    faults.extend(findings.into_iter().take(MAX_FOUND).map(|finding| finding.place(&tree)));
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
    let files = bounded(around.files);
    let around = &Surroundings { files: &files, ..*around };
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
    let sound: Vec<bool> = match unsound(findings) {
        Some(names) => levels.iter().map(|(name, _)| !names.contains(name)).collect(),
        None => Vec::new(),
    };
    let mut sessions = Vec::new();
    let mut weight = Weight::default();
    for ((name, level), _) in levels.into_iter().zip(sound).filter(|(_, sound)| *sound) {
        let (session, broken) = resolve(name, level.over(&defaults), around);
        let place = |rule: Broken| Finding::value(best_path(tree, name, &rule.keys), rule.wrong);
        findings.extend(broken.into_iter().map(place));
        if let Err(heavy) = weight.add(&session) {
            findings.push(heavy);
            break;
        }
        sessions.push(session);
        if findings.len() >= MAX_FOUND {
            break;
        }
    }
    branches(&sessions, tree, findings);
    let name = manifest.name.as_ref().map_or_else(|| fitting_name(around.root), |name| name.0.clone());
    Project { name, root: around.root.to_owned(), file: file.to_owned(), sessions }
}

/// The sessions with which something is wrong so far; nothing when it is wrong with what all inherit.
fn unsound(findings: &[Finding]) -> Option<HashSet<&str>> {
    let mut names = HashSet::new();
    for finding in findings {
        match finding.path.as_slice() {
            [key, name, ..] if key == "sessions" => drop(names.insert(name.as_str())),
            [key, ..] if key == "name" || key.starts_with("x-") => {}
            _ => return None,
        }
    }
    Some(names)
}

/// The first path that the manifest has: in the session, among the defaults, at last the session itself.
fn best_path(tree: &Node, session: &str, keys: &[Vec<String>]) -> Vec<String> {
    let own = vec!["sessions".to_owned(), session.to_owned()];
    let in_session = keys.iter().map(|keys| [own.as_slice(), keys].concat());
    in_session.chain(keys.iter().cloned()).find(|path| tree.has(path)).unwrap_or(own)
}

/// No two sessions work on one branch.
fn branches(sessions: &[Session], tree: &Node, findings: &mut Vec<Finding>) {
    let keys = [vec!["repository".to_owned(), "branch".to_owned()]];
    for (session, wrong) in clashes(sessions).into_iter().take(MAX_FOUND) {
        findings.push(Finding::value(best_path(tree, session, &keys), wrong));
    }
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
}
