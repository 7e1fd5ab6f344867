//! Pure. What is wrong with a manifest, each fault with its place, and how all of them look in a terminal.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Faults shown of one manifest at most.
const MAX_SHOWN: usize = 100;
/// Bytes of source lines that are shown at most, beside the first.
const MAX_SOURCE: usize = 64 * 1024;
/// Bytes that are underlined at most, and shown behind.
const MAX_UNDERLINED: usize = 400;
/// Characters of a user's own text that a message repeats.
const MAX_QUOTED: usize = 60;

/// A fault at a place of the text, not yet tied to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The bytes it concerns.
    pub span: Range<usize>,
    /// What is wrong: lower case, names in backticks, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Fault {
    /// A fault without a remedy.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A fault in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The manifest.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes it concerns.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// All that is wrong with one manifest, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// The manifest's text.
    pub text: String,
    /// The faults; never empty.
    pub list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Ties faults to a file and its text, sorted by place.
    pub fn new(file: &Path, text: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by(|a, b| {
            (a.span.start, a.span.end, &a.message).cmp(&(b.span.start, b.span.end, &b.message))
        });
        faults.dedup();
        let mut lines = Lines::new(text);
        let list = faults
            .into_iter()
            .map(|fault| {
                let (line, column) = lines.place(fault.span.start);
                let Fault { span, message, help } = fault;
                Diagnostic { file: file.to_owned(), line, column, span, message, help }
            })
            .collect();
        Self { text: text.to_owned(), list }
    }

    /// All faults as a person reads them: message, `file:line:column`, the source line underlined, the remedy.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut shown: Vec<String> =
            self.shown().map(|diagnostic| self.render_one(diagnostic, &renderer)).collect();
        let more = self.list.len() - shown.len();
        if more > 0 {
            shown.push(format!("and {more} more"));
        }
        shown.join("\n\n") + "\n"
    }

    /// The first faults, fewer where lines are very long.
    fn shown(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut source = 0;
        self.list.iter().take(MAX_SHOWN).enumerate().map_while(move |(index, diagnostic)| {
            source += self.line_around(diagnostic.span.start).1.len();
            (index == 0 || source <= MAX_SOURCE).then_some(diagnostic)
        })
    }

    fn render_one(&self, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        let (start, line) = self.line_around(diagnostic.span.start);
        // A fault can lie in the line end, which is not shown.
        let from = (diagnostic.span.start - start).min(line.len());
        let to = diagnostic.span.end.saturating_sub(start).clamp(from, line.len().max(from));
        // Of a very long line, what stands before the fault is needed to count its column, and little behind it.
        let to = line.floor_char_boundary(to.min(from + MAX_UNDERLINED)).max(from);
        let line = &line[..line.floor_char_boundary(to + MAX_UNDERLINED)];
        let path = diagnostic.file.to_string_lossy();
        // Some terminals obey these; the renderer makes only the other control characters harmless.
        let line = line.replace(|letter| matches!(letter, '\u{80}'..='\u{9f}'), "\u{b7}");
        let snippet = Snippet::source(line)
            .line_start(diagnostic.line)
            .path(path.as_ref())
            .annotation(AnnotationKind::Primary.span(from..to));
        let mut report = vec![Level::ERROR.primary_title(diagnostic.message.as_str()).element(snippet)];
        if let Some(help) = &diagnostic.help {
            report.push(Group::with_title(Level::HELP.secondary_title(help.as_str())));
        }
        renderer.render(&report)
    }

    /// The line that holds a byte, and where it starts.
    fn line_around(&self, at: usize) -> (usize, &str) {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |length| at + length);
        (start, self.text[start..end].trim_end_matches('\r'))
    }
}

/// Counts lines and columns, going forward only.
struct Lines<'a> {
    text: &'a str,
    line: usize,
    column: usize,
    at: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, line: 1, column: 1, at: 0 }
    }

    fn place(&mut self, at: usize) -> (usize, usize) {
        let mut passed = &self.text[self.at..at];
        while let Some(length) = passed.find('\n') {
            passed = &passed[length + 1..];
            (self.line, self.column) = (self.line + 1, 1);
        }
        self.column += passed.chars().count();
        self.at = at;
        (self.line, self.column)
    }
}

/// A user's own text in backticks: short, and without what would disturb a terminal.
pub fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "an empty text".to_owned();
    }
    let mut shown: String = text.chars().take(MAX_QUOTED).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let escaped: String = shown
        .chars()
        .flat_map(|letter| match letter {
            '"' | '\'' | '\\' => vec![letter],
            other => other.escape_debug().collect(),
        })
        .collect();
    format!("`{escaped}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_lines() {
        let text = "a: 1\nü: {é: 2}\n";
        let at = text.find('é').unwrap();
        let all = Diagnostics::new(Path::new("/p/c.yaml"), text, vec![Fault::new(at..at + 2, "wrong")]);
        assert_eq!((all.list[0].line, all.list[0].column), (2, 5));
        let shown = all.render(false);
        assert!(shown.contains("/p/c.yaml:2:5"), "{shown}");
        assert!(shown.contains("ü: {é: 2}"), "{shown}");
    }

    #[test]
    fn a_fault_at_the_very_end_renders() {
        for text in ["", "a:", "a:\n", "a:\r\n", "a:\r\r", "\r\r\n"] {
            let all =
                Diagnostics::new(Path::new("c.yaml"), text, vec![Fault::new(text.len()..text.len(), "end")]);
            assert!(all.render(true).contains("end"));
        }
    }

    #[test]
    fn a_users_text_cannot_drive_the_terminal() {
        assert_eq!(quoted("a\u{1b}[31mb"), "`a\\u{1b}[31mb`");
        assert_eq!(quoted(&"x".repeat(100)), format!("`{}…`", "x".repeat(60)));
    }
}
