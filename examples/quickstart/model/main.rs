//! The scripted model of the quickstart and of the tests: a TLS server that
//! answers Claude Code and Codex as their providers would, from a script.
//! It knows nothing of clauderon and keeps no state between requests.
#![allow(clippy::disallowed_methods)] // Its own errors name the path.

mod arguments;
mod certificates;
mod claude;
mod codex;
mod conversation;
mod error;
mod journal;
mod reply;
mod script;
mod server;
mod side;
mod tools;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match server::run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr leaves nobody to tell.
            let _ = writeln!(std::io::stderr(), "model: {error}");
            ExitCode::FAILURE
        }
    }
}
