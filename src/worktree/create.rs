//! Makes a session's checkout: a repository of its own that borrows the objects of the user's.
//! It is built beside its place and moved there whole, so that a kill half-way leaves nothing in the way.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::{ErrorCode, Oid, Repository};

use super::checkout::{Checkout, Kind};
use super::error::Error;
use super::record::{COMMONDIR, Record, beside, scratch_prefix, sweep};
use super::{config, copy, files, linked, locks, parent, publish};

const LOCK_TIMEOUT: Duration = Duration::from_mins(5);

/// What a checkout is made of.
#[derive(Clone, Debug)]
pub struct CheckoutSpec {
    /// What it is.
    pub kind: Kind,
    /// A path in the user's repository; a linked worktree or a bare repository is fine.
    pub parent: PathBuf,
    /// Where the checkout goes. Its record, lock and scratch directories lie beside it.
    pub directory: PathBuf,
    /// The session's id.
    pub session: String,
    /// The revision to start at; `None` is the HEAD of the parent.
    pub base: Option<String>,
    /// The session's branch, short.
    pub branch: String,
    /// Ignored files to bring along, relative to the root of the parent's working tree.
    pub copy: Vec<PathBuf>,
    /// Lines for `.git/info/exclude`.
    pub excludes: Vec<String>,
}

/// Makes the checkout, or adopts the one that is there, touching nothing in it.
pub fn create(spec: &CheckoutSpec) -> Result<Checkout, Error> {
    let namespace = parent::namespace(&spec.session)?;
    if !git2::Branch::name_is_valid(&spec.branch).unwrap_or(false) {
        return Err(Error::BranchName { branch: spec.branch.clone() });
    }
    let repository = parent::open(&spec.parent)?;
    let common = parent::common_directory(&repository)?;
    let around = spec.directory.parent().unwrap_or(Path::new("."));
    crate::fs::create_private_dir(around)?;
    let _lock = lock(&spec.directory)?;
    sweep(&spec.directory);
    locks::sweep(&repository, &namespace);
    if let Some(found) = adopt(spec, &common)? {
        return Ok(found);
    }
    let mut record = Record::new(&spec.session, common.clone(), &spec.branch);
    record.kind = spec.kind;
    let start = start(spec, &repository, &namespace)?;
    record.base = start.map(|id| id.to_string());
    record.borrowed = parent::object_directories(&common)?;
    record.config = config::text(&repository, &beside(&spec.directory, ".lock"))?;
    record.excludes.clone_from(&spec.excludes);
    pin(&repository, &namespace, start)?;
    match spec.kind {
        Kind::Clone => build(spec, &repository, &record)?,
        Kind::Worktree => linked::make::worktree(spec, &repository, &record)?,
        Kind::Shared => linked::make::shared(spec, &repository, &mut record)?,
    }
    Ok(Checkout::of(&spec.directory, record))
}

/// The lock that one maker of the checkout holds.
fn lock(directory: &Path) -> Result<File, Error> {
    let path = beside(directory, ".lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(Error::io("open", &path))?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    while file.try_lock().is_err() {
        if Instant::now() > deadline {
            return Err(Error::Busy { path: directory.to_owned() });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(file)
}

/// The checkout that is there already; `None` where there is nothing, or an empty directory.
fn adopt(spec: &CheckoutSpec, common: &Path) -> Result<Option<Checkout>, Error> {
    let directory = &spec.directory;
    if !Checkout::is_at(directory) {
        return Ok(None);
    }
    if std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(None);
    }
    let foreign = |reason: String| Err(Error::Foreign { path: directory.clone(), reason });
    match Record::read(directory)? {
        Some(record) if record.session != spec.session => {
            foreign(format!("it is of session `{}`", record.session))
        }
        Some(record) if record.parent != common => foreign(format!("it is of `{}`", record.parent.display())),
        _ => Checkout::open(directory).map(Some),
    }
}

/// The commit to start at: the branch as a session published it, where it is there, else the base.
fn start(spec: &CheckoutSpec, repository: &Repository, namespace: &str) -> Result<Option<Oid>, Error> {
    let base = base(spec, repository)?;
    let Some(tip) = parent::target(repository, &format!("refs/heads/{}", spec.branch))? else {
        return Ok(base);
    };
    let ours = parent::is_published(repository, namespace, &spec.branch, tip)?;
    if ours || base == Some(tip) {
        return Ok(Some(tip));
    }
    Err(Error::BranchTaken { branch: spec.branch.clone() })
}

fn base(spec: &CheckoutSpec, repository: &Repository) -> Result<Option<Oid>, Error> {
    // The files that are shared are those of HEAD, whatever else is said.
    let base = spec.base.as_deref().filter(|_| spec.kind != Kind::Shared);
    let revision = base.unwrap_or("HEAD");
    let found = repository.revparse_single(revision).and_then(|object| object.peel_to_commit());
    match found {
        Ok(commit) => Ok(Some(commit.id())),
        Err(_) if base.is_none() && is_unborn(repository) => Ok(None),
        Err(_) => Err(Error::BaseNotFound { base: revision.to_owned(), path: spec.parent.clone() }),
    }
}

fn is_unborn(repository: &Repository) -> bool {
    repository.head().is_err_and(|error| error.code() == ErrorCode::UnbornBranch)
}

/// Keeps what the checkout borrows from being pruned in the parent.
fn pin(repository: &Repository, namespace: &str, start: Option<Oid>) -> Result<(), Error> {
    let Some(start) = start else { return Ok(()) };
    let name = format!("{namespace}base");
    let seen = parent::target(repository, &name)?;
    if seen == Some(start) {
        return Ok(());
    }
    publish::set(repository, &name, seen, start).map_err(Error::git(format!("write `{name}`")))
}

/// Brings along what the spec names, into a tree that no agent has seen.
pub(super) fn bring(spec: &CheckoutSpec, repository: &Repository, tree: &Path) -> Result<(), Error> {
    match repository.workdir() {
        Some(workdir) => copy::bring(workdir, tree, &spec.copy),
        None if spec.copy.is_empty() => Ok(()),
        None => {
            let reason = "the repository is bare".to_owned();
            Err(Error::Copy { path: spec.copy[0].clone(), reason })
        }
    }
}

fn build(spec: &CheckoutSpec, repository: &Repository, record: &Record) -> Result<(), Error> {
    let beside = spec.directory.parent().unwrap_or(Path::new("."));
    let scratch = tempfile::Builder::new().prefix(&scratch_prefix(&spec.directory)).tempdir_in(beside);
    let scratch = scratch.map_err(Error::io("create a directory in", beside))?;
    let tree = scratch.path().join("tree");
    git_directory(&tree, record)?;
    if record.base.is_some() {
        let objects = record.borrowed.first().map(PathBuf::as_path);
        files::check_out(&tree, &files::Lender { objects, settings: config::promisors(repository)? })?;
    }
    bring(spec, repository, &tree)?;
    record.write(&spec.directory)?;
    std::fs::rename(&tree, &spec.directory).map_err(Error::io("create", &spec.directory))
}

fn git_directory(tree: &Path, record: &Record) -> Result<(), Error> {
    let git = tree.join(".git");
    for directory in ["hooks", "info", "logs", "objects/info", "objects/pack", "refs/heads", "refs/tags"] {
        let path = git.join(directory);
        std::fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
    }
    let write = |name: &str, content: &str| {
        let path = git.join(name);
        std::fs::write(&path, content).map_err(Error::io("write", &path))
    };
    write("HEAD", &format!("ref: refs/heads/{}\n", record.branch))?;
    write("config", &record.config)?;
    write("commondir", COMMONDIR)?;
    write("info/exclude", &record.exclude_file())?;
    write("objects/info/alternates", &record.alternates())?;
    if let Ok(shallow) = std::fs::read_to_string(record.parent.join("shallow")) {
        write("shallow", &shallow)?;
    }
    let Some(base) = &record.base else { return Ok(()) };
    let name = format!("refs/heads/{}", record.branch);
    let parent = git.join(&name);
    let parent = parent.parent().unwrap_or(&git);
    std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    write(&name, &format!("{base}\n"))
}
