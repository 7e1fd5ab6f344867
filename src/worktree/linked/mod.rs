//! Checkouts that are part of the user's repository: a `worktree` of it, or its own working tree, `shared`. git keeps for
//! each a directory of its own in `.git/worktrees`, here as there; what of `.git` an agent may write stands in `shown`.

pub mod lost;
pub mod make;
pub mod remove;
mod shown;

use std::path::{Path, PathBuf};

use super::beneath::Beneath;
use super::checkout::{Checkout, Kind};
use super::record::{Record, beside};

const PREFIX: &str = "clauderon-";
/// Files of ours are a line or two.
const MAX_BYTES: u64 = 8192;

/// The session's own directory in the user's git directory.
pub fn registration(common: &Path, session: &str) -> PathBuf {
    common.join("worktrees").join(format!("{PREFIX}{session}"))
}

/// What is shown to the container in the place of the user's, beside the checkout.
fn guard(directory: &Path) -> PathBuf {
    beside(directory, ".guard")
}

/// Whether any session may write the refs and objects of a repository.
pub fn is_any(common: &Path) -> bool {
    let entries = std::fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
}

/// The content of a `.git` file that leads to the registration.
fn pointer(registration: &Path) -> String {
    format!("gitdir: {}\n", registration.display())
}

/// What the registration says of where the repository is. In a working tree with a `.git` directory it is mounted over
/// that, and nothing relative leads back.
fn commondir(record: &Record) -> String {
    if record.has_git_directory { format!("{}\n", record.parent.display()) } else { "../..\n".to_owned() }
}

/// The path of the `.git` that the registration belongs to. That of a shared working tree belongs to the user's own.
fn gitdir(directory: &Path) -> String {
    format!("{}\n", directory.join(".git").display())
}

/// The checkout of a record.
pub fn checkout(directory: &Path, record: Record) -> Checkout {
    let shown = shown::shown(directory, &record);
    let place = record.working_tree.clone().unwrap_or_else(|| directory.to_owned());
    Checkout {
        kind: record.kind,
        directory: place,
        branch: record.branch,
        base: record.base,
        borrowed: record.borrowed.into_iter().skip(1).collect(),
        pinned: Vec::new(),
        read_only: Vec::new(),
        shown,
    }
}

/// Whether what must be there is there and as it was made; else what is not, in words.
pub fn whole(directory: &Path, record: &Record) -> Result<(), String> {
    let registration = registration(&record.parent, &record.session);
    let opened = Beneath::open(&registration);
    let opened = opened.map_err(|_| format!("its registration `{}` is gone", registration.display()))?;
    let mut expected = vec![
        (&opened, "commondir", commondir(record)),
        (&opened, "gitdir", gitdir(directory)),
        (&opened, "config.worktree", String::new()),
    ];
    let tree = Beneath::open(record.working_tree.as_deref().unwrap_or(directory));
    let tree = tree.map_err(|error| error.to_string())?;
    if record.kind == Kind::Worktree {
        expected.push((&tree, ".git", pointer(&registration)));
    }
    for (root, name, content) in expected {
        let found = root.read(Path::new(name), MAX_BYTES).map_err(|error| error.to_string())?;
        if found.as_deref() != Some(content.as_bytes()) {
            return Err(format!("`{name}` is not as it was made"));
        }
    }
    Ok(())
}
