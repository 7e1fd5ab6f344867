//! Credentials lent to sessions: their values stay on the host and are put into requests only where they belong.
//! `binding`, `swap`, `known`, `closed` and `refresh` decide; `keeper` and `read` hold and read the values.

pub mod binding;
pub mod closed;
pub mod find;
pub mod keeper;
pub mod known;
pub mod lending;
pub mod narrow;
mod read;
pub mod refresh;
pub mod swap;
