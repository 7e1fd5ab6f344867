//! From the bytes of a manifest to a resolved `Project`, or to diagnostics that name every fault and its place.
//! Pure but for `source`: text → `tree` → `written` types → settled `level`s, merged → `project`.

pub mod branch;
mod branches;
pub mod check;
pub mod diagnostic;
mod expected;
pub mod finding;
pub mod form;
pub mod host;
pub mod level;
pub mod pairs;
pub mod parse;
pub mod path;
pub mod prepare;
pub mod project;
pub mod prune;
pub mod read;
pub mod reference;
pub mod resolve;
pub mod resolved;
pub mod scalar;
pub mod schema;
pub mod settle;
pub mod source;
pub mod suggest;
pub mod tree;
pub mod weight;
pub mod written;
pub mod yaml;

pub use parse::{parse, parse_in};
