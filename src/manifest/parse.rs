//! Pure. The way from the files of a manifest to a `Project`: each file a layer, the layers merged from the lowest to
//! the highest, the sessions resolved, the rules that need the whole picture held against them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use indexmap::map::Entry;

use super::check::MAX_FOUND;
use super::collide::branches;
use super::credentials::not_the_projects;
use super::diagnostic::{Diagnostics, Fault, Other};
use super::finding::Wrong;
use super::interpolate::Variables;
use super::layer::{Layer, Role, Text, World};
use super::level::Level;
use super::line::Lines;
use super::project::Project;
use super::resolve::{Broken, resolve};
use super::settle::Surroundings;
use super::spot::{Spot, best, found};
use super::tree::Node;
use super::veil::veil;
use super::weight::{Weight, bounded};

/// A manifest that was understood, with the layers that it came from.
pub struct Parsed {
    /// What it declares.
    pub project: Project,
    /// Its files, from the lowest to the highest.
    pub layers: Vec<Layer>,
    /// What those say.
    pub texts: Vec<Text>,
}

/// Reads, checks and resolves a manifest of one file. `file` is absolute; `files` reads the prompts that it names.
/// There is no home directory here: see `parse_in` for one.
pub fn parse(
    file: &Path,
    text: &str,
    files: &dyn Fn(&Path) -> Result<String, String>,
) -> Result<Project, Diagnostics> {
    let root = file.parent().unwrap_or(Path::new("/"));
    parse_in(file, text, &Surroundings { root, home: None, files })
}

/// Reads, checks and resolves a manifest of one file in the given surroundings, where no variable is set.
pub fn parse_in(file: &Path, text: &str, around: &Surroundings<'_>) -> Result<Project, Diagnostics> {
    let files = |_: &Path, path: &Path| (around.files)(path);
    let world = World { root: around.root, home: around.home, files: &files, variables: &|_, _| None };
    parse_all(vec![Text::new(file, text)], &world).map(|parsed| parsed.project)
}

/// Reads, checks and resolves a manifest of several files, given from the lowest to the highest.
pub fn parse_all(texts: Vec<Text>, world: &World<'_>) -> Result<Parsed, Diagnostics> {
    let files = bounded(world.files);
    let world = &World { files: &files, ..*world };
    let mut layers: Vec<Layer> = texts.iter().map(|text| Layer::read(text, world)).collect();
    let commands = not_the_projects(&layers);
    let (project, mut faults) = build(&mut layers, &texts, world);
    faults.extend(commands);
    for (index, layer) in layers.iter_mut().enumerate() {
        faults.extend(layer.faults().into_iter().take(MAX_FOUND).map(|fault| (index, fault)));
    }
    if faults.is_empty() {
        return Ok(Parsed { project, layers, texts });
    }
    let files: Vec<(&str, &Node)> =
        texts.iter().zip(&layers).map(|(text, layer)| (text.text.as_str(), &layer.tree)).collect();
    veil(&mut faults, &files);
    Err(Diagnostics::of(texts.into_iter().map(|text| (text.file, text.text)).collect(), faults))
}

/// Merges the layers and resolves the sessions in which nothing is wrong so far.
fn build(layers: &mut [Layer], texts: &[Text], world: &World<'_>) -> (Project, Vec<(usize, Fault)>) {
    let (defaults, levels) = merge(layers);
    let layers = &*layers;
    let mut faults = Vec::new();
    let mut sessions = Vec::new();
    let mut weight = Weight::default();
    let mut lines = Lines::new(layers, texts, world.root);
    faults.extend(nobody(layers, &levels));
    for (name, level) in levels.into_iter().filter(|(_, level)| level.off != Some(true)) {
        if !layers.iter().all(|layer| layer.is_sound(&name)) {
            continue;
        }
        let (mut session, broken) = resolve(&name, level.over(&defaults), world.root);
        for (host, said) in &mut session.hosts {
            said.place = lines.of(&name, ["proxy", "hosts", host]);
        }
        faults.extend(broken.into_iter().map(|rule| place(rule, layers, &name)));
        for (credential, said) in &mut session.credentials {
            said.place = lines.of(&name, ["credentials", credential]);
        }
        if let Err(heavy) = weight.add(&session) {
            faults.push(at_sessions(layers, heavy));
            break;
        }
        sessions.push(session);
        if faults.len() >= MAX_FOUND {
            break;
        }
    }
    faults.extend(branches(&sessions).into_iter().map(|(name, rule)| place(rule, layers, &name)));
    let named = layers.iter().rev().find_map(|layer| layer.name.clone());
    let project = Project {
        name: named.unwrap_or_else(|| fitting_name(world.root)),
        root: world.root.to_owned(),
        file: manifest(texts),
        variables: variables(layers),
        unheld: BTreeSet::new(),
        notify: layers
            .iter()
            .find(|layer| layer.role == Role::User)
            .map(|it| it.notify.clone())
            .unwrap_or_default(),
        sessions,
    };
    (project, faults)
}

/// The defaults and the sessions of all layers together, the sessions in the order in which they are first named.
fn merge(layers: &mut [Layer]) -> (Level, IndexMap<String, Level>) {
    let mut defaults = Level::default();
    let mut sessions: IndexMap<String, Level> = IndexMap::new();
    for layer in layers {
        defaults = std::mem::take(&mut layer.defaults).over(&defaults);
        for (name, level) in std::mem::take(&mut layer.sessions) {
            match sessions.entry(name) {
                Entry::Occupied(mut lower) => drop(lower.insert(level.over(lower.get()))),
                Entry::Vacant(new) => drop(new.insert(level)),
            }
        }
    }
    if sessions.is_empty() {
        sessions.insert("default".to_owned(), Level::default());
    }
    (defaults, sessions)
}

/// A broken rule where it is best seen, with the other party beside it.
fn place(rule: Broken, layers: &[Layer], session: &str) -> (usize, Fault) {
    let spot = best(layers, session, &rule.keys);
    let Wrong { message, help } = rule.wrong;
    let mut fault = Fault { span: spot.span(layers), message, help, other: None };
    if let Some(against) = rule.against {
        let there = match against.session.as_deref() {
            Some(other) => Some(best(layers, other, &[against.keys])),
            None => found(layers, session, &[against.keys]),
        };
        if let Some(there) = there.filter(|there| *there != spot) {
            let span = there.named_span(layers);
            fault.other = Some(Other { text: Some(there.layer), span, label: against.label });
        }
    }
    (spot.layer, fault)
}

/// A fault where every session is turned off.
fn nobody(layers: &[Layer], levels: &IndexMap<String, Level>) -> Option<(usize, Fault)> {
    if levels.is_empty() || levels.values().any(|level| level.off != Some(true)) {
        return None;
    }
    Some(at_sessions(layers, Wrong::new("every session is turned off").help("leave one without `false`")))
}

/// A fault of all sessions together.
fn at_sessions(layers: &[Layer], Wrong { message, help }: Wrong) -> (usize, Fault) {
    let spot = Spot::highest(layers, &["sessions".to_owned()]).unwrap_or_default();
    (spot.layer, Fault { span: spot.named_span(layers), message, help, other: None })
}

/// The project's own file: the lowest that is not the user's.
fn manifest(texts: &[Text]) -> PathBuf {
    let project = texts.iter().find(|text| text.role == Role::Project);
    project.or(texts.first()).map(|text| text.file.clone()).unwrap_or_default()
}

/// The variables that the project's files take.
fn variables(layers: &[Layer]) -> Variables {
    let project = layers.iter().filter(|layer| layer.role == Role::Project);
    project.flat_map(|layer| layer.variables.iter().cloned()).collect()
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
