//! The forward proxy behind a sealed session's socket. It tunnels, and refuses what the policy refuses.

pub mod audit;
mod connect;
pub mod forward;
mod pass;
pub mod policy;
pub mod program;
pub mod rules;
