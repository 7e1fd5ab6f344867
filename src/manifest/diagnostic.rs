//! Pure. What is wrong with a manifest, each fault with its place, and how all of them look in a terminal.

use std::cell::Cell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, Title};

/// Faults shown of one manifest at most.
const MAX_SHOWN: usize = 100;
/// Bytes of source lines that are shown at most, beside the first.
const MAX_SOURCE: usize = 64 * 1024;
/// Bytes that are underlined at most, and shown behind.
const MAX_UNDERLINED: usize = 400;
/// Characters of a user's own text that a message repeats.
const MAX_QUOTED: usize = 60;

/// A fault at a place of one text, not yet tied to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The bytes it concerns.
    pub span: Range<usize>,
    /// What is wrong: lower case, names in backticks, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The other party, where two are at odds.
    pub other: Option<Other>,
}

/// The other party of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Which text it stands in; `None` is that of the fault.
    pub text: Option<usize>,
    /// Its bytes.
    pub span: Range<usize>,
    /// What it is, such as `first here`.
    pub label: String,
}

impl Fault {
    /// A fault without a remedy.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None, other: None }
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the other party, in the same text.
    #[must_use]
    pub fn other(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.other = Some(Other { text: None, span, label: label.into() });
        self
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of the texts.
    pub text: usize,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes.
    pub span: Range<usize>,
    /// Where it ends, as a line and a column.
    pub end: (usize, usize),
}

/// A fault in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where the other party stands, and what it is.
    pub other: Option<(Place, String)>,
}

/// All that is wrong with one manifest, file by file in the order of their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// The files and their texts, but for those that nobody is shown.
    pub texts: Vec<(PathBuf, Option<String>)>,
    /// The faults; never empty.
    pub list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Ties the faults of one text to its file.
    pub fn new(file: &Path, text: &str, faults: Vec<Fault>) -> Self {
        let faults = faults.into_iter().map(|fault| (0, fault)).collect();
        Self::of(vec![(file.to_owned(), text.to_owned())], faults)
    }

    /// The same of a file that may hold secrets: its text is told to nobody, only where in it something is wrong.
    pub fn of_secrets(file: &Path, text: &str, faults: Vec<Fault>) -> Self {
        let mut told = Self::new(file, text, faults);
        told.texts = vec![(file.to_owned(), None)];
        told
    }

    /// Ties faults, each with the number of its text, to files, sorted by place.
    pub fn of(texts: Vec<(PathBuf, String)>, mut faults: Vec<(usize, Fault)>) -> Self {
        faults.sort_by(|(a_text, a), (b_text, b)| {
            (a_text, a.span.start, a.span.end, &a.message).cmp(&(
                b_text,
                b.span.start,
                b.span.end,
                &b.message,
            ))
        });
        faults.dedup();
        let lines: Vec<Lines> = texts.iter().map(|(_, text)| Lines::new(text)).collect();
        let place = |text: usize, span: Range<usize>| {
            let ((line, column), end) = (lines[text].place(span.start), lines[text].place(span.end));
            Place { text, file: texts[text].0.clone(), line, column, span, end }
        };
        let list = faults
            .into_iter()
            .map(|(text, Fault { span, message, help, other })| Diagnostic {
                place: place(text, span),
                message,
                help,
                other: other.map(|other| (place(other.text.unwrap_or(text), other.span), other.label)),
            })
            .collect();
        Self { texts: texts.into_iter().map(|(file, text)| (file, Some(text))).collect(), list }
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
            source += self.line_around(&diagnostic.place).1.len();
            (index == 0 || source <= MAX_SOURCE).then_some(diagnostic)
        })
    }

    fn render_one(&self, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        let place = &diagnostic.place;
        let title = Level::ERROR.primary_title(diagnostic.message.as_str());
        let mut report = vec![if self.text(place).is_some() {
            self.excerpt(diagnostic, title)
        } else {
            let origin = Origin::path(place.file.to_string_lossy());
            title.element(origin.line(place.line).char_column(place.column))
        }];
        if let Some(help) = &diagnostic.help {
            report.push(Group::with_title(Level::HELP.secondary_title(help.as_str())));
        }
        renderer.render(&report)
    }

    /// The lines that a fault concerns, underlined.
    fn excerpt<'a>(&'a self, diagnostic: &'a Diagnostic, title: Title<'a>) -> Group<'a> {
        let place = &diagnostic.place;
        let within = self.within(place);
        let beside = diagnostic
            .other
            .as_ref()
            .filter(|(other, _)| (other.text, other.line) == (place.text, place.line));
        let end = beside.map_or(within.end, |(other, _)| within.end.max(self.within(other).end));
        let mut snippet = self.snippet(place, end).annotation(AnnotationKind::Primary.span(within));
        let mut apart = None;
        if let Some((other, label)) = &diagnostic.other {
            let span = self.within(other);
            let end = span.end;
            let annotation = AnnotationKind::Context.span(span).label(label.as_str());
            if beside.is_some() {
                snippet = snippet.annotation(annotation);
            } else {
                apart = Some(self.snippet(other, end).annotation(annotation));
            }
        }
        let group = title.element(snippet);
        match apart {
            Some(apart) => group.element(apart),
            None => group,
        }
    }

    /// The text that a place lies in, where that may be shown.
    fn text(&self, place: &Place) -> Option<&str> {
        self.texts[place.text].1.as_deref()
    }

    fn snippet(&self, place: &Place, up_to: usize) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let path = self.texts[place.text].0.to_string_lossy();
        // Of a very long line, what stands before the fault is needed to count its column, and little behind it.
        let line = self.line_around(place).1;
        let line = &line[..line.floor_char_boundary(up_to + MAX_UNDERLINED)];
        // Some terminals obey these; the renderer makes only the other control characters harmless.
        let line = line.replace(|letter| matches!(letter, '\u{80}'..='\u{9f}'), "\u{b7}");
        Snippet::source(line).line_start(place.line).path(path)
    }

    /// The bytes of a place within its line. A fault can lie in the line end, which is not shown.
    fn within(&self, place: &Place) -> Range<usize> {
        let (start, line) = self.line_around(place);
        let from = (place.span.start - start).min(line.len());
        let to = place.span.end.saturating_sub(start).clamp(from, line.len().max(from));
        from..line.floor_char_boundary(to.min(from + MAX_UNDERLINED)).max(from)
    }

    /// The line that holds a place, and where it starts.
    fn line_around(&self, place: &Place) -> (usize, &str) {
        let Some(text) = self.text(place) else { return (place.span.start, "") };
        let at = place.span.start;
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
        (start, text[start..end].trim_end_matches('\r'))
    }
}

/// Where the lines of a text begin, and the place that was asked for last: a long line is not counted anew each time.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    last: Cell<(usize, usize)>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(starts).collect(), last: Cell::new((0, 1)) }
    }

    /// Line and column of a byte, from 1.
    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        let (from, before) = match self.last.get() {
            (last, column) if (start..=at).contains(&last) => (last, column),
            _ => (start, 1),
        };
        let column = before + self.text[from..at].chars().count();
        self.last.set((at, column));
        (line, column)
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
    format!("`{}`", escaped(&shown))
}

/// A text without what would disturb a terminal.
pub(super) fn escaped(text: &str) -> String {
    let letters = text.chars().flat_map(|letter| match letter {
        '"' | '\'' | '\\' => vec![letter],
        other => other.escape_debug().collect(),
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_lines() {
        let text = "a: 1\nü: {é: 2}\n";
        let at = text.find('é').unwrap();
        let all = Diagnostics::new(Path::new("/p/c.yaml"), text, vec![Fault::new(at..at + 2, "wrong")]);
        assert_eq!((all.list[0].place.line, all.list[0].place.column, all.list[0].place.end), (2, 5, (2, 6)));
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
