//! Pure. What the live view shows, and what its keys do.

use crate::hooks::activity::{Activity, Told};
use std::collections::VecDeque;

/// Lines of news that are kept.
const MOST_NEWS: usize = 200;

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its name.
    pub session: String,
    /// Its project, where several are shown.
    pub project: Option<String>,
    /// Where its commands are run.
    pub root: String,
    /// The word for what its container does.
    pub state: String,
    /// What its agent does.
    pub told: Told,
    /// How long it has done so, in seconds.
    pub seconds: i64,
    /// What the agent does with which tool, or what is wrong.
    pub doing: String,
    /// Its branch.
    pub branch: String,
    /// Tokens that its model has counted.
    pub tokens: Option<u64>,
    /// What it has changed.
    pub changes: String,
}

/// All that is shown.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// The sessions.
    pub rows: Vec<Row>,
    /// The number of the one that keys are about.
    pub selected: usize,
    /// What was told, the oldest first.
    pub news: VecDeque<String>,
    /// A text that is read in the place of the sessions.
    pub page: Option<Page>,
    /// What is said of the whole at its head.
    pub title: String,
    /// Whether Ctrl-C stops the sessions.
    pub owns: bool,
}

/// A text that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What it is.
    pub title: String,
    /// Its lines.
    pub lines: Vec<String>,
    /// How many of them are above the screen.
    pub above: usize,
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A letter or sign.
    Letter(char),
    /// One up.
    Up,
    /// One down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Ctrl-C.
    Interrupt,
}

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing, or what the board has done itself.
    Nothing,
    /// To leave, with all as it is.
    Leave,
    /// To end, as Ctrl-C does.
    Interrupt,
    /// A terminal on this session.
    Attach(usize),
    /// The output of a command about this session.
    Read(usize, &'static [&'static str]),
    /// This session stopped.
    Stop(usize),
}

impl Board {
    /// Takes the newest rows; the same session stays selected.
    pub fn show(&mut self, rows: Vec<Row>) {
        let selected = self.rows.get(self.selected).map(|row| row.id.clone());
        let at = rows.iter().position(|row| Some(&row.id) == selected.as_ref());
        self.selected = at.unwrap_or(self.selected).min(rows.len().saturating_sub(1));
        self.rows = rows;
    }

    /// Takes a line of news.
    pub fn tell(&mut self, line: &str) {
        self.news.extend(line.lines().map(plain));
        while self.news.len() > MOST_NEWS {
            self.news.pop_front();
        }
    }

    /// What a key does.
    pub fn press(&mut self, key: Key) -> Wish {
        if let Some(page) = &mut self.page {
            match key {
                Key::Interrupt => return Wish::Interrupt,
                Key::Escape | Key::Enter | Key::Letter('q') => self.page = None,
                _ => page.turn(key),
            }
            return Wish::Nothing;
        }
        let chosen = (self.selected < self.rows.len()).then_some(self.selected);
        match (key, chosen) {
            (Key::Interrupt, _) => Wish::Interrupt,
            (Key::Letter('q' | 'd'), _) => Wish::Leave,
            (Key::Up | Key::Letter('k'), Some(at)) => self.select(at.saturating_sub(1)),
            (Key::Down | Key::Letter('j'), Some(at)) => self.select(at + 1),
            (Key::Letter('a') | Key::Enter, Some(at)) => Wish::Attach(at),
            (Key::Letter('l'), Some(at)) => Wish::Read(at, &["logs", "--tail", "1000"]),
            (Key::Letter('c'), Some(at)) => Wish::Read(at, &["diff"]),
            (Key::Letter('s'), Some(at)) => Wish::Stop(at),
            _ => Wish::Nothing,
        }
    }

    fn select(&mut self, at: usize) -> Wish {
        self.selected = at.min(self.rows.len().saturating_sub(1));
        Wish::Nothing
    }
}

impl Page {
    /// A text of an agent's, without what drives a terminal.
    pub fn new(title: String, text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(plain).collect();
        Self { title, above: 0, lines }
    }

    fn turn(&mut self, key: Key) {
        let last = self.lines.len().saturating_sub(1);
        self.above = match key {
            Key::Up | Key::Letter('k') => self.above.saturating_sub(1),
            Key::Down | Key::Letter('j') => (self.above + 1).min(last),
            Key::PageUp => self.above.saturating_sub(20),
            Key::PageDown | Key::Letter(' ') => (self.above + 20).min(last),
            Key::Letter('g') => 0,
            Key::Letter('G') => last.saturating_sub(10),
            _ => self.above,
        };
    }
}

/// How a session's activity is told: only what a person has to know of its container, too.
pub fn doing(row: &Row) -> String {
    if row.state != "running" {
        return row.state.clone();
    }
    match &row.told.waiting_for {
        Some(what) => format!("{}: {what}", row.told.activity.word()),
        None => row.told.activity.word().to_owned(),
    }
}

/// Whether a person has to look at a session.
pub fn calls(row: &Row) -> bool {
    row.state == "failed" || (row.state == "running" && row.told.activity == Activity::Waiting)
}

/// A line without what drives a terminal: escape sequences, other control characters, and what turns text around.
pub fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                // `ESC [ … final`; any other sequence loses its first letter alone, and is text.
                if letters.next() == Some('[') {
                    letters.by_ref().find(|letter| ('@'..='~').contains(letter));
                }
            }
            '\t' => plain.push_str("    "),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            letter if letter.is_control() => {}
            letter => plain.push(letter),
        }
    }
    plain
}

/// A time in few letters: `42s`, `7m`, `3h12m`, `4d`.
pub fn short(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// A number in few letters: `950`, `12.3k`, `4.5M`.
#[allow(clippy::cast_precision_loss)] // Two digits are shown.
pub fn rounded(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        1000..1_000_000 => format!("{:.1}k", number as f64 / 1e3),
        _ => format!("{:.1}M", number as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(session: &str) -> Row {
        Row {
            id: session.to_owned(),
            session: session.to_owned(),
            project: None,
            root: "/".to_owned(),
            state: "running".to_owned(),
            told: Told { activity: Activity::Working, since: None, waiting_for: None },
            seconds: 0,
            doing: String::new(),
            branch: String::new(),
            tokens: None,
            changes: String::new(),
        }
    }

    #[test]
    fn the_same_session_stays_selected_while_others_come_and_go() {
        let mut board = Board::default();
        assert_eq!(board.press(Key::Enter), Wish::Nothing, "there is none yet");
        board.show(vec![row("a"), row("b"), row("c")]);
        board.press(Key::Down);
        assert_eq!(board.press(Key::Letter('a')), Wish::Attach(1));
        board.show(vec![row("b"), row("c")]);
        assert_eq!(board.press(Key::Letter('s')), Wish::Stop(0));
        board.show(vec![row("c")]);
        board.press(Key::Down);
        assert_eq!(board.press(Key::Enter), Wish::Attach(0));
        assert_eq!(board.press(Key::Letter('d')), Wish::Leave);
    }

    #[test]
    fn a_page_is_read_and_left_before_anything_else() {
        let mut board = Board::default();
        board.show(vec![row("a")]);
        board.page = Some(Page::new("logs".to_owned(), &"line\n".repeat(50)));
        board.press(Key::PageDown);
        board.press(Key::Up);
        assert_eq!(board.page.as_ref().unwrap().above, 19);
        assert_eq!(board.press(Key::Letter('s')), Wish::Nothing, "nothing is stopped from here");
        assert_eq!(board.press(Key::Letter('q')), Wish::Nothing);
        assert_eq!(board.page, None);
        assert_eq!(board.press(Key::Letter('q')), Wish::Leave);
        board.page = Some(Page::default());
        assert_eq!(board.press(Key::Interrupt), Wish::Interrupt);
    }

    #[test]
    fn nothing_that_drives_a_terminal_is_left_of_a_line() {
        for (line, expected) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]52;c;aGk=\u{7}", "52;c;aGk="),
            ("a\rb\u{8}\u{9b}31m", "ab31m"),
            ("\u{202e}evil\u{2066}", "evil"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\tx", "    x"),
        ] {
            assert_eq!(plain(line), expected, "{line:?}");
        }
    }

    #[test]
    fn times_and_numbers_are_short() {
        let times = [-5, 59, 60, 3599, 3600, 11_520, 400_000].map(short);
        assert_eq!(times, ["0s", "59s", "1m", "59m", "1h00m", "3h12m", "4d"]);
        assert_eq!([0, 999, 1000, 12_345, 4_500_000].map(rounded), ["0", "999", "1.0k", "12.3k", "4.5M"]);
    }

    #[test]
    fn news_is_bounded() {
        let mut board = Board::default();
        for number in 0..1000 {
            board.tell(&format!("{number}\nmore"));
        }
        assert_eq!((board.news.len(), board.news.back().unwrap().as_str()), (MOST_NEWS, "more"));
    }
}
