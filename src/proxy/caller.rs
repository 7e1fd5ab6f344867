//! Whose connections are served: the installation, and the sessions in it.

use super::audit::{Audit, Entry, Line};
use super::ca::Authority;
use super::connect::{Resolve, System};
use super::judge::Judge;
use super::leaf::Leaves;
use super::policy::Policy;
use super::upstream::Upstreams;
use rustls::RootCertStore;
use std::fmt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of one session at once: their heads must not fill the memory that all sessions share.
const MOST: usize = 512;

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
    /// Where names lead.
    pub resolver: Arc<dyn Resolve>,
}

impl Installation {
    /// An installation with the system's resolver.
    pub fn new(audit: Arc<Audit>, authority: Authority, roots: RootCertStore) -> Result<Self, Error> {
        let leaves = Leaves::new(authority)?;
        Ok(Self { audit, leaves, roots, resolver: Arc::new(System) })
    }
}

/// One session.
pub struct Caller {
    /// The project's name.
    pub project: String,
    /// The session's name.
    pub session: String,
    /// What is said of destinations.
    pub policy: Arc<Policy>,
    pub(super) judge: Arc<dyn Judge>,
    pub(super) installation: Arc<Installation>,
    pub(super) upstreams: Upstreams,
    places: Arc<Semaphore>,
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
    /// A session with connections to its upstreams that are its own: what one session does to a connection, another
    /// never meets.
    pub fn new(
        installation: Arc<Installation>,
        (project, session): (String, String),
        policy: Policy,
        judge: Arc<dyn Judge>,
    ) -> Result<Self, Error> {
        let policy = Arc::new(policy);
        let upstreams = Upstreams::new(&installation, Arc::clone(&policy))?;
        let places = Arc::new(Semaphore::new(MOST));
        Ok(Self { project, session, policy, judge, installation, upstreams, places })
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
        Entry::begin(Arc::clone(&self.installation.audit), line)
    }
}
