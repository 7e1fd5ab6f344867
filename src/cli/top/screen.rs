//! The caller's terminal while the live view has it: another screen, every key at once, and as it was at the end.

use super::board::{Board, Key};
use super::draw::draw;
use crate::cli::output;
use crate::error::Error;
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use futures_util::StreamExt;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::Stdout;

/// The terminal; it is given back when this is dropped.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    keys: EventStream,
}

/// What came from the terminal.
pub enum Came {
    /// A key.
    Key(Key),
    /// Another size, or nothing that counts: it is drawn again.
    Other,
    /// It is gone.
    End,
}

impl Screen {
    /// Takes the terminal.
    pub fn take() -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::failed("the terminal cannot be drawn on").because(error);
        enter().map_err(failed)?;
        let terminal = Terminal::new(CrosstermBackend::new(std::io::stdout()));
        let terminal = terminal.inspect_err(|_| leave()).map_err(failed)?;
        Ok(Self { terminal, keys: EventStream::new() })
    }

    /// Draws; what has not changed is not written.
    pub fn draw(&mut self, board: &Board) -> Result<(), Error> {
        let drawn = self.terminal.draw(|frame| draw(frame, board, output::colour()));
        drawn.map(drop).map_err(|error| Error::failed("the terminal cannot be drawn on").because(error))
    }

    /// What comes next.
    pub async fn next(&mut self) -> Came {
        match self.keys.next().await {
            None | Some(Err(_)) => Came::End,
            Some(Ok(Event::Key(event))) => key(event).map_or(Came::Other, Came::Key),
            Some(Ok(_)) => Came::Other,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> std::io::Result<()> {
    enable_raw_mode()?;
    execute!(std::io::stdout(), EnterAlternateScreen).inspect_err(|_| leave())
}

/// There is nobody left to tell when the terminal itself is gone.
fn leave() {
    let _ = execute!(std::io::stdout(), LeaveAlternateScreen, crossterm::cursor::Show);
    let _ = disable_raw_mode();
}

fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    Some(match event.code {
        KeyCode::Char('c') if event.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
        KeyCode::Char(_) if event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
            return None;
        }
        KeyCode::Char(letter) => Key::Letter(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        _ => return None,
    })
}
