//! Pure. The last words of a terminal as lines that may be shown to anybody: no escape, no secret, few and short.

use crate::proxy::redact::{harmless, words};

/// The most lines.
const LINES: usize = 10;
/// The longest line, in characters.
const LONGEST: usize = 200;
/// As much of the end is looked at.
const BYTES: usize = 64 << 10;

/// The last lines of what was printed.
pub fn lines(printed: &str) -> Vec<String> {
    let from = printed.ceil_char_boundary(printed.len().saturating_sub(BYTES));
    let text = plain(&printed[from..]);
    let shown = text.split('\n').map(overwritten).map(str::trim_end).filter(|line| !line.is_empty());
    let mut lines: Vec<String> = shown.map(short).collect();
    lines.drain(..lines.len().saturating_sub(LINES));
    lines
}

/// What is left of a line whose beginning was printed over.
fn overwritten(line: &str) -> &str {
    line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default()
}

fn short(line: &str) -> String {
    // Secrets are looked for in the whole line, before it is cut.
    let line = harmless(&words(line));
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A text without a terminal's escapes; a tab is a space.
fn plain(text: &str) -> String {
    let mut letters = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => match letters.next() {
                Some('[') => skip_control(&mut letters),
                Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut letters),
                Some(' '..='/') => drop(letters.find(|letter| !matches!(letter, ' '..='/'))),
                _ => {}
            },
            '\u{9b}' => skip_control(&mut letters),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut letters),
            '\t' => plain.push(' '),
            '\n' | '\r' => plain.push(letter),
            letter if letter.is_control() => {}
            letter => plain.push(letter),
        }
    }
    plain
}

/// Up to the letter that ends a control sequence.
fn skip_control(letters: &mut impl Iterator<Item = char>) {
    let _ = letters.find(|letter| matches!(letter, '@'..='~'));
}

/// Up to the end of a string that is meant for the terminal; one without an end goes no further than its line.
fn skip_string(letters: &mut std::str::Chars<'_>) {
    while let Some(letter) = letters.clone().next() {
        if letter == '\n' {
            return;
        }
        letters.next();
        if matches!(letter, '\u{7}' | '\u{9c}') {
            return;
        }
        if letter == '\u{1b}' {
            letters.next();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_terminal_s_tricks_are_left_out() {
        for (printed, expected) in [
            ("plain\n", vec!["plain"]),
            ("\u{1b}[31mred\u{1b}[0m\r\n\u{1b}[2J\u{1b}[1;1Hhome\r\n", vec!["red", "home"]),
            ("\u{1b}]0;title\u{7}after\n\u{1b}]52;c;aGk=\u{1b}\\too\n", vec!["after", "too"]),
            ("\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\\n", vec!["link"]),
            ("10 %\r20 %\r\n\n   \nend", vec!["20 %", "end"]),
            ("\u{9b}31mred \u{202e}abc\u{1b}(B\tx\u{8}\u{0}\n", vec!["red \u{fffd}abc x"]),
            ("\u{1b}]never ended\nnext\n", vec!["next"]),
            ("\u{1b}", vec![]),
        ] {
            assert_eq!(lines(printed), expected, "{printed:?}");
        }
    }

    #[test]
    fn there_are_few_lines_and_short_ones_and_no_secret() {
        let many: String = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(lines(&many), (90..100).map(|number| number.to_string()).collect::<Vec<_>>());
        let long = lines(&"word ".repeat(1_000));
        assert_eq!(long[0].chars().count(), LONGEST + 1);
        let secret = ["gh", "p_abcdefghijklmnopqrstuvwxyz0123456789"].concat();
        let told = lines(&format!("the token is {secret}\n"));
        assert!(!told[0].contains(&secret), "{told:?}");
    }

    proptest! {
        #[test]
        fn nothing_moves_a_cursor_whatever_was_printed(printed in any::<String>(), escapes in "([\u{1b}\u{9b}\\[\\]m0-9;\n\ra]){0,80}") {
            for text in [printed.clone(), escapes.clone(), format!("{escapes}{printed}")] {
                let lines = lines(&text);
                prop_assert!(lines.len() <= LINES);
                for line in lines {
                    prop_assert!(line.chars().count() <= LONGEST + 1);
                    prop_assert!(!line.chars().any(char::is_control), "{line:?}");
                }
            }
        }
    }
}
