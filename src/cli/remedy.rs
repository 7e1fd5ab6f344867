//! Failures of the other layers with what a person can do about them.

use crate::error::Error;
use crate::{backend, fs, worktree};

/// An engine's error with its remedy.
pub fn engine_error(error: backend::Error) -> Error {
    let failed = Error::failed(error.to_string());
    let hinted = match &error {
        backend::Error::Unreachable { .. } => failed
            .hint("start it (`systemctl start docker`), or point DOCKER_HOST at the socket of a running one")
            .hint("the user must be allowed to use the socket: `docker version` tells"),
        backend::Error::Pull { .. } => failed
            .hint("check the name, or log in with `docker login`")
            .hint("build it from a Dockerfile with `build:`, or load it into the engine and set `pull_policy: never`"),
        backend::Error::NoProgram { program } => failed.hint(of_program(program)),
        backend::Error::NameTaken { name } => {
            failed.hint(format!("remove it with `docker rm {name}`, or give the project another `name:`"))
        }
        backend::Error::Engine { source, .. } if source.to_string().contains("no space left") => {
            failed.hint("the disk is full: `docker system df` and `docker system prune` tell and free")
        }
        _ => failed,
    };
    match std::error::Error::source(&error) {
        Some(source) => hinted.because(source.to_string()),
        None => hinted,
    }
}

/// What to do about a program that an image lacks, in the guide's words.
pub fn of_program(program: &str) -> String {
    match program {
        "bash" => {
            "hooks need bash, /bin/sh will not do: install it in the image (Alpine: `RUN apk add bash`)"
                .into()
        }
        "claude" | "codex" => {
            format!(
                "install the `{program}` CLI in the image, executable and in PATH, such as /usr/local/bin/{program}"
            )
        }
        _ => format!("install `{program}` in the image, such as `RUN apt-get install -y {program}`"),
    }
}

/// A failure of a session's own files.
pub fn file_error(error: fs::Error) -> Error {
    let full =
        std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("No space left"));
    let failed = Error::failed(error.to_string());
    let failed =
        if full { failed.hint("the disk is full; CLAUDERON_HOME moves the state elsewhere") } else { failed };
    match std::error::Error::source(&error) {
        Some(source) => failed.because(source.to_string()),
        None => failed,
    }
}

/// A failure of the daemon, with its remedy.
pub fn daemon_error(error: crate::daemon::Error) -> Error {
    use crate::daemon::Error as Daemon;
    let failed = Error::failed(error.to_string());
    let failed = match &error {
        Daemon::Listen { place, .. } => {
            failed.hint(format!("something else uses `{place}`; choose another with `--http-port`"))
        }
        Daemon::Silent { log, .. } => failed.hint(format!("`tail {}` tells why", log.display())),
        Daemon::Absent => failed.hint("`clauderon up` starts it"),
        Daemon::Taken => failed.hint("`clauderon daemon status` shows it"),
        _ => failed,
    };
    match std::error::Error::source(&error) {
        Some(source) => failed.because(source.to_string()),
        None => failed,
    }
}

/// A failure of a checkout, with its remedy.
pub fn checkout_error(error: &worktree::error::Error) -> Error {
    let failed = Error::failed(error.to_string());
    let failed = match std::error::Error::source(error) {
        Some(source) => failed.because(source.to_string()),
        None => failed,
    };
    match error.hint() {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}
