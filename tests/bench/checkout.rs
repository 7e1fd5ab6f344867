//! Makes one checkout, as `up` does: `checkout REPOSITORY DIRECTORY`. Timed from outside.

use clauderon::worktree::checkout::Kind;
use clauderon::worktree::create::{CheckoutSpec, create};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let parent = arguments.next().ok_or("usage: checkout REPOSITORY DIRECTORY")?;
    let directory = arguments.next().ok_or("usage: checkout REPOSITORY DIRECTORY")?;
    let session = uuid::Uuid::now_v7().to_string();
    create(&CheckoutSpec {
        kind: Kind::Clone,
        parent,
        directory,
        branch: format!("bench/{session}"),
        session,
        base: None,
        copy: Vec::new(),
        excludes: Vec::new(),
    })?;
    Ok(())
}
