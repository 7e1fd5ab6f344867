//! Starts the daemon where none answers.

use super::Error;
use super::client::Client;
use crate::credential::known::VARIABLES;
use crate::fs;
use crate::home::Home;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// The running daemon, started by `program daemon --detached` where there is none. Of two callers that both start
/// one, the lock lets one live; both talk to it.
pub async fn ensure(home: &Home, program: &Path) -> Result<Client, Error> {
    if let Ok(client) = Client::connect(home).await {
        return Ok(client);
    }
    fs::create_private_dir(home.path())?;
    let log = home.daemon_log();
    let mut child = start(home, program)?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Ok(client) = Client::connect(home).await {
            return Ok(client);
        }
        let ended = child.try_wait().map_err(Error::Start)?;
        // One that failed has said why in its log.
        if ended.is_some_and(|status| !status.success()) || tokio::time::Instant::now() >= deadline {
            return Err(Error::Silent { seconds: PATIENCE.as_secs(), log });
        }
        if ended.is_some() {
            // Another held the lock: one that starts will answer, one that was ending leaves room for ours.
            tokio::time::sleep(Duration::from_millis(100)).await;
            if let Ok(client) = Client::connect(home).await {
                return Ok(client);
            }
            child = start(home, program)?;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn start(home: &Home, program: &Path) -> Result<Child, Error> {
    // What the caller has open, a lock or a pipe, would be held as long as the daemon lives.
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let mut command = Command::new(program);
    // What is lent is handed over by itself, and belongs to one session each.
    for name in VARIABLES {
        command.env_remove(name);
    }
    command
        .args(["daemon", "--detached"])
        .env("CLAUDERON_HOME", home.path())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::append(&home.daemon_log())?)
        .spawn()
        .map_err(Error::Start)
}
