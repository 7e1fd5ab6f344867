//! An error as the caller sees it: heading, causes, remedies, exit code.

use super::output;
use crate::error::{Error, Kind};
use std::error::Error as _;

/// Prints an error and answers its exit code.
pub fn report(error: &Error) -> i32 {
    output::say(&text(error));
    match error.kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::Refused => 3,
        Kind::TimedOut => 4,
    }
}

/// The error in words. A diagnostic brings its own heading.
pub fn text(error: &Error) -> String {
    let (bold, plain) = if output::colour() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let mut text = if error.message.starts_with("error") || error.message.contains('\x1b') {
        error.message.clone()
    } else {
        format!("{bold}error{plain}: {}", error.message)
    };
    let mut cause = error.source();
    let mut said = error.message.clone();
    while let Some(source) = cause {
        let words = source.to_string();
        if !said.contains(&words) {
            text.push_str(&format!("\n  because: {words}"));
        }
        said = words;
        cause = source.source();
    }
    for hint in &error.hints {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}
