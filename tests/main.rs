//! Every integration test, in one binary.
#![allow(missing_docs, clippy::comparison_to_empty, clippy::default_trait_access, clippy::disallowed_methods)]
#![allow(clippy::print_stderr, clippy::unwrap_used, clippy::wildcard_imports)]

mod activity;
mod adversary;
mod attack;
mod audit;
mod backend;
mod carrier;
mod complete;
mod container;
mod crash;
mod credential;
mod daemon;
mod drift;
mod editor;
mod errors;
mod examples;
mod forward;
mod handed;
mod hostile;
mod init;
mod levels;
mod lifecycle;
mod link;
mod manifest;
mod mortality;
mod plan;
mod proxy;
mod prune;
mod quickstart;
mod reconcile;
mod render;
mod resume;
mod rules;
mod seeing;
mod session;
mod store;
mod support;
mod terminal;
mod tidy;
mod top;
mod trust;
mod usage;
mod watch;
mod wire;
mod worktree;
