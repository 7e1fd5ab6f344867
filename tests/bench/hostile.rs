//! Writes the hostile manifests into a directory, and says which are valid: `hostile DIRECTORY`.

#[path = "../hostile/inputs.rs"]
mod inputs;

use clauderon::fs::replace;
use std::io::Write;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: hostile DIRECTORY")?;
    std::fs::create_dir_all(&directory)?;
    replace(&directory.join("long.md"), "x".repeat(inputs::MOST).as_bytes(), 0o644)?;
    for input in inputs::inputs() {
        replace(&directory.join(format!("{}.yaml", input.name)), &input.bytes, 0o644)?;
        writeln!(std::io::stdout(), "{} {}", input.name, if input.valid { 0 } else { 2 })?;
    }
    Ok(())
}
