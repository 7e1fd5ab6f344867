//! Starts the carrier beside the agent, and becomes the agent.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a carrier says once it listens.
pub const READY: &[u8] = b"ready\n";

/// `run [--bind NAME=PORT]… -- PROGRAM ARGUMENT…`: the agent's process is this one, so that signals, terminal and exit
/// code are its own.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let end = arguments.iter().position(|argument| argument == "--").ok_or("`run` needs `--` and a program")?;
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

fn this() -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|error| format!("the link cannot find itself: {error}"))?;
    Ok(Command::new(program))
}

/// Starts the carrier through a process that ends, so that it is nobody's child but the init's, and outside the
/// terminal's foreground group.
fn start(binds: &[String]) -> Result<(), String> {
    let mut command = this()?;
    command.arg("detach").args(binds).process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().map_err(|error| format!("could not start the carrier: {error}"))?;
    if status.success() { Ok(()) } else { Err("the carrier does not listen".to_owned()) }
}

/// Starts the supervisor, waits until its carrier listens, and ends.
pub fn detach(binds: &[String]) -> Result<(), String> {
    let mut command = this()?;
    command.arg("supervise").args(binds).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("could not start the carrier: {error}"))?;
    let mut output = child.stdout.take().ok_or("the carrier has no output")?;
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut word = [0; READY.len()];
        let ready = output.read_exact(&mut word).is_ok() && word == READY;
        // Nobody waits any more once the time is over.
        let _ = sender.send(ready);
    });
    match receiver.recv_timeout(Duration::from_secs(5)) {
        Ok(true) => Ok(()),
        _ => Err("the carrier does not listen: are its ports taken?".to_owned()),
    }
}

/// Runs the carrier again whenever it dies.
pub fn supervise(binds: &[String]) -> Result<(), String> {
    let mut first = true;
    loop {
        let mut command = this()?;
        command.arg("carry").args(binds).stdin(Stdio::null()).stderr(Stdio::null());
        command.stdout(if first { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().map_err(|error| format!("could not start the carrier: {error}"))?;
        if let Some(mut output) = child.stdout.take() {
            let mut word = [0; READY.len()];
            if output.read_exact(&mut word).is_err() {
                return Err("the carrier did not start".to_owned());
            }
            let mut stdout = std::io::stdout();
            // Whoever started us may have gone by now.
            let _ = stdout.write_all(&word).and_then(|()| stdout.flush());
            first = false;
        }
        child.wait().map_err(|error| format!("could not wait for the carrier: {error}"))?;
        std::thread::sleep(Duration::from_millis(100));
    }
}
