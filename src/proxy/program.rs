//! The link's program, carried inside this one.

/// A static executable for the architecture of this build.
pub const LINK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/link"));
