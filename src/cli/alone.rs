//! One at a time: who changes a project's containers holds its lock; another waits for some time and says for whom.

use super::output;
use super::remedy::file_error;
use crate::error::{Error, Kind};
use crate::fs;
use crate::home::Home;
use crate::manifest::project::Project;
use crate::render::identity::short_hash;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long another is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an engine may take to finish what someone who was killed had asked for.
const SETTLING: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(50);
/// The longest text that says who holds a lock.
const LONGEST: u64 = 200;

/// The lock of a project, held until it is let go of or its process ends, however it ends.
pub struct Alone(Mutex<Option<File>>);

impl Alone {
    /// Waits for the lock of a project, for a command of this name.
    pub async fn wait(home: &Home, project: &Project, verb: &str) -> Result<Self, Error> {
        let path = place(home, project);
        fs::create_private_dir(path.parent().unwrap_or(&path)).map_err(file_error)?;
        let mut file = fs::append(&path).map_err(file_error)?;
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
        if file.metadata().is_ok_and(|found| found.len() > 0) {
            // Whoever had it did not come to its end: the engine may be at what it was asked for last.
            tokio::time::sleep(SETTLING).await;
        }
        let text = format!("`clauderon {verb}` (process {})", std::process::id());
        let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(|error| Error::failed("could not say who is at work").because(error))?;
        Ok(Self(Mutex::new(Some(file))))
    }

    /// Lets others at it.
    pub fn let_go(&self) {
        if let Some(file) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
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

fn place(home: &Home, project: &Project) -> PathBuf {
    let key = format!("{}\0{}", project.root.display(), project.name);
    home.path().join("projects").join(format!("{}.lock", short_hash(&key)))
}

fn over(project: &Project, holder: &str) -> Error {
    let seconds = PATIENCE.as_secs();
    Error::new(Kind::TimedOut, format!("{holder} is still at work on `{}` after {seconds} s", project.name))
        .hint("let it come to its end, or end it: whatever it leaves half done, the next `up` or `down` finishes")
}
