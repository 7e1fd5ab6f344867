//! What an agent may have named or written, as a person is shown it: no letter of it drives the terminal, and of many
//! lines the first.

use crate::worktree::lost::Loss;

/// The most lines of one listing.
pub const MOST: usize = 20;
/// The most entries of one listing for programs.
pub const MOST_JSON: usize = 1000;
/// The longest text of a line.
const LONGEST: usize = 300;

/// A text in one line of bounded length: control letters, and letters that turn or hide others, are written out.
pub fn line(text: &str) -> String {
    let mut letters = text.chars();
    let mut line: String = letters.by_ref().take(LONGEST).flat_map(letter).collect();
    if letters.next().is_some() {
        line.push('…');
    }
    line
}

/// A text of any length, in which no letter drives a terminal; tabs stay.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        // Those that turn the direction of what follows are no control letters.
        let turns =
            matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match letter {
            '\t' => shown.push(letter),
            _ if turns || letter.is_control() => shown.extend(letter.escape_unicode()),
            _ => shown.push(letter),
        }
    }
    shown
}

fn letter(letter: char) -> Vec<char> {
    match letter {
        '"' | '\'' | '\\' => vec![letter],
        other => other.escape_debug().collect(),
    }
}

/// The first of some losses, one line each, each after this margin; and how many more there are.
pub fn losses(losses: &[Loss], margin: &str) -> String {
    let mut text: String =
        losses.iter().take(MOST).map(|loss| format!("\n{margin}{}", words(loss))).collect();
    if let Some(more @ 1..) = losses.len().checked_sub(MOST) {
        text.push_str(&format!("\n{margin}… and {more} more"));
    }
    text
}

/// The first of some losses as data, and how many more there are.
pub fn json(losses: &[Loss]) -> (serde_json::Value, usize) {
    let first = &losses[..losses.len().min(MOST_JSON)];
    (serde_json::json!(first), losses.len() - first.len())
}

/// One loss in words.
fn words(loss: &Loss) -> String {
    match loss {
        Loss::Uncommitted { path, status } => format!("`{}` ({status}, not committed)", line(path)),
        Loss::Untracked { path } => format!("`{}` (untracked)", line(path)),
        Loss::Ignored { path } => format!("`{}` (ignored by git, but not clauderon's)", line(path)),
        Loss::Commit { id, summary, branch } => {
            let id = id.get(..10).unwrap_or(id);
            format!("commit {id} on {}: {}", line(branch), line(summary))
        }
        Loss::Stash { entries } => format!("{entries} stashed changes"),
        Loss::NestedRepository { path } => format!("the repository `{}` inside it", line(path)),
        Loss::Alone { path } => format!("`{}` (no repository holds it)", line(path)),
        Loss::Orphaned { repository } => {
            format!(
                "all that was committed: its repository `{}` is gone",
                line(&repository.to_string_lossy())
            )
        }
        Loss::Tampered { what } => format!("it was tampered with: {}", line(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_drives_a_terminal_is_shown() {
        assert_eq!(line("a\u{1b}[2Jb\nc\u{202e}d\u{9b}"), "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{9b}");
        assert_eq!(line("it's \"ü\" 🦀\\"), "it's \"ü\" 🦀\\");
        assert_eq!(
            visible("a\t\u{1b}[2J\r\u{9b}\u{202e}e\u{301}"),
            "a\t\\u{1b}[2J\\u{d}\\u{9b}\\u{202e}e\u{301}"
        );
        assert_eq!(line(&"x".repeat(1000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn of_many_losses_the_first_are_shown_and_the_others_counted() {
        let of = |count: usize| -> Vec<Loss> {
            (0..count).map(|number| Loss::Untracked { path: format!("f{number}") }).collect()
        };
        assert_eq!(losses(&of(2), "  "), "\n  `f0` (untracked)\n  `f1` (untracked)");
        assert!(losses(&of(MOST), "").ends_with("`f19` (untracked)"));
        let many = losses(&of(1_000_000), "  ");
        assert_eq!(many.lines().count(), MOST + 2);
        assert!(many.ends_with("… and 999980 more"), "{many}");
        assert_eq!(json(&of(1003)).1, 3);
    }
}
