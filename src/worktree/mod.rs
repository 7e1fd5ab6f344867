//! Checkouts of a session's own, the import of what an agent committed in them, and what their removal would lose.
//! Whatever an agent may have written is read through `beneath`, never by path and never by a git program.
//! Knows neither containers nor manifests.

pub mod error;
mod beneath;
mod record;
mod parent;
pub mod checkout;
pub mod create;
mod config;
mod files;
mod copy;
mod refs;
mod object;
mod quarantine;
mod transfer;
pub mod import;
mod publish;
pub mod lost;
mod verify;
mod status;
pub mod prepare;
pub mod remove;
#[cfg(test)]
mod fixture;
