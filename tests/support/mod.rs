//! What several tests share.

pub mod project;
pub mod world;
