//! Pure. The live view on a terminal: the sessions, what was told of late, and the keys. Readable at 80 columns.

use super::board::{Board, Page, Row, calls, doing, rounded, short};
use crate::hooks::activity::Activity;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row as TableRow, Table, TableState};

/// The width of the last column.
const BRANCH: u16 = 18;

/// Draws it all.
pub fn draw(frame: &mut Frame<'_>, board: &Board, colour: bool) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(3), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new(board.title.as_str()), head);
    match &board.page {
        Some(page) => read(frame, page, body),
        None => {
            // The news have what the sessions leave, and a third at least.
            let wanted = u16::try_from(board.rows.len() + 1).unwrap_or(u16::MAX);
            let most = (body.height * 2 / 3).max(2);
            let [above, below] =
                Layout::vertical([Constraint::Length(wanted.min(most)), Constraint::Min(0)]).areas(body);
            table(frame, board, above, colour);
            news(frame, board, below);
        }
    }
    frame.render_widget(Paragraph::new(keys(board)).style(Style::new().add_modifier(Modifier::DIM)), foot);
}

fn keys(board: &Board) -> &'static str {
    match (&board.page, board.owns) {
        (Some(_), _) => "up/down, space: scroll   q: back",
        (None, true) => "a attach  l logs  c changes  s stop  up/down select  d detach  Ctrl-C stop all",
        (None, false) => "a attach  l logs  c changes  s stop  up/down select  q quit",
    }
}

fn table(frame: &mut Frame<'_>, board: &Board, area: Rect, colour: bool) {
    let several = board.rows.iter().any(|row| row.project.is_some());
    let counted = board.rows.iter().any(|row| row.tokens.is_some());
    let name = |row: &Row| match &row.project {
        Some(project) => format!("{project}/{}", row.session),
        None => row.session.clone(),
    };
    let longest = board.rows.iter().map(|row| name(row).chars().count()).max().unwrap_or(0);
    let name_width = u16::try_from(longest.clamp(7, if several { 24 } else { 16 })).unwrap_or(16);
    let mut head = vec!["SESSION", "ACTIVITY", "TIME"];
    let mut widths = vec![Constraint::Length(name_width), Constraint::Length(21), Constraint::Length(6)];
    if counted {
        head.push("TOKENS");
        widths.push(Constraint::Length(6));
    }
    head.extend(["LAST TOOL", "BRANCH"]);
    widths.extend([Constraint::Min(12), Constraint::Length(BRANCH)]);
    let rows = board.rows.iter().map(|row| {
        let mut cells = vec![name(row), format!("{} {}", mark(row), doing(row)), short(row.seconds)];
        if counted {
            cells.push(row.tokens.map(rounded).unwrap_or_default());
        }
        cells.extend([row.doing.clone(), branch(row)]);
        let style = if colour { Style::new().fg(hue(row)) } else { Style::new() };
        let cells = cells.into_iter().enumerate().map(move |(at, text)| {
            let cell = Cell::from(text);
            if at == 1 { cell.style(style) } else { cell }
        });
        TableRow::new(cells.collect::<Vec<_>>())
    });
    let table = Table::new(rows, widths)
        .header(TableRow::new(head).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(Some(board.selected));
    frame.render_stateful_widget(table, area, &mut state);
}

/// Its changes first; of a long name the end says more.
fn branch(row: &Row) -> String {
    let before = if row.changes.is_empty() { String::new() } else { format!("{} ", row.changes) };
    let room = usize::from(BRANCH).saturating_sub(before.chars().count());
    let letters: Vec<char> = row.branch.chars().collect();
    if letters.len() <= room {
        return format!("{before}{}", row.branch);
    }
    let end: String = letters[letters.len() + 1 - room.max(1)..].iter().collect();
    format!("{before}…{end}")
}

/// A sign, for whoever sees no colours.
fn mark(row: &Row) -> &'static str {
    match row.told.activity {
        _ if calls(row) => "!",
        _ if row.state != "running" => " ",
        Activity::Working => "*",
        Activity::Unknown => "?",
        _ => " ",
    }
}

fn hue(row: &Row) -> Color {
    match row.told.activity {
        _ if row.state == "failed" => Color::Red,
        _ if row.state != "running" => Color::DarkGray,
        Activity::Waiting => Color::Yellow,
        Activity::Working => Color::Green,
        Activity::Unknown => Color::Magenta,
        _ => Color::Reset,
    }
}

fn news(frame: &mut Frame<'_>, board: &Board, area: Rect) {
    let room = usize::from(area.height.saturating_sub(1));
    let lines: Vec<Line<'_>> = board
        .news
        .iter()
        .skip(board.news.len().saturating_sub(room))
        .map(|line| Line::raw(line.as_str()))
        .collect();
    frame.render_widget(Paragraph::new(lines).block(Block::new().borders(Borders::TOP)), area);
}

fn read(frame: &mut Frame<'_>, page: &Page, area: Rect) {
    let room = usize::from(area.height.saturating_sub(1));
    let shown: Vec<Line<'_>> =
        page.lines.iter().skip(page.above).take(room).map(|line| Line::raw(line.as_str())).collect();
    let title = Span::raw(format!(" {} ", page.title));
    frame.render_widget(Paragraph::new(shown).block(Block::new().borders(Borders::TOP).title(title)), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::activity::Told;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn row(session: &str, activity: Activity, waiting_for: Option<&str>) -> Row {
        Row {
            id: session.to_owned(),
            session: session.to_owned(),
            project: None,
            root: "/".to_owned(),
            state: "running".to_owned(),
            told: Told { activity, since: None, waiting_for: waiting_for.map(str::to_owned) },
            seconds: 75,
            doing: "Bash cargo test --workspace --all-targets".to_owned(),
            branch: format!("clauderon/{session}"),
            tokens: Some(123_456),
            changes: "+3".to_owned(),
        }
    }

    fn screen(board: &Board, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, board, true)).unwrap();
        let text = terminal.backend().to_string();
        text.lines().map(|line| line.trim_matches('"').trim_end().to_owned() + "\n").collect()
    }

    fn board() -> Board {
        let mut board = Board { title: "shop".to_owned(), owns: true, ..Board::default() };
        let mut gone = row("old", Activity::Ended, None);
        "failed".clone_into(&mut gone.state);
        board.show(vec![
            row("login", Activity::Working, None),
            row("review", Activity::Waiting, Some("permission")),
            row("silent", Activity::Unknown, None),
            gone,
        ]);
        board.tell("12:00:01  login  PreToolUse  Bash cargo test");
        board
    }

    #[test]
    fn it_is_readable_at_80_by_24() {
        let expected = "\
shop
SESSION ACTIVITY              TIME   TOKENS LAST TOOL         BRANCH
login   * working             1m     123.5k Bash cargo test - +3 clauderon/login
review  ! waiting: permission 1m     123.5k Bash cargo test - +3 …auderon/review
silent  ? unknown             1m     123.5k Bash cargo test - +3 …auderon/silent
old     ! failed              1m     123.5k Bash cargo test - +3 clauderon/old
────────────────────────────────────────────────────────────────────────────────
12:00:01  login  PreToolUse  Bash cargo test

a attach  l logs  c changes  s stop  up/down select  d detach  Ctrl-C stop all
";
        assert_eq!(screen(&board(), 80, 10), expected);
    }

    #[test]
    fn it_is_drawn_at_any_size() {
        let mut board = board();
        board.show((0..100).map(|number| row(&format!("s{number}"), Activity::Idle, None)).collect());
        for (width, height) in [(1, 1), (10, 3), (40, 8), (300, 100), (80, 24)] {
            screen(&board, width, height);
            board.press(super::super::board::Key::Down);
        }
        board.selected = 99;
        assert!(screen(&board, 80, 24).contains("s99"), "what is selected is seen");
        board.page = Some(Page::new("diff login".to_owned(), "one\ntwo"));
        let page = screen(&board, 80, 24);
        assert!(page.contains("diff login") && page.contains("two") && page.contains("q: back"), "{page}");
    }
}
