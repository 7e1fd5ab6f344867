//! Completion: the shell asks the program itself, so that it knows the sessions of the manifest at hand.
//! Whatever is wrong completes nothing; a shell is no place for an error.

use super::args::Arguments;
use super::{context, output};
use clap::CommandFactory;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use std::ffi::OsString;
use std::path::PathBuf;

/// The variable by which a shell asks; its value is the shell's name.
const VARIABLE: &str = "CLAUDERON_COMPLETE";
/// The program, by which name the shell finds it.
const PROGRAM: &str = "clauderon";

/// Answers a shell that asks for completions; `false` where none does.
pub fn answered() -> bool {
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(Arguments::command).var(VARIABLE).bin(PROGRAM).completer(PROGRAM);
    // An error says that there is nothing to complete.
    asked.try_complete(std::env::args_os(), here.as_deref()).unwrap_or(true)
}

/// Prints what a shell has to read to ask for completions.
pub fn print(shell: clap_complete::Shell) {
    let mut text = Vec::new();
    if let Some(shell) = Shells::builtins().completer(&shell.to_string()) {
        // Writing to memory cannot fail.
        let _ = shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut text);
    }
    output::bytes(&text);
}

/// The sessions of the manifest that the command line is about.
pub fn sessions() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(2).collect();
        let project = context::project(&files(&words)).ok();
        let sessions = project.into_iter().flat_map(|project| project.sessions);
        sessions.map(|session| CompletionCandidate::new(session.name)).collect()
    })
}

/// The manifests that stand before the verb: `-f FILE`, `-fFILE`, `--file FILE` or `--file=FILE`.
fn files(words: &[OsString]) -> Vec<PathBuf> {
    let mut words = words.iter().map(OsString::as_os_str);
    let mut files = Vec::new();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "-f" || text == "--file" {
            // A shell may take the sign for a word of its own.
            let file = words.next().filter(|word| *word != "=").or_else(|| words.next());
            files.extend(file.map(PathBuf::from));
        } else if let Some(rest) = text.strip_prefix("--file=").or_else(|| text.strip_prefix("-f")) {
            files.push(PathBuf::from(rest.trim_start_matches('=')));
        } else if !text.starts_with('-') {
            break;
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_before_the_verb_are_found() {
        for (line, expected) in [
            ("up a", ""),
            ("-f x.yaml up a", "x.yaml"),
            ("-fx.yaml up", "x.yaml"),
            ("-f=x.yaml up", "x.yaml"),
            ("--file x.yaml up", "x.yaml"),
            ("--file = x.yaml up", "x.yaml"),
            ("--file=x.yaml up", "x.yaml"),
            ("exec a -f y.yaml", ""),
            ("-f", ""),
            ("-f x.yaml --file=y.yaml up", "x.yaml y.yaml"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let expected: Vec<PathBuf> = expected.split_whitespace().map(PathBuf::from).collect();
            assert_eq!(files(&words), expected, "{line}");
        }
    }
}
