//! `diff`: what a session has changed since its base, as a patch, in numbers, or by names.

use super::args::{Diff, Format};
use super::remedy::{checkout_error, file_error};
use super::{Code, context, host, loss, output, shown};
use crate::daemon::record;
use crate::error::{Error, Kind};
use crate::manifest::project::Project;
use crate::render::identity::{owner, session_id};
use crate::worktree::diff::{self, Content, Differs, quoted, quoted_below};
use serde_json::json;
use std::path::PathBuf;

/// The widest bar of `--stat`.
const WIDEST: usize = 40;

/// `clauderon diff`.
pub fn run(file: &[PathBuf], args: &Diff) -> Result<Code, Error> {
    let project = context::project(file)?;
    let name = session(&project, args.session.as_deref())?;
    let home = host::home()?;
    let id = session_id(&owner(rustix::process::getuid().as_raw(), home.path()), &project, name);
    let record = record::read(&home, &id).map_err(file_error)?;
    let none = || {
        Error::failed(format!("session `{name}` has no checkout"))
            .hint(format!("`clauderon up {name}` makes it"))
    };
    let record = record.ok_or_else(none)?;
    let Some(parent) = record.parent.as_deref() else {
        return Err(Error::failed(format!("session `{name}` has no repository, and so no base")));
    };
    let checkout = loss::place(&record).ok_or_else(none)?;
    let (colour, terminal) = (output::data_colour(), output::is_terminal());
    let mut numbers = Numbers::default();
    let notes = diff::diff(checkout, parent, &mut |differs: Differs| {
        numbers.add(&differs);
        match args {
            Diff { format: Format::Json, .. } | Diff { stat: true, .. } => {}
            Diff { name_only: true, .. } => output::data(&format!("{}\n", quoted(&differs.path))),
            _ => output::bytes(&patch(&differs, colour, terminal)),
        }
    });
    for note in notes.map_err(|error| checkout_error(&error))? {
        output::say(&format!("note: {}", shown::visible(&note)));
    }
    if args.format == Format::Json {
        output::data(&format!("{}\n", numbers.json()));
    } else if args.stat {
        output::data(&numbers.text(colour));
    }
    Ok(0)
}

/// The session that is meant.
fn session<'a>(project: &'a Project, named: Option<&'a str>) -> Result<&'a str, Error> {
    let names = || project.sessions.iter().map(|session| session.name.as_str());
    match (named, project.sessions.as_slice()) {
        (None, [only]) => Ok(&only.name),
        (None, _) => {
            let known: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            Err(Error::new(Kind::Usage, "which session is meant?")
                .hint(format!("name one of {}", known.join(", "))))
        }
        (Some(name), _) if names().any(|known| known == name) => Ok(name),
        (Some(name), _) => Err(context::unknown(name, names())),
    }
}

/// A file, what befell it, and how many lines came and went where it is text.
type Counted = (PathBuf, &'static str, Option<(usize, usize)>);

/// What is counted of each file.
#[derive(Default)]
struct Numbers {
    files: Vec<Counted>,
}

impl Numbers {
    fn add(&mut self, differs: &Differs) {
        let counted = match &differs.content {
            Content::Lines { insertions, deletions, .. } => Some((*insertions, *deletions)),
            Content::Binary | Content::Large => None,
        };
        self.files.push((differs.path.clone(), differs.change.word(), counted));
    }

    fn sums(&self) -> (usize, usize) {
        let counted = self.files.iter().filter_map(|(_, _, counted)| *counted);
        counted.fold((0, 0), |sum, lines| (sum.0 + lines.0, sum.1 + lines.1))
    }

    fn json(&self) -> String {
        let files = self.files.iter().map(|(path, status, counted)| {
            let (insertions, deletions) = counted.unzip();
            let path = path.to_str().map_or_else(|| quoted(path), str::to_owned);
            json!({ "path": path, "status": status, "insertions": insertions, "deletions": deletions })
        });
        let (insertions, deletions) = self.sums();
        let all =
            json!({ "files": files.collect::<Vec<_>>(), "insertions": insertions, "deletions": deletions });
        // JSON leaves some letters as they are that drive a terminal.
        let escaped = |letter: char| match letter {
            '\u{7f}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                format!("\\u{:04x}", u32::from(letter))
            }
            _ => letter.to_string(),
        };
        all.to_string().chars().map(escaped).collect()
    }

    fn text(&self, colour: bool) -> String {
        let (green, red, plain) = if colour { ("\x1b[32m", "\x1b[31m", "\x1b[m") } else { ("", "", "") };
        let width = self.files.iter().map(|(path, ..)| quoted(path).chars().count()).max().unwrap_or(0);
        let most = self.files.iter().filter_map(|(.., counted)| counted.map(|(new, gone)| new + gone)).max();
        let bar = |count: usize| match most.unwrap_or(0) {
            most if most <= WIDEST => count,
            most => (count * WIDEST).div_ceil(most),
        };
        let mut text = String::new();
        for (path, _, counted) in &self.files {
            let path = quoted(path);
            let told = match counted {
                None => "not compared".to_owned(),
                Some((new, gone)) => format!(
                    "{:>6} {green}{}{red}{}{plain}",
                    new + gone,
                    "+".repeat(bar(*new)),
                    "-".repeat(bar(*gone))
                ),
            };
            text.push_str(&format!(" {path:width$} | {told}\n"));
        }
        let (insertions, deletions) = self.sums();
        let files = self.files.len();
        let word = if files == 1 { "file" } else { "files" };
        text + &format!(" {files} {word} changed, {insertions} insertions(+), {deletions} deletions(-)\n")
    }
}

/// One file as git writes it in a patch. Seen by a person at once, no letter of it drives the terminal.
fn patch(differs: &Differs, colour: bool, terminal: bool) -> Vec<u8> {
    let paint = |code: &str| if colour { format!("\x1b[{code}m") } else { String::new() };
    let plain = paint("");
    let mut patch = Vec::new();
    let (old, new) = (quoted_below("a/", &differs.path), quoted_below("b/", &differs.path));
    let mut head = format!("diff --git {old} {new}\n");
    head.push_str(&match differs.modes {
        [None, Some(mode)] => format!("new file mode {mode:06o}\n"),
        [Some(mode), None] => format!("deleted file mode {mode:06o}\n"),
        [Some(before), Some(now)] if before != now => format!("old mode {before:06o}\nnew mode {now:06o}\n"),
        _ => String::new(),
    });
    let side = |mode: Option<u32>, path: &str| mode.map_or("/dev/null".to_owned(), |_| path.to_owned());
    let (old, new) = (side(differs.modes[0], &old), side(differs.modes[1], &new));
    match &differs.content {
        Content::Lines { lines, .. } if lines.is_empty() => {}
        Content::Lines { .. } => head.push_str(&format!("--- {old}\n+++ {new}\n")),
        Content::Binary => head.push_str(&format!("Binary files {old} and {new} differ\n")),
        Content::Large => {
            head.push_str(&format!("Files {old} and {new} differ, and are too large to be shown\n"));
        }
    }
    for line in head.lines() {
        patch.extend(format!("{}{line}{plain}\n", paint("1")).bytes());
    }
    let Content::Lines { lines, .. } = &differs.content else { return patch };
    for (sign, content) in lines {
        let (code, sign) = match sign {
            'H' => ("36", ""),
            '+' => ("32", "+"),
            '-' => ("31", "-"),
            '\\' => ("", "\\"),
            _ => ("", " "),
        };
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        patch.extend([paint(code).as_bytes(), sign.as_bytes()].concat());
        if terminal {
            patch.extend(shown::visible(&String::from_utf8_lossy(content)).bytes());
        } else {
            patch.extend(content);
        }
        patch.extend([plain.as_bytes(), b"\n"].concat());
    }
    patch
}
