//! From the bytes of a manifest to a resolved `Project`, or to diagnostics that name every fault and its place.
//! Pure but for `source`: each text → `tree` → `written` types → settled `level`s, a `layer`; the layers merged → `project`.

pub mod branch;
pub mod check;
pub mod collide;
pub mod credentials;
pub mod diagnostic;
pub mod dotenv;
pub mod effect;
mod expected;
pub mod finding;
pub mod form;
mod forms;
mod hint;
pub mod host;
mod hosts;
pub mod interpolate;
pub mod layer;
pub mod level;
pub mod line;
pub mod origin;
pub mod pairs;
pub mod parse;
pub mod path;
pub mod pattern;
pub mod prepare;
pub mod project;
pub mod prune;
pub mod publish;
pub mod read;
pub mod reference;
pub mod report;
pub mod resolve;
pub mod resolved;
pub mod scalar;
pub mod schema;
pub mod settle;
pub mod source;
pub mod span;
pub mod spot;
pub mod suggest;
pub mod tree;
mod veil;
pub mod weight;
pub mod written;
pub mod yaml;

pub use parse::{parse, parse_in};
