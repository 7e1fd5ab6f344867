//! Starts the carrier beside the agent, and becomes the agent.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a carrier says once it listens.
pub const READY: &[u8] = b"ready\n";

/// `run [--bind NAME=PORT]… -- PROGRAM ARGUMENT…`: the agent's process is this one, so that signals, terminal and exit
/// code are its own.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let end =
        arguments.iter().position(|argument| argument == "--").ok_or("`run` needs `--` and a program")?;
    let (binds, program) = (&arguments[..end], &arguments[end + 1..]);
    let (program, arguments) = program.split_first().ok_or("`run` needs a program after `--`")?;
    if !binds.is_empty() {
        start(binds)?;
    }
    let error = Command::new(program).args(arguments).exec();
    let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    eprintln!("clauderon: could not start `{program}`: {error}");
    std::process::exit(code);
}

fn this() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("the link cannot find itself: {error}"))
}

/// Starts the carrier through a process that ends, so that it is nobody's child but the init's, and outside the
/// terminal's foreground group.
fn start(binds: &[String]) -> Result<(), String> {
    let mut command = Command::new(this()?);
    command.arg("detach").args(binds).process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().map_err(|error| format!("could not start the carrier: {error}"))?;
    // It has said why.
    if status.success() { Ok(()) } else { std::process::exit(crate::FAILED) }
}

/// Starts the supervisor, waits until its carrier listens, and ends.
pub fn detach(binds: &[String]) -> Result<(), String> {
    let mut command = Command::new(this()?);
    command.arg("supervise").args(binds).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("could not start the carrier: {error}"))?;
    let output = child.stdout.take().ok_or("the carrier has no output")?;
    let (sender, receiver) = std::sync::mpsc::channel();
    // Nobody waits any more once the time is over.
    std::thread::spawn(move || drop(sender.send(first_words(output))));
    match receiver.recv_timeout(Duration::from_secs(5)) {
        Ok(words) if words == READY => Ok(()),
        Ok(words) => Err(format!("the carrier does not listen: {}", String::from_utf8_lossy(&words))),
        Err(_) => Err("the carrier does not listen, and does not say why".to_owned()),
    }
}

/// What a carrier says of its start: that it is ready, or, until it ends, why it is not.
fn first_words(mut output: impl Read) -> Vec<u8> {
    let (mut words, mut byte) = (Vec::new(), [0]);
    while words != READY && words.len() < 1024 && output.read_exact(&mut byte).is_ok() {
        words.push(byte[0]);
    }
    words
}

/// Runs the carrier again whenever it dies.
pub fn supervise(binds: &[String]) -> Result<(), String> {
    // Asked once: where the program is replaced by a newer one, its own path ends in `(deleted)` from then on.
    let program = this()?;
    let mut first = true;
    loop {
        let mut command = Command::new(&program);
        command.arg("carry").args(binds).stdin(Stdio::null()).stderr(Stdio::null());
        command.stdout(if first { Stdio::piped() } else { Stdio::null() });
        // Memory or processes may be used up for a while; only the first carrier is worth giving up for.
        match command.spawn() {
            Ok(mut child) => {
                if let Some(output) = child.stdout.take() {
                    report(output)?;
                    first = false;
                }
                child.wait().map_err(|error| format!("could not wait for the carrier: {error}"))?;
            }
            Err(error) if first => return Err(format!("could not start the carrier: {error}")),
            Err(_) => {}
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Hands on what the first carrier says.
fn report(output: impl Read) -> Result<(), String> {
    let words = first_words(output);
    let mut stdout = std::io::stdout();
    // Whoever started us may have gone by now.
    let _ = stdout.write_all(&words).and_then(|()| stdout.flush());
    if words == READY { Ok(()) } else { Err("the carrier did not start".to_owned()) }
}
