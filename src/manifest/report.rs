//! Pure. What is wrong with a manifest, for programs: JSON, and the annotations of GitHub Actions.

use std::path::Path;

use serde_json::{Value, json};

use super::diagnostic::{Diagnostic, Diagnostics, Place};

/// An array with one object a fault, in the order of files and lines.
pub fn to_json(diagnostics: &Diagnostics) -> Value {
    diagnostics.list.iter().map(object).collect()
}

fn object(diagnostic: &Diagnostic) -> Value {
    let Diagnostic { place, message, help, other } = diagnostic;
    let (end_line, end_column) = place.end;
    let related: Vec<Value> = other.iter().map(|(place, label)| related(place, label)).collect();
    json!({
        "severity": "error",
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "end_line": end_line,
        "end_column": end_column,
        "message": message,
        "help": help,
        "related": related,
    })
}

fn related(place: &Place, label: &str) -> Value {
    json!({ "file": place.file, "line": place.line, "column": place.column, "message": label })
}

/// One workflow command a fault; files below `here` are named from there, as GitHub wants them.
pub fn to_github(diagnostics: &Diagnostics, here: &Path) -> String {
    diagnostics.list.iter().map(|diagnostic| command(diagnostic, here)).collect()
}

fn command(Diagnostic { place, message, help, other }: &Diagnostic, here: &Path) -> String {
    let file = property(&place.file.strip_prefix(here).unwrap_or(&place.file).to_string_lossy());
    let (end_line, end_column) = place.end;
    let columns = if end_line == place.line {
        format!(",col={},endColumn={end_column}", place.column)
    } else {
        format!(",col={}", place.column)
    };
    let other = other.iter().map(|(place, label)| {
        let file = place.file.strip_prefix(here).unwrap_or(&place.file);
        format!("{label}: {}:{}:{}", file.display(), place.line, place.column)
    });
    let lines: Vec<String> = std::iter::once(message.clone()).chain(help.clone()).chain(other).collect();
    format!(
        "::error file={file},line={},endLine={end_line}{columns}::{}\n",
        place.line,
        text(&lines.join("\n"))
    )
}

/// Text of a command, as GitHub escapes it.
fn text(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(value: &str) -> String {
    text(value).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::Fault;
    use super::*;

    fn diagnostics() -> Diagnostics {
        let fault = Fault::new(5..6, "100% wrong").help("mend it").other(0..1, "first here");
        Diagnostics::new(Path::new("/p/a,b/c.yaml"), "a: 1\na: 2\n", vec![fault])
    }

    #[test]
    fn programs_get_both_parties_and_the_remedy() {
        let expected = json!([{
            "severity": "error", "file": "/p/a,b/c.yaml", "line": 2, "column": 1, "end_line": 2, "end_column": 2,
            "message": "100% wrong", "help": "mend it",
            "related": [{"file": "/p/a,b/c.yaml", "line": 1, "column": 1, "message": "first here"}],
        }]);
        assert_eq!(to_json(&diagnostics()), expected);
    }

    #[test]
    fn an_annotation_cannot_be_broken_out_of() {
        let shown = to_github(&diagnostics(), Path::new("/p"));
        let expected = "::error file=a%2Cb/c.yaml,line=2,endLine=2,col=1,endColumn=2::\
                        100%25 wrong%0Amend it%0Afirst here: a,b/c.yaml:1:1\n";
        assert_eq!(shown, expected);
    }
}
