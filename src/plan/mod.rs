//! Pure. From what is to exist and what was observed to an ordered list of actions, each with its reason.
//! A plan decides everything; applying it decides nothing.

pub mod action;
pub mod changes;
pub mod display;
pub mod images;
pub mod observed;
pub mod prune;
pub mod restart;
pub mod touched;
pub mod up;
pub mod volumes;
