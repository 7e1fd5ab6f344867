//! Whose connections are served: the installation, and the sessions in it.

use super::audit::{Audit, Entry, Line};
use super::ca::Authority;
use super::connect::{Resolve, System};
use super::denials::Denials;
use super::judge::Judge;
use super::kept::Share;
use super::leaf::Leaves;
use super::policy::Policy;
use super::trust::Trust;
use super::upstream::Upstreams;
use rustls::RootCertStore;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Requests of one session at once: their heads must not fill the memory that all sessions share.
const MOST: usize = 512;
/// Names of one session that are looked up at once: each takes a thread, of which all sessions share a number.
const MOST_LOOKUPS: usize = 16;

/// A proxy that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key that all leaves share.
    #[error("could not make a key")]
    Key(#[from] rcgen::Error),
    /// TLS on the way out.
    #[error("could not set up TLS")]
    Tls(#[from] rustls::Error),
}

/// What all sessions share.
pub struct Installation {
    /// The log.
    pub audit: Arc<Audit>,
    /// What the containers are shown.
    pub leaves: Leaves,
    /// Whom the proxy believes.
    pub roots: RootCertStore,
    /// How to speak TLS where a session names no authority of its own: the roots take their memory once.
    pub(super) usual: Trust,
    /// Where names lead.
    pub resolver: Arc<dyn Resolve>,
}

impl Installation {
    /// An installation with the system's resolver.
    pub fn new(audit: Arc<Audit>, authority: Authority, roots: RootCertStore) -> Result<Self, Error> {
        let leaves = Leaves::new(authority)?;
        let usual = Trust::new(roots.clone())?;
        Ok(Self { audit, leaves, roots, usual, resolver: Arc::new(System) })
    }
}

/// One session.
pub struct Caller {
    project: String,
    session: String,
    pub(super) installation: Arc<Installation>,
    terms: RwLock<Arc<Terms>>,
    places: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
    share: Share,
    denials: Arc<Denials>,
    model: Arc<Model>,
}

/// How a session speaks with its model: no hook tells whether an answer is waited for.
#[derive(Debug, Default)]
struct Model {
    /// Requests under way.
    asking: AtomicUsize,
    /// When the last one began or ended, milliseconds since 1970; 0 for never.
    heard: AtomicI64,
}

/// A request to a model, from its begin to the end of its answer.
#[derive(Debug)]
pub(super) struct Asking(Arc<Model>);

impl Asking {
    fn begin(model: &Arc<Model>) -> Self {
        model.asking.fetch_add(1, Ordering::Relaxed);
        model.heard.store(now(), Ordering::Relaxed);
        Self(Arc::clone(model))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.heard.store(now(), Ordering::Relaxed);
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// What holds for a session's requests until it is changed.
pub(super) struct Terms {
    pub policy: Arc<Policy>,
    pub judge: Arc<dyn Judge>,
    /// Connections that are the session's own: what one session does to a connection, another never meets.
    pub upstreams: Upstreams,
    /// What the session may have kept of its bodies.
    pub share: Share,
    /// Cancelled when these terms hold no longer: what nobody looks into is ended then.
    pub over: CancellationToken,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("project", &self.project)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// A session and its terms.
    pub fn new(
        installation: Arc<Installation>,
        (project, session): (String, String),
        policy: Policy,
        judge: Arc<dyn Judge>,
    ) -> Result<Self, Error> {
        let (share, lookups) = (Share::default(), Arc::new(Semaphore::new(MOST_LOOKUPS)));
        let terms = RwLock::new(terms(&installation, policy, judge, &share, &lookups)?);
        let places = Arc::new(Semaphore::new(MOST));
        let (denials, model) = (Arc::default(), Arc::default());
        Ok(Self { project, session, installation, terms, places, lookups, share, denials, model })
    }

    /// The same, its refusals counted where others look.
    #[must_use]
    pub fn counting(self, denials: Arc<Denials>) -> Self {
        Self { denials, ..self }
    }

    /// When it last spoke with its model, milliseconds since 1970: now, while an answer is under way.
    pub fn heard(&self) -> Option<i64> {
        let asking = self.model.asking.load(Ordering::Relaxed) > 0;
        let heard = if asking { now() } else { self.model.heard.load(Ordering::Relaxed) };
        (heard > 0).then_some(heard)
    }

    /// Begins a request to its model.
    pub(super) fn ask(&self) -> Asking {
        Asking::begin(&self.model)
    }

    /// Has other terms hold from the next request on. Answers under way are finished; tunnels and `WebSocket`s end, and
    /// are judged anew when they are opened again.
    pub fn change(&self, policy: Policy, judge: Arc<dyn Judge>) -> Result<(), Error> {
        let new = terms(&self.installation, policy, judge, &self.share, &self.lookups)?;
        let old = std::mem::replace(&mut *self.terms.write().unwrap_or_else(PoisonError::into_inner), new);
        old.over.cancel();
        Ok(())
    }

    /// The terms that hold now.
    pub(super) fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.terms.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A place for one more request, if the session has not too many under way.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Begins a line of the log.
    pub(super) fn begin(&self, method: String, path: Option<String>) -> Entry {
        let line = Line {
            project: self.project.clone(),
            session: self.session.clone(),
            method,
            path,
            decision: "pass",
            ..Line::default()
        };
        Entry::begin(Arc::clone(&self.installation.audit), Arc::clone(&self.denials), line)
    }
}

fn terms(
    installation: &Installation,
    policy: Policy,
    judge: Arc<dyn Judge>,
    share: &Share,
    lookups: &Arc<Semaphore>,
) -> Result<Arc<Terms>, Error> {
    let policy = Arc::new(policy);
    let upstreams = Upstreams::new(installation, Arc::clone(&policy), Arc::clone(lookups))?;
    Ok(Arc::new(Terms { policy, judge, upstreams, share: share.clone(), over: CancellationToken::new() }))
}
