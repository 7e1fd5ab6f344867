//! What several tests share.

pub mod project;
