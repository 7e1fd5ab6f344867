//! What several tests share.

pub mod daemon;
pub mod engine;
pub mod project;
pub mod pty;
pub mod wire;
pub mod world;
