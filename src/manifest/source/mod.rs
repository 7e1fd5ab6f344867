//! Finds and reads the files of a manifest, their `.env` and the prompts that they name: the only part of `manifest`
//! that touches the world.

mod read;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostics;
use super::dotenv;
use super::layer::{Role, Text, World};
use super::parse::{Parsed, parse_all};
use super::project::{Project, Source};
use super::tree::{Kind, Node};
use super::yaml;

/// The names of a manifest, the best first.
const NAMES: [&str; 2] = ["clauderon.yaml", "clauderon.yml"];
/// The names of what lies above a manifest that was found, the best first.
const OVERRIDES: [&str; 2] = ["clauderon.override.yaml", "clauderon.override.yml"];

/// A manifest that could not be found or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("no `clauderon.yaml` in `{start}`{above}", start = start.display(), above = above(start, top))]
    Missing {
        /// Where the search began.
        start: PathBuf,
        /// Where it ended: the repository's root, or that of the file system.
        top: PathBuf,
    },
    /// The system's own refusal.
    #[error("could not read `{path}`", path = path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is there, but no text.
    #[error("`{path}` {reason}", path = path.display())]
    Unfit {
        /// What was read.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => {
                Some("`clauderon init` writes one for this repository; or name one with `-f`")
            }
            _ => None,
        }
    }
}

fn above(start: &Path, top: &Path) -> String {
    if start == top { String::new() } else { format!(" or above it, up to `{}`", top.display()) }
}

/// A manifest that could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not read at all.
    #[error(transparent)]
    Unread(#[from] Error),
    /// Read, and wrong.
    #[error("the manifest has {count} fault{s}", count = .0.list.len(), s = if .0.list.len() == 1 { "" } else { "s" })]
    Invalid(Diagnostics),
}

/// Finds the manifest of a directory: there or above it, up to the root of the repository.
pub fn discover(start: &Path) -> Result<PathBuf, Error> {
    let start = canonical(start)?;
    let mut top = start.as_path();
    for directory in start.ancestors() {
        top = directory;
        let found =
            NAMES.iter().map(|name| directory.join(name)).find(|file| file.symlink_metadata().is_ok());
        if let Some(file) = found {
            return Ok(file);
        }
        if directory.join(".git").symlink_metadata().is_ok() {
            break;
        }
    }
    let top = top.to_owned();
    Err(Error::Missing { start, top })
}

/// The files of a project, from the lowest to the highest: those named, else the one found from `here` upward and
/// the override beside it.
pub fn select(named: &[PathBuf], here: &Path) -> Result<Vec<PathBuf>, Error> {
    if !named.is_empty() {
        return Ok(named.iter().map(|file| here.join(file)).collect());
    }
    let manifest = discover(here)?;
    let directory = manifest.parent().unwrap_or(Path::new("/"));
    let above =
        OVERRIDES.iter().map(|name| directory.join(name)).find(|file| file.symlink_metadata().is_ok());
    Ok([manifest].into_iter().chain(above).collect())
}

/// The files that may be found in a project's directory, whether they are there or not.
pub fn possible(root: &Path) -> Vec<PathBuf> {
    NAMES.iter().chain(&OVERRIDES).map(|name| root.join(name)).collect()
}

/// Reads one manifest, with nothing below or above it, and resolves it.
pub fn load(file: &Path) -> Result<Project, LoadError> {
    load_all(&[file.to_owned()], None).map(|parsed| parsed.project)
}

/// Reads the files of a project, the user's own below them where there is one, and resolves them together.
pub fn load_all(files: &[PathBuf], user: Option<&Path>) -> Result<Parsed, LoadError> {
    load_noting(files, user, &Noted::default())
}

/// Files that were looked for, whether they are there or not.
pub type Noted = RefCell<BTreeSet<PathBuf>>;

/// The same, and notes every file on which the outcome depends.
pub fn load_noting(files: &[PathBuf], user: Option<&Path>, noted: &Noted) -> Result<Parsed, LoadError> {
    for file in files.iter().map(PathBuf::as_path).chain(user) {
        let beside = file.with_file_name(".env");
        noted.borrow_mut().extend([file.to_owned(), beside]);
    }
    let mut texts = Vec::new();
    if let Some(user) = user.filter(|user| user.symlink_metadata().is_ok()) {
        texts.push(text(user, Role::User)?);
    }
    for file in files {
        texts.push(text(file, Role::Project)?);
    }
    let root = files.first().map_or(Path::new("/"), |file| file.as_path());
    let root = canonical(directory(root))?;
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let dotenvs = dotenvs(&texts)?;
    let variables = |directory: &Path, name: &str| {
        let below = || dotenvs.get(directory).and_then(|variables| variables.get(name).cloned());
        std::env::var(name).ok().or_else(below)
    };
    let handed = RefCell::new(BTreeSet::new());
    let files = |directory: &Path, path: &Path| {
        noted.borrow_mut().insert(path.to_owned());
        let text = read_inside(&[directory, &root], path)?;
        handed.borrow_mut().insert(crate::fs::real(path));
        Ok(text)
    };
    let world = World { root: &root, home: home.as_deref(), files: &files, variables: &variables };
    let mut parsed = parse_all(texts, &world).map_err(LoadError::Invalid)?;
    fix(&mut parsed.project);
    parsed.project.unheld = unheld(&root, handed.take());
    Ok(parsed)
}

/// The files of these that a clone of the repository would not bring: what git ignores, and what holds variables.
fn unheld(root: &Path, files: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    if files.is_empty() {
        return files;
    }
    let Ok(repository) = git2::Repository::discover(root) else { return BTreeSet::new() };
    let names_variables =
        |file: &Path| file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".env"));
    // What git cannot say is asked about as well.
    let ignored = |file: &Path| repository.is_path_ignored(file).unwrap_or(true);
    files.into_iter().filter(|file| names_variables(file) || ignored(file)).collect()
}

/// Whether a file takes variables; not of one that cannot be read.
pub fn takes_variables(file: &Path) -> bool {
    read::text(file)
        .is_ok_and(|text| text.contains("${") && yaml::read(&text).map_or(true, |tree| names_any(&tree)))
}

/// Whether a value takes a variable: comments and keys take none.
fn names_any(node: &Node) -> bool {
    match &node.kind {
        Kind::Text(text) => text.contains("${"),
        Kind::List(items) => items.iter().any(names_any),
        Kind::Map(entries) => entries.iter().any(|entry| names_any(&entry.value)),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => false,
    }
}

/// The text of a file as it is read, links followed; `None` where it cannot be.
pub fn content(file: &Path) -> Option<String> {
    read::text(file).ok()
}

/// Names the file of each credential by where it leads now. That is what a person is asked about, and what is opened from
/// then on: a link that comes later leads nowhere.
fn fix(project: &mut Project) {
    let credentials = project.sessions.iter_mut().flat_map(|session| session.credentials.values_mut());
    for credential in credentials {
        if let Some(Source::File { path, fixed, .. }) = &mut credential.from {
            (*path, *fixed) = (crate::fs::real(path), true);
        }
    }
}

fn directory(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads a file of a manifest; its directory is canonical from here on.
fn text(file: &Path, role: Role) -> Result<Text, Error> {
    let name = file.file_name().unwrap_or(file.as_os_str());
    let file = canonical(directory(file))?.join(name);
    let text = read::text(&file)?;
    Ok(Text { file, text, role })
}

/// The `.env` beside each file that takes variables.
fn dotenvs(texts: &[Text]) -> Result<BTreeMap<PathBuf, BTreeMap<String, String>>, LoadError> {
    let mut found = BTreeMap::new();
    for text in texts.iter().filter(|text| text.text.contains("${")) {
        let (directory, file) = (text.directory().to_owned(), text.directory().join(".env"));
        if found.contains_key(&directory) || file.symlink_metadata().is_err() {
            continue;
        }
        let unfit = |reason| Error::Unfit { path: file.clone(), reason };
        let text = read_inside(&[&directory], &file).map_err(unfit)?;
        let variables = dotenv::read(&text)
            .map_err(|faults| LoadError::Invalid(Diagnostics::of_secrets(&file, &text, faults)))?;
        found.insert(directory, variables);
    }
    Ok(found)
}

fn canonical(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|source| Error::Io { path: path.to_owned(), source })
}

/// Reads a file that a manifest leads to. One that lies elsewhere is refused, by a link too: a manifest that someone
/// else wrote could hand any file of this machine to the agent.
fn read_inside(roots: &[&Path], path: &Path) -> Result<String, String> {
    let real = path.canonicalize().map_err(|error| error.to_string())?;
    if !roots.iter().any(|root| real.starts_with(root)) {
        return Err("lies outside the project".to_owned());
    }
    if real.components().any(|part| part.as_os_str() == ".git") {
        return Err("is git's own".to_owned());
    }
    // By the real path, of which no part may have become a link since it was looked at.
    read::real_text(&real).map_err(|error| match error {
        Error::Io { source, .. } => source.to_string(),
        Error::Unfit { reason, .. } => reason,
        missing @ Error::Missing { .. } => missing.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        read::text(path).unwrap_err().to_string()
    }

    #[test]
    fn a_comment_takes_no_variable() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("clauderon.yaml");
        for (text, takes) in [
            ("name: a # ${\n# ${B}\n", false),
            ("name: ${B}\n", true),
            ("environment:\n  A: [\"x${B:-c}\"]\n", true),
            ("prompt: |\n  # ${B}\n", true),
            ("name: [${B\n", true),
        ] {
            crate::fs::replace(&file, text.as_bytes(), 0o644).unwrap();
            assert_eq!(takes_variables(&file), takes, "{text}");
        }
    }

    #[test]
    fn the_nearest_manifest_is_found_and_the_search_ends_at_the_repository() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("repository/.git")).unwrap();
        std::fs::create_dir_all(root.join("repository/a/b")).unwrap();
        crate::fs::replace(&root.join("clauderon.yaml"), b"", 0o644).unwrap();
        let start = root.join("repository/a/b");
        let error = discover(&start).unwrap_err();
        assert!(
            error.to_string().ends_with(&format!("up to `{}`", root.join("repository").display())),
            "{error}"
        );
        crate::fs::replace(&root.join("repository/clauderon.yml"), b"", 0o644).unwrap();
        assert_eq!(discover(&start).unwrap(), root.join("repository/clauderon.yml"));
        crate::fs::replace(&root.join("repository/clauderon.yaml"), b"", 0o644).unwrap();
        assert_eq!(discover(&start).unwrap(), root.join("repository/clauderon.yaml"));
    }

    #[test]
    fn what_is_no_text_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            crate::fs::replace(&path, bytes, 0o644).unwrap();
            path
        };
        assert!(refusal(directory.path()).ends_with("is a directory"));
        assert!(refusal(Path::new("/dev/zero")).ends_with("is not a regular file"));
        assert!(refusal(&file("utf16", b"\xff\xfea\0")).contains("UTF-16"));
        assert!(refusal(&file("nul", b"a\0")).contains("NUL at byte 1"));
        assert!(refusal(&file("latin1", b"a: \xe4")).contains("byte 3"));
        assert!(refusal(&file("large", &vec![b'#'; 1024 * 1024 + 1])).contains("larger than 1024 KiB"));
        assert!(refusal(&directory.path().join("none")).contains("could not read"));
        let pipe = directory.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(refusal(&pipe).ends_with("is not a regular file"));
    }

    #[test]
    fn a_manifest_is_loaded_with_its_prompts() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        crate::fs::replace(&root.join("p.md"), b"do it\n", 0o644).unwrap();
        crate::fs::replace(&root.join("clauderon.yaml"), b"name: x\nprompt: {file: p.md}\n", 0o644).unwrap();
        let project = load(&root.join("clauderon.yaml")).unwrap();
        assert_eq!((project.root, project.sessions[0].prompt.as_deref()), (root.clone(), Some("do it\n")));
        let noted = Noted::default();
        load_noting(&[root.join("clauderon.yaml")], None, &noted).unwrap();
        let expected = [".env", "clauderon.yaml", "p.md"].map(|name| root.join(name));
        assert_eq!(noted.into_inner(), BTreeSet::from(expected));
        std::fs::remove_file(root.join("p.md")).unwrap();
        let Err(LoadError::Invalid(diagnostics)) = load(&root.join("clauderon.yaml")) else {
            panic!("loaded")
        };
        assert!(diagnostics.render(false).contains("could not read the prompt file `p.md`"));
    }

    /// A file takes turns with a link that leads out of the project, as whoever can write there could have it.
    #[test]
    fn a_file_that_becomes_a_link_while_it_is_read_is_never_read_outside() {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use std::sync::atomic::{AtomicBool, Ordering};
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap().join("project");
        std::fs::create_dir(&root).unwrap();
        crate::fs::replace(&root.join("../secret"), b"secret", 0o600).unwrap();
        crate::fs::replace(&root.join(".env"), b"own", 0o600).unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        let (file, over) = (root.join(".env"), AtomicBool::new(false));
        let (mut own, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    renameat_with(CWD, &file, CWD, root.join("link"), RenameFlags::EXCHANGE).unwrap();
                }
            });
            for _ in 0..20_000 {
                match read_inside(&[&root], &file) {
                    Ok(text) if text == "own" => own += 1,
                    Ok(_) => own = -1_000_000,
                    Err(_) => refused += 1,
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        assert!(own > 0 && refused > 0, "{own} read, {refused} refused; below 0: outside");
    }

    #[test]
    fn a_credentials_file_is_named_by_where_it_leads_and_fixed_there() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        crate::fs::replace(&root.join("key"), b"k", 0o600).unwrap();
        std::os::unix::fs::symlink("key", root.join("link")).unwrap();
        let text =
            b"credentials: {a: {from: \"file:link\", host: a.dev}, b: {from: \"file:none\", host: b.dev}}\n";
        crate::fs::replace(&root.join("clauderon.yaml"), text, 0o644).unwrap();
        let project = load(&root.join("clauderon.yaml")).unwrap();
        for (name, file) in [("a", "key"), ("b", "none")] {
            let from = project.sessions[0].credentials[name].from.clone();
            let fixed = Source::File { path: root.join(file), pointer: String::new(), fixed: true };
            assert_eq!(from, Some(fixed));
        }
    }
}
