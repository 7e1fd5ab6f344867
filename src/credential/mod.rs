//! Credentials lent to sessions: their values stay on the host and are put into requests only where they belong.
//! `binding`, `swap`, `known` and `closed` decide; `keeper` and what it reads with hold the values.

pub mod binding;
pub mod closed;
pub mod known;
pub mod swap;
