//! Pure. From a resolved session and facts of the host to what the backend is given: a container's spec,
//! the files that it is shown, and the fields whose change recreates it.

pub mod desired;
pub mod environment;
pub mod facts;
pub mod fields;
pub mod files;

pub mod identity;
pub mod mounts;
pub mod placeholders;
pub mod script;
pub mod shell;
pub mod spec;
