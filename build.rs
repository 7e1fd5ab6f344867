//! Builds the link.
fn main() {}
