//! Logins renewed by the host alone.
