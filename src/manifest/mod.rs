//! From the bytes of a manifest to a resolved `Project`, or to diagnostics that name every fault and its place.
//! Pure but for `source`: text → `tree` → `written` types → settled `level`s, merged → `project`.

pub mod form;
pub mod parse;
pub mod prepare;
pub mod read;
pub mod scalar;
pub mod schema;
pub mod source;
pub mod tree;
pub mod written;
pub mod reference;
pub mod branch;
pub mod check;
pub mod diagnostic;
pub mod finding;
pub mod host;
pub mod level;
pub mod pairs;
pub mod path;
pub mod project;
pub mod resolve;
pub mod resolved;
pub mod settle;
pub mod suggest;

pub use parse::{parse, parse_in};
