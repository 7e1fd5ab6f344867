//! Compose for AI coding agents. The modules stand in the order of the data's way:
//! read → validate → resolve → render → observe → plan → apply → events.

pub mod agent;
pub mod apply;
pub mod backend;
pub mod cli;
pub mod credential;
pub mod daemon;
pub mod error;
pub mod fs;
pub mod home;
pub mod hooks;
pub mod init;
pub mod manifest;
pub mod plan;
pub mod proxy;
pub mod render;
pub mod secret;
pub mod store;
pub mod watch;
pub mod worktree;
