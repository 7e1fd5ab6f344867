//! Every integration test, in one binary.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::wildcard_imports,
    missing_docs
)]

mod backend;
mod errors;
mod manifest;
mod plan;
mod render;
mod session;
mod support;
mod tidy;
mod worktree;
