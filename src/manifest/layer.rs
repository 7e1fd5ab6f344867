//! Pure. One file of a manifest, understood by itself: its tree, its variables put in place, its settled levels,
//! and what is wrong with it.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::check::check;
use super::diagnostic::Fault;
use super::finding::{Finding, Wrong};
use super::interpolate::{Variables, interpolate};
use super::level::Level;
use super::prepare::prepare;
use super::project::notify::Notify;
use super::prune::{Pruned, prune};
use super::read::{Manifest, read};
use super::scalar::Name;
use super::settle::{Surroundings, settle};
use super::tree::{Kind, Node};
use super::{written, yaml};

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The user's own defaults, below every project.
    User,
    /// The project's: its manifest, what lies above that, what the command line names.
    Project,
}

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its path, absolute; relative paths inside it start at its directory.
    pub file: PathBuf,
    /// What it says.
    pub text: String,
    /// Whose it is.
    pub role: Role,
}

impl Text {
    /// A project's file.
    pub fn new(file: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into(), role: Role::Project }
    }

    /// The directory that its relative paths start at.
    pub fn directory(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }
}

/// What of the world the files of a manifest depend on.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The project's directory.
    pub root: &'a Path,
    /// The home directory that `~` stands for.
    pub home: Option<&'a Path>,
    /// Reads a prompt's file for a manifest in the directory given first; an error is its reason alone.
    pub files: &'a dyn Fn(&Path, &Path) -> Result<String, String>,
    /// A variable for a manifest in the directory given first.
    pub variables: &'a dyn Fn(&Path, &str) -> Option<String>,
}

/// A file, understood.
pub struct Layer {
    /// Whose it is.
    pub role: Role,
    /// Its values with their places; nothing where it is no YAML.
    pub tree: Node,
    /// The project's name, where it gives one.
    pub name: Option<String>,
    /// What it has run on this machine.
    pub notify: Notify,
    /// The defaults of all sessions.
    pub defaults: Level,
    /// The sessions that it names.
    pub sessions: IndexMap<String, Level>,
    /// Variables that it took.
    pub variables: Variables,
    /// Faults of the text.
    faults: Vec<Fault>,
    /// Faults of values.
    findings: Vec<Finding>,
}

impl Layer {
    /// Reads and settles one file.
    pub fn read(text: &Text, world: &World<'_>) -> Self {
        let mut layer = Self {
            role: text.role,
            tree: Node { span: 0..0, kind: Kind::Null },
            name: None,
            notify: Notify::default(),
            defaults: Level::default(),
            sessions: IndexMap::new(),
            variables: Variables::new(),
            faults: Vec::new(),
            findings: Vec::new(),
        };
        match yaml::read(&text.text) {
            Ok(tree) => layer.tree = tree,
            Err(fault) => {
                layer.faults.push(fault);
                return layer;
            }
        }
        layer.faults = prepare(&mut layer.tree, &text.text);
        let lookup = |name: &str| (world.variables)(text.directory(), name);
        let (faults, variables) = interpolate(&mut layer.tree, &text.text, &lookup);
        layer.faults.extend(faults);
        layer.variables = variables;
        layer.settle(text, world);
        layer
    }

    /// Settles what is understood; the schema is asked only when something is wrong, for then every fault is wanted.
    fn settle(&mut self, text: &Text, world: &World<'_>) {
        let (manifest, mut findings, pruned) = understand(&self.tree);
        let known = findings.len();
        if let Some(manifest) = manifest {
            let read = |path: &Path| (world.files)(text.directory(), path);
            let around = Surroundings { root: text.directory(), home: world.home, files: &read };
            self.defaults = settle(&manifest.defaults, &[], &around, &mut findings);
            // One after the other is let go of: there may be thousands.
            for (Name(name), settings) in manifest.sessions.into_iter().flatten() {
                let base = ["sessions".to_owned(), name.clone()];
                let level = settle(&settings, &base, &around, &mut findings);
                self.sessions.insert(name, level);
            }
            self.name = manifest.name.map(|name| name.0);
            self.notify = manifest.notify.map(notify).unwrap_or_default();
        }
        for finding in findings.iter_mut().skip(known) {
            pruned.restore(&mut finding.path);
            finding.other.iter_mut().for_each(|other| pruned.restore(&mut other.0));
        }
        if self.role == Role::User {
            findings.extend(["name", "sessions"].into_iter().filter_map(|key| self.not_the_users(key)));
        } else {
            findings.extend(self.not_the_projects("notify"));
        }
        self.findings = findings;
    }

    fn not_the_users(&self, key: &str) -> Option<Finding> {
        let path = vec![key.to_owned()];
        let help = "this file holds your defaults for every project; move it into the project's manifest";
        let wrong = || Wrong::new(format!("`{key}` is a project's")).help(help);
        self.tree.has(&path).then(|| Finding::key(path, wrong()))
    }

    fn not_the_projects(&self, key: &str) -> Option<Finding> {
        let help =
            "only your own `clauderon/clauderon.yaml` in the configuration directory may: move it there";
        let wrong =
            || Wrong::new("a project's manifest names no command that runs on this machine").help(help);
        let says = self.tree.get(key).is_some_and(|node| !matches!(node.kind, Kind::Null));
        says.then(|| Finding::key(vec![key.to_owned()], wrong()))
    }

    /// Whether nothing is wrong with a session or with what it inherits.
    pub fn is_sound(&self, session: &str) -> bool {
        self.findings.iter().all(|finding| match finding.path.as_slice() {
            [key, other, ..] if key == "sessions" => other != session,
            [key, ..] => ["name", "notify"].contains(&key.as_str()) || key.starts_with("x-"),
            [] => false,
        })
    }

    /// All that is wrong with it, placed.
    pub fn faults(&mut self) -> Vec<Fault> {
        let placed = std::mem::take(&mut self.findings).into_iter().map(|finding| finding.place(&self.tree));
        let mut faults = std::mem::take(&mut self.faults);
        faults.extend(placed);
        faults
    }
}

/// Seconds that a notification may take where nothing is said.
const PATIENCE: u64 = 10;

fn notify(written: written::notify::Notify) -> Notify {
    let argv = |argv: Option<written::credential::Argv>| argv.map(|argv| argv.0).unwrap_or_default();
    Notify {
        waiting: argv(written.waiting),
        idle: argv(written.idle),
        ended: argv(written.ended),
        failed: argv(written.failed),
        timeout: written.timeout.map_or(PATIENCE, |seconds| seconds.0),
    }
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
