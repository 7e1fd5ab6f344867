//! Where clauderon keeps what is its own: one directory per user, relocated as a whole by `CLAUDERON_HOME`.
//! Paths only; nothing here touches the file system.

use std::path::{Path, PathBuf};

/// The directory of one user's state, and the names inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// A home at a given absolute path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The daemon's control socket, mode 0600.
    pub fn control_socket(&self) -> PathBuf {
        self.0.join("daemon.sock")
    }

    /// The lock that one daemon holds.
    pub fn daemon_lock(&self) -> PathBuf {
        self.0.join("daemon.lock")
    }

    /// The daemon's log.
    pub fn daemon_log(&self) -> PathBuf {
        self.0.join("daemon.log")
    }

    /// The database of events.
    pub fn database(&self) -> PathBuf {
        self.0.join("state.db")
    }

    /// The audit log of the proxy, one JSON object a line.
    pub fn audit_log(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    /// The proxy's certificate authority: its key, mode 0600, and its certificate.
    pub fn authority(&self) -> PathBuf {
        self.0.join("authority")
    }

    /// What the daemon watches: a file for each manifest.
    pub fn watches(&self) -> PathBuf {
        self.0.join("watches")
    }

    /// The lock of who adds to `watches` or takes away from it.
    pub fn watches_lock(&self) -> PathBuf {
        self.0.join("watches.lock")
    }

    /// All sessions' directories.
    pub fn sessions(&self) -> PathBuf {
        self.0.join("sessions")
    }

    /// One session's directory.
    pub fn session(&self, id: &str) -> SessionHome {
        SessionHome(self.sessions().join(id))
    }
}

/// What is kept for one session, named by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHome(PathBuf);

impl SessionHome {
    /// The directory itself, mode 0700.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What the daemon must know of the session: a `daemon::record::Record` as JSON.
    pub fn record(&self) -> PathBuf {
        self.0.join("session.json")
    }

    /// The lock of who reads the record and writes it again.
    pub fn record_lock(&self) -> PathBuf {
        self.0.join("session.lock")
    }

    /// Mounted read-only at `/run/clauderon`: the link's program and socket, the entry script, the prompt.
    pub fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// How many of its requests were refused, as of some seconds ago; the daemon knows better.
    pub fn denied(&self) -> PathBuf {
        self.0.join("denied")
    }

    /// What it has asked of its model: a `proxy::ledger::Ledger` as JSON. The daemon may know a moment more.
    pub fn usage(&self) -> PathBuf {
        self.0.join("usage.json")
    }

    /// What befell the session's container: a `daemon::life::Life` as JSON.
    pub fn life(&self) -> PathBuf {
        self.0.join("life.json")
    }

    /// What an `up` that holds its lock waits to do.
    pub fn pending(&self) -> PathBuf {
        self.0.join("pending")
    }

    /// Which conversation the session has, where it is not the first: as old as that conversation.
    pub fn conversation(&self) -> PathBuf {
        self.run().join("conversation")
    }

    /// The session's socket, `/run/clauderon/link.sock` inside.
    pub fn socket(&self) -> PathBuf {
        self.run().join("link.sock")
    }

    /// Mounted read-only at `/workspace/.clauderon/hooks`.
    pub fn hooks(&self) -> PathBuf {
        self.0.join("hooks")
    }

    /// Mounted read-write at `/workspace/.clauderon/spool`: events that found no daemon.
    pub fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    /// Mounted read-only at `/etc/claude-code` or `/etc/codex`: settings that the agent takes as its manager's.
    pub fn managed_settings(&self) -> PathBuf {
        self.0.join("managed")
    }

    /// Mounted read-only at `/etc/clauderon`.
    pub fn etc(&self) -> PathBuf {
        self.0.join("etc")
    }

    /// The certificates that the container trusts.
    pub fn ca_bundle(&self) -> PathBuf {
        self.etc().join("proxy-ca.pem")
    }

    /// Mounted read-write at `/workspace/.claude.json`.
    pub fn claude_json(&self) -> PathBuf {
        self.0.join("claude.json")
    }

    /// Mounted read-write at `/workspace/.claude/projects`: Claude's transcripts.
    pub fn claude_projects(&self) -> PathBuf {
        self.0.join("claude-projects")
    }

    /// Mounted read-write at `/workspace/.codex`, Codex's home.
    pub fn codex(&self) -> PathBuf {
        self.0.join("codex")
    }

    /// The checkout, mounted read-write at `/workspace`.
    pub fn checkout(&self) -> PathBuf {
        self.0.join("checkout")
    }
}
