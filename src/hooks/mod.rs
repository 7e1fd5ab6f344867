//! What agents report: the endpoint, the spool of what found nobody, and what the agent is doing by all that.

pub mod activity;
pub mod endpoint;
pub mod message;
pub mod spool;
pub mod token;
pub mod transcript;
