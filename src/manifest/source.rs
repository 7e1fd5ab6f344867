//! Finds and reads manifests and the prompts that they name: the only part of `manifest` that touches the world.
//! Nothing here waits for a pipe or reads without a bound.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::diagnostic::Diagnostics;
use super::parse::parse_in;
use super::project::Project;
use super::settle::Surroundings;

/// Bytes that a manifest or a prompt may have.
const MAX_BYTES: u64 = 1024 * 1024;
/// The names of a manifest, the best first.
const NAMES: [&str; 2] = ["clauderon.yaml", "clauderon.yml"];

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
            Self::Missing { .. } => Some(
                "create a `clauderon.yaml` at the repository's root, such as `sessions: {hello: Say hello}`, \
                 or name one with `-f`",
            ),
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

/// Reads a manifest and resolves it.
pub fn load(file: &Path) -> Result<Project, LoadError> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let root = canonical(parent)?;
    let file = root.join(file.file_name().unwrap_or(file.as_os_str()));
    let text = read_text(&file)?;
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let read = |path: &Path| read_prompt(&root, path);
    let around = Surroundings { root: &root, home: home.as_deref(), files: &read };
    parse_in(&file, &text, &around).map_err(LoadError::Invalid)
}

fn canonical(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|source| Error::Io { path: path.to_owned(), source })
}

/// Reads a prompt of the project. One that lies elsewhere is refused, by a link too: a manifest that someone else
/// wrote could hand any file of this machine to the agent.
fn read_prompt(root: &Path, path: &Path) -> Result<String, String> {
    let real = path.canonicalize().map_err(|error| error.to_string())?;
    if !real.starts_with(root) {
        return Err("it lies outside the project".to_owned());
    }
    read_text(path).map_err(|error| match error {
        Error::Io { source, .. } => source.to_string(),
        Error::Unfit { reason, .. } => format!("it {reason}"),
        missing @ Error::Missing { .. } => missing.to_string(),
    })
}

/// Reads a regular file of text; anything else is an error at once.
fn read_text(path: &Path) -> Result<String, Error> {
    let unfit = |reason: String| Error::Unfit { path: path.to_owned(), reason };
    let bytes = read_bounded(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    match bytes {
        Content::Directory => Err(unfit("is a directory".to_owned())),
        Content::Special => Err(unfit("is not a regular file".to_owned())),
        Content::TooLarge => Err(unfit(format!("is larger than {} KiB", MAX_BYTES / 1024))),
        Content::Bytes(bytes) => text(bytes).map_err(unfit),
    }
}

enum Content {
    Bytes(Vec<u8>),
    Directory,
    Special,
    TooLarge,
}

fn read_bounded(path: &Path) -> io::Result<Content> {
    // Without waiting: opening a pipe that nobody writes to would not return.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Ok(Content::Directory);
    }
    if !metadata.is_file() {
        return Ok(Content::Special);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    let too_large = u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES;
    Ok(if too_large { Content::TooLarge } else { Content::Bytes(bytes) })
}

/// Bytes as text, or what they are instead.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("is UTF-16; save it as UTF-8".to_owned());
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(format!("is no text: it has a NUL at byte {at}"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("is not UTF-8: byte {at} is wrong")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        read_text(path).unwrap_err().to_string()
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
        std::fs::remove_file(root.join("p.md")).unwrap();
        let Err(LoadError::Invalid(diagnostics)) = load(&root.join("clauderon.yaml")) else {
            panic!("loaded")
        };
        assert!(diagnostics.render(false).contains("could not read the prompt file `p.md`"));
    }
}
