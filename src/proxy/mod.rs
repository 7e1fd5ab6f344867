//! The intercepting proxy behind a sealed session's socket: it ends TLS with certificates of its own, reads HTTP, asks
//! the session's policy about each request, and closes on what it does not understand.

mod agree;
pub mod audit;
mod body;
pub mod ca;
pub mod caller;
pub mod connect;
pub mod denials;
pub mod errand;
mod exchange;
pub mod forward;
mod halves;
mod headers;
mod intercept;
pub mod judge;
mod kept;
mod leaf;
pub mod lending;
mod lent;
mod mask;
pub mod narrow;
pub mod policy;
pub mod program;
pub mod redact;
mod refusal;
mod rotate;
pub mod ruled;
pub mod rules;
mod serve;
pub mod trail;
pub mod trust;
mod tunnel;
mod under_way;
mod upstream;
mod websocket;
mod wire;
