//! The audit log: what stands in it and what never does, who reads it, and what is told of refusals.

mod canary;
mod command;
mod refused;
