//! Starts the daemon where none answers.

use super::Error;
use super::client::Client;
use crate::fs;
use crate::home::Home;
use std::path::Path;
use std::process::{Command, Stdio};
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
    let mut child = Command::new(program)
        .args(["daemon", "--detached"])
        .env("CLAUDERON_HOME", home.path())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::append(&log)?)
        .spawn()
        .map_err(Error::Start)?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Ok(client) = Client::connect(home).await {
            return Ok(client);
        }
        // One that lost the race ends at once; one that failed has said why in its log.
        let ended = child.try_wait().map_err(Error::Start)?.is_some_and(|status| !status.success());
        if ended || tokio::time::Instant::now() >= deadline {
            return Err(Error::Silent { seconds: PATIENCE.as_secs(), log });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
