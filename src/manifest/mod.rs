//! From the bytes of a manifest to a resolved `Project`, or to diagnostics that name every fault and its place.

pub mod project;
