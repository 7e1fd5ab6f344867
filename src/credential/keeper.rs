//! Holds the values of credentials in the daemon's memory: handed over, read where they are, read anew when that changes
//! or a value was rejected, and renewed by the host alone, one renewal at a time.

use super::read::{self, At, Stamp};
use super::refresh::{Post, Provider};
use crate::manifest::project::Source;
use crate::secret::Secret;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A login that ends this soon is renewed before it is used.
const EARLY: i64 = 60_000;
/// How long a file is not looked at again.
const LOOK: Duration = Duration::from_millis(50);
/// How long what was rejected or could not be renewed is not tried again: whoever is rejected at will causes no storm.
const REST: Duration = Duration::from_secs(10);

/// How long after a rejection another causes nothing: a session that makes its requests fail must not have the login
/// renewed at will.
const FORCED: Duration = Duration::from_secs(60);

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It was never handed over, or the daemon was started since.
    Waiting {
        /// The variable.
        variable: String,
    },
    /// It cannot be read or renewed.
    Failed(String),
}

/// Values by session and variable, handed over at `up`.
type Handed = BTreeMap<String, BTreeMap<String, Secret<String>>>;

/// Holds the values.
pub struct Keeper {
    handed: Mutex<Handed>,
    kept: Mutex<BTreeMap<Source, Arc<tokio::sync::Mutex<Kept>>>>,
    post: Arc<dyn Post>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

/// A value as it was last read.
#[derive(Default)]
struct Kept {
    value: Option<Secret<String>>,
    stamp: Option<Stamp>,
    /// When its file was last looked at.
    looked: Option<Instant>,
    ends: Option<i64>,
    /// When reading or renewing last brought nothing new.
    vain: Option<Instant>,
    /// When it was last read or renewed because it was rejected.
    forced: Option<Instant>,
}

impl Kept {
    fn rests(&self) -> bool {
        self.vain.is_some_and(|at| at.elapsed() < REST)
    }
}

impl Keeper {
    /// A keeper that holds nothing yet.
    pub fn new(post: Arc<dyn Post>) -> Self {
        Self { handed: Mutex::default(), kept: Mutex::default(), post }
    }

    fn handed(&self) -> MutexGuard<'_, Handed> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the values of a session's variables; what is not among them stays.
    pub fn hand(&self, session: &str, values: BTreeMap<String, Secret<String>>) {
        self.handed().entry(session.to_owned()).or_default().extend(values);
    }

    /// Lets go of what was handed over for a session.
    pub fn forget(&self, session: &str) {
        self.handed().remove(session);
    }

    /// The value of a credential now.
    pub async fn value(&self, session: &str, source: &Source) -> Result<Secret<String>, Missing> {
        if let Source::Env(variable) = source {
            let found = self.handed().get(session).and_then(|values| values.get(variable).cloned());
            return found.ok_or_else(|| Missing::Waiting { variable: variable.clone() });
        }
        let kept = self.kept(source);
        let mut kept = kept.lock().await;
        let read = match source {
            Source::File { path, pointer, fixed } => {
                self.file(&mut kept, source, At { path, fixed: *fixed }, pointer).await
            }
            _ => match kept.value.clone() {
                Some(value) => Ok(value),
                None if kept.rests() => Err("it could not be had a moment ago".to_owned()),
                None => run(&mut kept, source).await,
            },
        };
        read.map_err(Missing::Failed)
    }

    /// Another value than the rejected one, where there is one.
    pub async fn another(
        &self,
        session: &str,
        source: &Source,
        rejected: &Secret<String>,
    ) -> Option<Secret<String>> {
        if let Source::Env(_) = source {
            return self.value(session, source).await.ok().filter(|value| value != rejected);
        }
        let kept = self.kept(source);
        let mut kept = kept.lock().await;
        // Whoever was here first has mended it already.
        if let Some(value) = kept.value.clone().filter(|value| value != rejected) {
            return Some(value);
        }
        if kept.rests() || kept.forced.is_some_and(|at| at.elapsed() < FORCED) {
            return None;
        }
        kept.forced = Some(Instant::now());
        let read = match source {
            Source::File { path, pointer, fixed } => {
                let at = At { path, fixed: *fixed };
                let read = open(at, pointer).await.ok();
                match (read, Provider::of(source)) {
                    (Some(read), Some(provider)) if read.value == *rejected => {
                        self.renew(&mut kept, provider, at, pointer, read).await.ok()
                    }
                    (Some(read), _) => Some(kept.take(read)),
                    (None, _) => None,
                }
            }
            _ => run(&mut kept, source).await.ok(),
        };
        let fresh = read.filter(|value| value != rejected);
        kept.vain = if fresh.is_some() { None } else { Some(Instant::now()) };
        fresh
    }

    fn kept(&self, source: &Source) -> Arc<tokio::sync::Mutex<Kept>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.entry(source.clone()).or_default())
    }

    /// A file's value, read where it has changed, renewed where it ends. Who waits for the lock finds it renewed.
    async fn file(
        &self,
        kept: &mut Kept,
        source: &Source,
        at: At<'_>,
        pointer: &str,
    ) -> Result<Secret<String>, String> {
        let fresh = kept.looked.is_some_and(|looked| looked.elapsed() < LOOK);
        let unchanged = fresh || (kept.stamp.is_some() && kept.stamp == at.stamp());
        if !fresh {
            kept.looked = Some(Instant::now());
        }
        let value = match kept.value.clone().filter(|_| unchanged) {
            Some(value) => value,
            None => {
                kept.vain = None;
                let read = open(at, pointer).await?;
                kept.take(read)
            }
        };
        let Some(provider) = Provider::of(source) else { return Ok(value) };
        let left = |kept: &Kept| kept.ends.map(|ends| ends.saturating_sub(now()));
        if left(kept).is_none_or(|left| left > EARLY) {
            return Ok(value);
        }
        let over = left(kept).is_some_and(|left| left <= 0);
        let ended = format!("the login in `{}` has ended", at.path.display());
        if kept.rests() {
            return if over { Err(ended) } else { Ok(value) };
        }
        // Read once more: another owner of the file may have renewed it.
        let read = open(at, pointer).await?;
        match self.renew(kept, provider, at, pointer, read).await {
            Ok(value) => Ok(value),
            Err(why) => {
                kept.vain = Some(Instant::now());
                tracing::warn!(file = %at.path.display(), why, "a login could not be renewed");
                let login = provider.login();
                if over {
                    Err(format!("{ended} and could not be renewed ({why}): {login} on the host"))
                } else {
                    Ok(value)
                }
            }
        }
    }

    /// Renews a login and writes its file. The answer stays here.
    async fn renew(
        &self,
        kept: &mut Kept,
        provider: Provider,
        at: At<'_>,
        pointer: &str,
        read: Opened,
    ) -> Result<Secret<String>, String> {
        let question = provider.question(&read.document).ok_or("the file holds no refresh token")?;
        let (status, answer) = self.post.post(provider.url(), question).await?;
        let answer: Value = serde_json::from_slice(answer.expose()).unwrap_or_default();
        let time = format!("{:.3}", jiff::Timestamp::now());
        let renewed = (status == 200).then(|| provider.renewed(read.document, &answer, now(), &time));
        let Some(document) = renewed.flatten() else {
            // Of two owners of one refresh token the other was faster: its file has the new one.
            let again = open(at, pointer).await?;
            return if again.value == read.value {
                Err(format!("status {status}"))
            } else {
                Ok(kept.take(again))
            };
        };
        let value = read::pointed(&document, at.path, pointer)?;
        kept.ends = provider.ends(&document);
        kept.value = Some(value.clone());
        kept.vain = None;
        let text = Secret::new(format!("{document:#}\n"));
        if let Err(error) = at.replace(text.expose().as_bytes()) {
            tracing::error!(%error, "a renewed login is held in memory alone");
        }
        kept.stamp = at.stamp();
        Ok(value)
    }
}

impl Kept {
    fn take(&mut self, read: Opened) -> Secret<String> {
        self.stamp = read.stamp;
        self.ends = read.ends;
        self.value = Some(read.value.clone());
        read.value
    }
}

async fn run(kept: &mut Kept, source: &Source) -> Result<Secret<String>, String> {
    let read = read::run(source).await;
    match &read {
        Ok(value) => kept.value = Some(value.clone()),
        Err(_) => kept.vain = Some(Instant::now()),
    }
    read
}

/// A file that was read.
struct Opened {
    value: Secret<String>,
    document: Value,
    stamp: Option<Stamp>,
    ends: Option<i64>,
}

async fn open(at: At<'_>, pointer: &str) -> Result<Opened, String> {
    let (path, fixed, pointer) = (at.path.to_owned(), at.fixed, pointer.to_owned());
    let opened = tokio::task::spawn_blocking(move || {
        let at = At { path: &path, fixed };
        // The stamp first: a change while it is read is seen the next time.
        let stamp = at.stamp();
        if pointer.is_empty() {
            let value = read::file(at, &pointer)?;
            return Ok(Opened { value, document: Value::Null, stamp, ends: None });
        }
        let document = read::document(at)?;
        let value = read::pointed(&document, &path, &pointer)?;
        let source = Source::File { path, pointer, fixed };
        let ends = Provider::of(&source).and_then(|provider| provider.ends(&document));
        Ok(Opened { value, document, stamp, ends })
    });
    opened.await.map_err(|error| error.to_string())?
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
