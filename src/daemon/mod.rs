//! What stands behind the running sessions: one process per user, under a lock, that answers each container's socket
//! with the proxy and the hook endpoint, stores events, and imports the agents' commits.

pub mod binds;
pub mod client;
pub mod control;
pub mod denied;
mod door;
pub mod drift;
mod engine;
mod expire;
mod import;
mod last;
pub mod life;
pub mod lifecycle;
pub mod lives;
mod look;
pub mod metered;
pub mod narrow;
mod notify;
pub mod record;
mod revive;
mod session;
pub mod spawn;
mod state;
pub mod timeout;
mod turns;

use std::path::PathBuf;

/// A daemon that cannot be had, or cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the home.
    #[error(transparent)]
    File(#[from] crate::fs::Error),
    /// The event store.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The proxy's certificate authority.
    #[error(transparent)]
    Authority(#[from] crate::proxy::ca::Error),
    /// The proxy.
    #[error(transparent)]
    Proxy(#[from] crate::proxy::caller::Error),
    /// Another daemon holds the lock.
    #[error("another daemon of this user runs already")]
    Taken,
    /// A socket or port that cannot be listened on.
    #[error("could not listen on `{place}`")]
    Listen {
        /// Which.
        place: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The daemon was started and does not answer.
    #[error("the daemon did not answer within {seconds} s; its log is `{log}`", log = log.display())]
    Silent {
        /// How long was waited.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// The daemon could not be started.
    #[error("the daemon could not be started")]
    Start(#[source] std::io::Error),
    /// No daemon runs.
    #[error("no daemon runs")]
    Absent,
    /// The conversation with the daemon broke off.
    #[error("the daemon went away")]
    Broken(#[source] std::io::Error),
    /// The daemon said no.
    #[error("the daemon refused: {0}")]
    Refused(String),
}
