//! Progress of a walk: on a terminal one line a session, redrawn in place as compose does; elsewhere plain lines.

use super::output;
use crate::apply::progress::Progress;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// Shows progress on standard error.
pub struct Display {
    terminal: bool,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    entries: Vec<Progress>,
    drawn: usize,
}

impl Display {
    /// On a terminal of at least a few rows the lines are redrawn in place.
    pub fn new() -> Self {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        Self { terminal: std::io::stderr().is_terminal() && !dumb, lines: Mutex::default() }
    }

    /// Takes a piece of news.
    pub fn show(&self, news: Progress) {
        if !self.terminal {
            output::say(&line(&news, false));
            return;
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.entries.iter_mut().find(|entry| entry.session == news.session) {
            Some(entry) => *entry = news,
            None => lines.entries.push(news),
        }
        lines.draw();
    }
}

impl Lines {
    /// No more than fit the screen: the finished ones give way first.
    fn draw(&mut self) {
        let rows = super::terminal::size().map_or(24, |(rows, _)| usize::from(rows)).saturating_sub(2).max(4);
        let total = self.entries.len();
        let done = self.entries.iter().filter(|entry| entry.end == Some(true)).count();
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A\x1b[J", self.drawn));
        }
        text.push_str(&format!("[+] {done}/{total}\n"));
        let surplus = total.saturating_sub(rows);
        let mut hidden = 0;
        self.drawn = 1;
        for entry in &self.entries {
            if hidden < surplus && entry.end == Some(true) {
                hidden += 1;
                continue;
            }
            if self.drawn > rows {
                break;
            }
            text.push_str(&line(entry, output::colour()));
            text.push('\n');
            self.drawn += 1;
        }
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

fn line(news: &Progress, colour: bool) -> String {
    let (mark, code) = match news.end {
        Some(true) => ("✔", "32"),
        Some(false) => ("✘", "31"),
        None => ("⠿", "36"),
    };
    let plain = format!("{mark} Session {:<24} {}", news.session, news.what);
    if colour { format!(" \x1b[{code}m{plain}\x1b[0m") } else { format!(" {plain}") }
}
