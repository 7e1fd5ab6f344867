//! Every integration test, in one binary.

mod backend;
mod plan;
mod render;
mod session;
mod support;
mod tidy;
mod worktree;
