//! The smallest clap program: what `--help` is measured against.

use clap::Parser;

/// Says hello.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Whom
    name: Option<String>,
}

fn main() {
    let Arguments { name } = Arguments::parse();
    std::process::exit(i32::from(name.is_none()));
}
