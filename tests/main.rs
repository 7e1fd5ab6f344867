//! Tests.

mod worktree;
