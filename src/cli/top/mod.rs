//! `top`, and what `up` shows while it stays in the foreground: the sessions as they are, by the second.

pub mod board;
mod draw;
mod screen;
pub mod source;

use super::args::Top;
use super::{Code, context, output, terminal};
use crate::backend::docker::Docker;
use crate::error::Error;
use board::{Board, Page, Row, Wish, calls, doing};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use screen::{Came, Screen};
use source::{Scope, Source};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How often what depends on the time is drawn again.
const TICK: Duration = Duration::from_secs(1);
/// How often the daemon is asked who speaks with a model.
const ASK: Duration = Duration::from_secs(5);
/// How often the engine is looked at beside what it tells.
const LOOK: Duration = Duration::from_secs(15);
/// The longest output of a command that is read on a page.
const LONGEST: usize = 4 << 20;

/// `clauderon top`.
pub async fn run(file: &[PathBuf], args: &Top) -> Result<Code, Error> {
    let root = if args.all { None } else { context::root(file).ok() };
    let engine = context::engine().await?;
    let title = root.as_ref().map_or_else(
        || "clauderon top: all projects".to_owned(),
        |root| format!("clauderon top: {}", root.display()),
    );
    let scope = root.map_or(Scope::All, |root| Scope::Root(root.display().to_string()));
    let docker = engine.docker.clone();
    let source = Source::begin(engine, scope).await?;
    if args.plain || !terminal::is_interactive() {
        return lines(source, docker, args.once).await;
    }
    let mut live = Live::begin(source, docker, title, false)?;
    loop {
        match live.next().await? {
            Wish::Leave | Wish::Interrupt => return Ok(0),
            wish => live.grant(wish).await?,
        }
    }
}

/// A line for each session, and one more whenever it does something else: for pipes, and for who has a screen read out.
async fn lines(mut source: Source, docker: Docker, once: bool) -> Result<Code, Error> {
    let mut pulse = Pulse::new(docker);
    let mut told = BTreeMap::new();
    loop {
        for row in source.rows() {
            let line = line(&row);
            if told.get(&row.id) != Some(&line) {
                output::data(&format!("{}  {line}\n", clock()));
                told.insert(row.id, line);
            }
        }
        if once {
            return Ok(0);
        }
        pulse.beat(&mut source).await?;
        pulse.news.clear();
    }
}

fn line(row: &Row) -> String {
    let name = row
        .project
        .as_ref()
        .map_or_else(|| row.session.clone(), |project| format!("{project}/{}", row.session));
    format!("{name:<16} {:<20} {}", doing(row), row.doing).trim_end().to_owned()
}

/// The time of the day in UTC, as events have it.
fn clock() -> String {
    jiff::Timestamp::now().strftime("%H:%M:%SZ").to_string()
}

/// What makes the view change: the store, the engine, and the time.
struct Pulse {
    docker: Docker,
    ends: BoxStream<'static, ()>,
    listening: bool,
    tick: Interval,
    asked: Instant,
    looked: Instant,
    /// What the store has told and nobody has shown yet.
    news: Vec<String>,
}

impl Pulse {
    fn new(docker: Docker) -> Self {
        let mut tick = tokio::time::interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (asked, looked) = (Instant::now(), Instant::now());
        Self { ends: ends(&docker), docker, listening: true, tick, asked, looked, news: Vec::new() }
    }

    /// Returns when there may be something new. It may be left at any moment: what the store has told is kept.
    async fn beat(&mut self, source: &mut Source) -> Result<(), Error> {
        let mut look = false;
        tokio::select! {
            () = source.grown() => {
                let news = source.hear()?;
                // Starts and ends of containers are events, too.
                look = !news.is_empty();
                self.news.extend(news);
            }
            end = self.ends.next(), if self.listening => {
                self.listening = end.is_some();
                look = true;
            }
            _ = self.tick.tick() => {}
        }
        if self.asked.elapsed() >= ASK {
            self.asked = Instant::now();
            source.ask().await;
        }
        if self.looked.elapsed() >= LOOK || (look && self.looked.elapsed() >= TICK / 4) || source.is_away() {
            self.looked = Instant::now();
            source.observe().await?;
            if !self.listening && !source.is_away() {
                (self.ends, self.listening) = (ends(&self.docker), true);
            }
        }
        Ok(())
    }
}

/// Comes with the end of each container.
fn ends(docker: &Docker) -> BoxStream<'static, ()> {
    docker.ends().map(drop).boxed()
}

/// The live view.
pub struct Live {
    source: Source,
    pulse: Pulse,
    board: Board,
    /// Nothing while another program has the terminal.
    screen: Option<Screen>,
    /// Who called for a person before.
    called: BTreeMap<String, String>,
}

impl Live {
    /// Takes the terminal. A view that owns the sessions stops them with Ctrl-C, and calls when one waits for a person.
    pub fn begin(source: Source, docker: Docker, title: String, owns: bool) -> Result<Self, Error> {
        let mut board = Board { title, owns, ..Board::default() };
        board.show(source.rows());
        let mut screen = Screen::take()?;
        screen.draw(&board)?;
        Ok(Self { source, pulse: Pulse::new(docker), board, screen: Some(screen), called: BTreeMap::new() })
    }

    /// Shows a line of talk.
    pub fn say(&mut self, line: &str) {
        self.board.tell(&format!("{}  {line}", clock()));
    }

    /// Goes on until a key asks for something. It may be left at any moment.
    pub async fn next(&mut self) -> Result<Wish, Error> {
        loop {
            for line in std::mem::take(&mut self.pulse.news) {
                self.board.tell(&line);
            }
            self.board.show(self.source.rows());
            self.call();
            let Some(screen) = &mut self.screen else { return Ok(Wish::Leave) };
            screen.draw(&self.board)?;
            tokio::select! {
                came = screen.next() => match came {
                    Came::End => return Ok(Wish::Interrupt),
                    Came::Other => {}
                    Came::Key(key) => match self.board.press(key) {
                        Wish::Nothing => {}
                        wish => return Ok(wish),
                    },
                },
                beaten = self.pulse.beat(&mut self.source) => beaten?,
            }
        }
    }

    /// Does what a key has asked for.
    pub async fn grant(&mut self, wish: Wish) -> Result<(), Error> {
        match wish {
            Wish::Attach(at) => self.attach(at).await,
            Wish::Read(at, words) => {
                let Some((name, output)) = self.about(at, words).await? else { return Ok(()) };
                let title = format!("{} {name}", words.first().unwrap_or(&""));
                self.board.page = Some(Page::new(title, &output));
                Ok(())
            }
            Wish::Stop(at) => {
                let said = self.about(at, &["stop"]).await?;
                for line in said.iter().flat_map(|(_, output)| output.lines()) {
                    self.board.tell(line);
                }
                Ok(())
            }
            Wish::Nothing | Wish::Leave | Wish::Interrupt => Ok(()),
        }
    }

    /// This program, about one session: run where the session's project is.
    fn command(&self, at: usize, words: &[&str]) -> Option<(String, Command)> {
        let row = self.board.rows.get(at)?;
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.args(words).arg(&row.session).current_dir(&row.root).kill_on_drop(true);
        Some((row.session.clone(), command))
    }

    /// Gives the terminal to `attach` until that is left.
    async fn attach(&mut self, at: usize) -> Result<(), Error> {
        let Some((name, mut command)) = self.command(at, &["attach"]) else { return Ok(()) };
        self.screen = None;
        output::say(&format!("{name}: ctrl-p ctrl-q comes back"));
        let ended = command.stderr(Stdio::piped()).spawn().map(tokio::process::Child::wait_with_output);
        let said = match ended {
            Ok(ended) => ended.await.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(error),
        };
        self.screen = Some(Screen::take()?);
        self.board.tell(&said.unwrap_or_else(|error| error.to_string()));
        Ok(())
    }

    /// What a command says about one session.
    async fn about(&mut self, at: usize, words: &[&str]) -> Result<Option<(String, String)>, Error> {
        let Some((name, mut command)) = self.command(at, words) else { return Ok(None) };
        let ended = command.stdin(Stdio::null()).env("NO_COLOR", "1").output().await;
        let output = ended.map_err(|error| Error::failed("the command could not be run").because(error))?;
        let mut bytes = output.stdout;
        bytes.extend(output.stderr);
        bytes.truncate(LONGEST);
        Ok(Some((name, String::from_utf8_lossy(&bytes).into_owned())))
    }

    /// Rings, and tells the terminal, where a session has begun to wait for a person or has failed.
    fn call(&mut self) {
        let calling: BTreeMap<String, String> = self
            .board
            .rows
            .iter()
            .filter(|row| calls(row))
            .map(|row| (row.id.clone(), format!("{}: {}", row.session, doing(row))))
            .collect();
        if self.board.owns {
            let new = calling.iter().filter(|(id, what)| self.called.get(*id) != Some(what));
            for (_, what) in new {
                // OSC 9 is a notification; a terminal that knows none rings.
                output::taken(format!("\x1b]9;{}\x07\x07", board::plain(what)).as_bytes());
            }
        }
        self.called = calling;
    }
}
