//! Tests.

mod manifest;
