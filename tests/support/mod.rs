//! What several tests share.

pub mod engine;
pub mod project;
pub mod world;
