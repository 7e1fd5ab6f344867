//! Checkouts of a session's own, the import of what an agent committed in them, and what their removal would lose.
//! Whatever an agent may have written is read through `beneath`, never by path and never by a git program.
//! Knows neither containers nor manifests.
#![allow(clippy::disallowed_methods)] // Its own errors name the path.

pub mod beneath;
pub mod checkout;
mod config;
mod copy;
pub mod create;
mod delete;
pub mod diff;
pub mod error;
mod files;
pub mod foresee;
mod ignored;
pub mod import;
mod inflate;
mod linked;
mod locks;
pub mod lost;
mod object;
mod pack;
pub mod parent;
pub mod prepare;
mod publish;
mod quarantine;
mod record;
mod refs;
pub mod remove;
pub mod size;
mod sound;
mod status;
mod transfer;
mod verify;
