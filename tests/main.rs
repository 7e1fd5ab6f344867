//! Every integration test, in one binary.

mod backend;
mod plan;
mod support;
mod tidy;
