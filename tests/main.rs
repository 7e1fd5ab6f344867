//! Every integration test, in one binary.

mod backend;
mod daemon;
mod errors;
mod link;
mod manifest;
mod plan;
mod proxy;
mod render;
mod session;
mod support;
mod tidy;
mod worktree;
