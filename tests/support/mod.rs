//! What several tests share.

pub mod project;
pub mod wire;
pub mod world;
