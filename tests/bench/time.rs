//! Times commands as whole processes, from outside and in turns: `time TURNS STEP DIRECTORY COMMAND …`, three words a
//! step. A command is split at spaces, `{}` in it is the turn; a step whose name is `-` is run and not timed.
//! Prints a line a name, in the order of their first steps: `NAME MIN MEDIAN MAX`, in milliseconds.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

struct Step {
    name: String,
    directory: String,
    command: String,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(text) => {
            let written = std::io::stdout().write_all(text.as_bytes());
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "time: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<String, String> {
    let usage = "usage: time TURNS STEP DIRECTORY COMMAND …";
    let (turns, steps) = words.split_first().ok_or(usage)?;
    let turns: usize = turns.parse().map_err(|_| usage)?;
    let (steps, []) = steps.as_chunks::<3>() else { return Err(usage.to_owned()) };
    let steps: Vec<Step> = steps
        .iter()
        .map(|[name, directory, command]| Step {
            name: name.clone(),
            directory: directory.clone(),
            command: command.clone(),
        })
        .collect();
    let mut times: Vec<(&str, Vec<f64>)> = Vec::new();
    for turn in 0..turns {
        for step in &steps {
            let milliseconds = time(step, turn)?;
            match times.iter_mut().find(|(name, _)| *name == step.name) {
                Some((_, times)) => times.push(milliseconds),
                None => times.push((&step.name, vec![milliseconds])),
            }
        }
    }
    Ok(times.into_iter().filter(|(name, _)| *name != "-").map(|(name, times)| line(name, times)).collect())
}

/// Runs one step; one that fails shows what it printed.
fn time(step: &Step, turn: usize) -> Result<f64, String> {
    let text = step.command.replace("{}", &turn.to_string());
    let mut words = text.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).current_dir(&step.directory).stdin(Stdio::null());
    let log = tempfile::tempfile().map_err(|error| error.to_string())?;
    let copy = || log.try_clone().map_err(|error| error.to_string());
    command.stdout(copy()?).stderr(copy()?);
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("`{text}`: {error}"))?;
    let took = start.elapsed().as_secs_f64() * 1000.0;
    if status.success() {
        return Ok(took);
    }
    let mut log = log;
    let mut printed = String::new();
    let _ = std::io::Seek::rewind(&mut log);
    let _ = std::io::Read::read_to_string(&mut log, &mut printed);
    Err(format!("`{text}` failed with {status}: {printed}"))
}

fn line(name: &str, mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    let median =
        if times.len() % 2 == 1 { times[middle] } else { f64::midpoint(times[middle - 1], times[middle]) };
    format!("{name} {:.2} {median:.2} {:.2}\n", times[0], times[times.len() - 1])
}
