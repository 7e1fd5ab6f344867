//! `daemon`: run it in the foreground, look at it, stop it.

use super::args::{Daemon, DaemonCommand};
use super::remedy::daemon_error;
use super::{Code, address, host, output, watch};
use crate::daemon::client::Client;
use crate::daemon::lifecycle::{Options, begin_log, serve};
use crate::error::Error;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// `clauderon daemon`.
pub async fn run(args: Daemon) -> Result<Code, Error> {
    let home = host::home()?;
    match args.command {
        None => {
            if args.detached && !crate::fs::exists(home.path()) {
                // Whoever wanted it made the home first: it has been removed since, and is not made again.
                return Ok(0);
            }
            if args.detached {
                // A caller that made us a group's leader has done as much already.
                let _ = rustix::process::setsid();
            }
            begin_log();
            let options = Options { home, http_port: args.http_port, engine: address::engine()? };
            let watching = watch::daemon(options.home.clone(), options.engine.clone());
            let served = tokio::select! {
                // The lock is taken first: who does not get it watches nothing.
                biased;
                served = serve(options, ended()) => served,
                () = watching => Ok(()),
            };
            match served {
                // Another was started at the same moment: it serves, which is what was wanted.
                Err(crate::daemon::Error::Taken) if args.detached => Ok(0),
                other => other.map(|()| 0).map_err(daemon_error),
            }
        }
        Some(DaemonCommand::Status) => {
            let status =
                Client::connect(&home).await.map_err(daemon_error)?.status().await.map_err(daemon_error)?;
            let json = serde_json::to_string_pretty(&status)
                .map_err(|error| Error::failed("the status cannot be printed").because(error))?;
            output::data(&format!("{json}\n"));
            Ok(0)
        }
        Some(DaemonCommand::Stop) => {
            let Ok(mut client) = Client::connect(&home).await else {
                output::say("no daemon runs");
                return Ok(0);
            };
            client.stop().await.map_err(daemon_error)?;
            drop(client);
            for _ in 0..1000 {
                let lock = crate::fs::append(&home.daemon_lock())
                    .map_err(|error| Error::failed(error.to_string()))?;
                if lock.try_lock().is_ok() {
                    return Ok(0);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(Error::failed("the daemon did not end within 10 s"))
        }
    }
}

/// Comes with SIGTERM or SIGINT.
async fn ended() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
