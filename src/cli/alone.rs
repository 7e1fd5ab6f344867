//! One at a time: who changes a project's containers holds its lock; another waits for some time and says for whom.
//! Beside the lock it is written down where the project's manifest is, for `prune`.

use super::output;
use super::remedy::file_error;
use crate::error::{Error, Kind};
use crate::fs;
use crate::home::Home;
use crate::manifest::project::Project;
use crate::render::identity::short_hash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long another is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an engine may take to finish what someone who was killed had asked for.
const SETTLING: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(50);
/// The longest text that says who holds a lock.
const LONGEST: u64 = 200;
/// The longest text that says where a manifest is.
const LONGEST_PLACE: u64 = 1 << 16;

/// The lock of a project, held until it is let go of or its process ends, however it ends.
pub struct Alone {
    file: Mutex<Option<File>>,
    /// The sessions that something is done for.
    at_work: Mutex<BTreeSet<String>>,
    /// Held by the one who takes the lock again.
    taking: tokio::sync::Mutex<()>,
}

/// A project as its lock knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its root.
    pub root: PathBuf,
    /// Its manifest.
    pub file: PathBuf,
}

impl Alone {
    /// Waits for the lock of a project, for a command of this name.
    pub async fn wait(home: &Home, project: &Project, verb: &str) -> Result<Self, Error> {
        Self::take(home, project, verb).await.map(Self::of)
    }

    /// The lock of a project whose manifest need not be there, or who holds it; nobody is waited for.
    pub async fn now(home: &Home, name: &str, root: &str, verb: &str) -> Result<Result<Self, String>, Error> {
        let path = place_of_lock(home, name, root);
        let file = open(&path)?;
        if file.try_lock().is_err() {
            let holder = fs::read_small(&path, LONGEST).filter(|holder| !holder.is_empty());
            return Ok(Err(holder.unwrap_or_else(|| "another command".to_owned())));
        }
        settle(&file).await;
        held(file, verb).map(|file| Ok(Self::of(file)))
    }

    fn of(file: File) -> Self {
        let (file, at_work) = (Mutex::new(Some(file)), Mutex::default());
        Self { file, at_work, taking: tokio::sync::Mutex::default() }
    }

    async fn take(home: &Home, project: &Project, verb: &str) -> Result<File, Error> {
        let path = place_of_lock(home, &project.name, &project.root.display().to_string());
        let file = open(&path)?;
        let deadline = Instant::now() + PATIENCE;
        let mut said = false;
        while file.try_lock().is_err() {
            let holder = fs::read_small(&path, LONGEST).unwrap_or_default();
            if Instant::now() >= deadline {
                return Err(over(project, &holder));
            }
            // Who has it since a moment says who he is in the next.
            if !said && !holder.is_empty() {
                said = true;
                output::say(&format!("{}: waiting for {holder}, which is at work on it", project.name));
            }
            tokio::time::sleep(INTERVAL).await;
        }
        settle(&file).await;
        let known =
            Known { name: project.name.clone(), root: project.root.clone(), file: project.file.clone() };
        let text = serde_json::to_vec(&known).unwrap_or_default();
        fs::replace(&path.with_extension("json"), &text, 0o600).map_err(file_error)?;
        held(file, verb)
    }

    /// Something is done for these sessions from now on.
    pub fn begin<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        lock(&self.at_work).extend(ids.into_iter().map(str::to_owned));
    }

    /// Nothing is done for a session any more, or for now: others are let at the project once that is so of all.
    pub fn rest(&self, id: &str) {
        let mut at_work = lock(&self.at_work);
        at_work.remove(id);
        if at_work.is_empty() {
            self.let_go();
        }
    }

    /// Something is done for a session again: whoever came in between is waited for.
    pub async fn resume(&self, home: &Home, project: &Project, id: &str) -> Result<(), Error> {
        let _taking = self.taking.lock().await;
        {
            let mut at_work = lock(&self.at_work);
            if lock(&self.file).is_some() {
                at_work.insert(id.to_owned());
                return Ok(());
            }
        }
        let file = Self::take(home, project, "up").await?;
        lock(&self.at_work).insert(id.to_owned());
        *lock(&self.file) = Some(file);
        Ok(())
    }

    /// Lets others at it.
    pub fn let_go(&self) {
        if let Some(file) = lock(&self.file).take() {
            // Where it fails, the next one waits for an engine that is at rest.
            let _ = file.set_len(0);
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The projects that ever held their locks, sorted. A file that cannot be read is one of another release.
pub fn known(home: &Home) -> Result<Vec<Known>, Error> {
    let names = fs::list(&locks(home)).map_err(file_error)?;
    let files = names.iter().filter(|name| Path::new(name).extension().is_some_and(|end| end == "json"));
    let read = |name: &String| fs::read_small(&locks(home).join(name), LONGEST_PLACE);
    let mut known: Vec<Known> =
        files.filter_map(read).filter_map(|text| serde_json::from_str(&text).ok()).collect();
    known.sort();
    Ok(known)
}

/// The file that says where a project's manifest is.
pub fn place(home: &Home, name: &str, root: &str) -> PathBuf {
    place_of_lock(home, name, root).with_extension("json")
}

fn locks(home: &Home) -> PathBuf {
    home.path().join("projects")
}

fn place_of_lock(home: &Home, name: &str, root: &str) -> PathBuf {
    locks(home).join(format!("{}.lock", short_hash(&format!("{root}\0{name}"))))
}

fn open(path: &Path) -> Result<File, Error> {
    fs::create_private_dir(path.parent().unwrap_or(path)).map_err(file_error)?;
    fs::append(path).map_err(file_error)
}

/// Whoever had the lock may not have come to its end: the engine may be at what it was asked for last.
async fn settle(file: &File) {
    if file.metadata().is_ok_and(|found| found.len() > 0) {
        tokio::time::sleep(SETTLING).await;
    }
}

fn held(mut file: File, verb: &str) -> Result<File, Error> {
    let text = format!("`clauderon {verb}` (process {})", std::process::id());
    let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
    written.map_err(|error| Error::failed("could not say who is at work").because(error))?;
    Ok(file)
}

fn over(project: &Project, holder: &str) -> Error {
    let seconds = PATIENCE.as_secs();
    Error::new(Kind::TimedOut, format!("{holder} is still at work on `{}` after {seconds} s", project.name))
        .hint("let it come to its end, or end it: whatever it leaves half done, the next `up` or `down` finishes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_are_let_in_only_while_every_session_waits() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let file = root.join("clauderon.yaml");
        fs::replace(&file, b"name: shop\n", 0o600).unwrap();
        let (home, project) = (Home::at(root.join("home")), crate::manifest::source::load(&file).unwrap());
        let alone = Alone::wait(&home, &project, "up").await.unwrap();
        let is_free = || {
            fs::append(&place_of_lock(&home, &project.name, &project.root.display().to_string()))
                .unwrap()
                .try_lock()
                .is_ok()
        };
        alone.begin(["waits", "works"]);
        alone.rest("waits");
        assert!(!is_free(), "something is done for the other session");
        alone.rest("works");
        alone.rest("works");
        assert!(is_free());

        let other = Alone::wait(&home, &project, "down").await.unwrap();
        let resume = alone.resume(&home, &project, "waits");
        tokio::pin!(resume);
        let early = tokio::time::timeout(Duration::from_millis(200), &mut resume).await;
        assert!(early.is_err(), "another is at work");
        drop(other);
        resume.await.unwrap();
        assert!(!is_free());
        alone.resume(&home, &project, "works").await.unwrap();
        alone.rest("waits");
        assert!(!is_free());
        alone.rest("works");
        assert!(is_free());
    }
}
