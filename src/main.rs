//! The program: parses the command line, runs it, exits with its code.

use clap::Parser;

fn main() {
    if clauderon::cli::complete::answered() {
        return;
    }
    let arguments = clauderon::cli::args::Arguments::parse();
    let code = clauderon::cli::run(arguments);
    // A thread that reads standard input cannot be ended: leave without waiting for it.
    std::process::exit(code);
}
