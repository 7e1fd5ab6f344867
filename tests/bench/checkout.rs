//! Makes one checkout and says how long it took, in milliseconds: `checkout REPOSITORY DIRECTORY`.

use clauderon::worktree::create::{CheckoutSpec, create};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let parent = arguments.next().ok_or("usage: checkout REPOSITORY DIRECTORY")?;
    let directory = arguments.next().ok_or("usage: checkout REPOSITORY DIRECTORY")?;
    let session = uuid::Uuid::now_v7().to_string();
    let start = Instant::now();
    create(&CheckoutSpec {
        parent,
        directory,
        branch: format!("bench/{session}"),
        session,
        base: None,
        copy: Vec::new(),
        excludes: Vec::new(),
    })?;
    writeln!(std::io::stdout(), "{:.1}", start.elapsed().as_secs_f64() * 1000.0)?;
    Ok(())
}
