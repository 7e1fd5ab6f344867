//! Pure. A `.env` file: `NAME=VALUE` lines, `export` in front allowed, comments, single quotes as they are, double
//! quotes with `\n`, `\t`, `\"`, `\\` and `\$`. Nothing is expanded: a value that named the shell's variables would
//! take them without anybody having been asked, which is also why no library reads it.

use std::collections::BTreeMap;

use super::diagnostic::Fault;

/// Reads all lines; of a name that stands twice the last counts, as in a shell.
pub fn read(text: &str) -> Result<BTreeMap<String, String>, Vec<Fault>> {
    let mut lines = Lines { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 } };
    let (mut variables, mut faults) = (BTreeMap::new(), Vec::new());
    while lines.at < text.len() {
        match lines.entry() {
            Ok(Some((name, value))) => drop(variables.insert(name, value)),
            Ok(None) => {}
            Err(fault) => {
                faults.push(fault);
                lines.skip();
            }
        }
    }
    if faults.is_empty() { Ok(variables) } else { Err(faults) }
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lines<'a> {
    /// The rest of the line, its end not included.
    fn line(&self) -> &'a str {
        self.text[self.at..].split('\n').next().unwrap_or_default().trim_end_matches('\r')
    }

    /// To the next line.
    fn skip(&mut self) {
        self.at = self.text[self.at..].find('\n').map_or(self.text.len(), |length| self.at + length + 1);
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.at..self.at + self.line().trim_end().len(), message)
    }

    fn entry(&mut self) -> Result<Option<(String, String)>, Fault> {
        let line = self.line();
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            self.skip();
            return Ok(None);
        }
        self.at += line.len() - trimmed.len();
        let pair = trimmed.strip_prefix("export ").unwrap_or(trimmed);
        let Some((name, value)) = pair.split_once('=') else {
            return Err(self.fault("this is no `NAME=VALUE`").help("a comment begins with `#`"));
        };
        let name = name.trim().to_owned();
        let valid = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        if name.is_empty() || !name.chars().all(valid) {
            // It may be a value with a `=` in it: no message repeats a text of this file.
            return Err(self
                .fault("what stands before `=` is no name of a variable")
                .help("letters, digits and `_`, such as `API_PORT`"));
        }
        let lead = value.len() - value.trim_start().len();
        self.at += trimmed.len() - value.len() + lead;
        let value = match value.trim_start().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.bare(),
        };
        self.skip();
        Ok(Some((name, value)))
    }

    /// To the end of the line or to a comment.
    fn bare(&self) -> String {
        let value = self.line();
        let comment =
            value.match_indices('#').find(|(at, _)| *at == 0 || value[..*at].ends_with([' ', '\t']));
        value[..comment.map_or(value.len(), |(at, _)| at)].trim_end().to_owned()
    }

    /// To the closing quote, which may stand on a later line.
    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        let mut value = String::new();
        let mut letters = self.text[self.at + 1..].char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                _ if letter == quote => {
                    self.at += 1 + at + 1;
                    let rest = self.line().trim();
                    if rest.is_empty() || rest.starts_with('#') {
                        return Ok(value);
                    }
                    return Err(self.fault("text after the closing quote").help("a comment begins with `#`"));
                }
                '\\' if quote == '"' => match letters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, same @ ('"' | '\\' | '$'))) => value.push(same),
                    Some((_, other)) => value.extend(['\\', other]),
                    None => {}
                },
                other => value.push(other),
            }
        }
        Err(self.fault("a quote that is never closed").help("close it, or write the value without quotes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_a_shell_reads_plain_assignments() {
        let text = "\u{feff}# head\nA=1\nexport B = two words  # note\r\nC='$A #x'\nD=\"a\\n\\\"b\\\" \\$c\"\n\nE=\nF=a#b\nG=x=y\nH='two\nlines' # end\nA=2\n  I=  i";
        let variables = read(text).unwrap();
        let expected = [
            ("A", "2"),
            ("B", "two words"),
            ("C", "$A #x"),
            ("D", "a\n\"b\" $c"),
            ("E", ""),
            ("F", "a#b"),
            ("G", "x=y"),
            ("H", "two\nlines"),
            ("I", "i"),
        ];
        let expected: BTreeMap<String, String> =
            expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(variables, expected);
    }

    #[test]
    fn every_wrong_line_is_told() {
        let text = "A\n1 2=x\nB='x' y\nOK=1\nC=\"never";
        let faults = read(text).unwrap_err();
        let places: Vec<&str> = faults.iter().map(|fault| &text[fault.span.clone()]).collect();
        assert_eq!(places, ["A", "1 2=x", " y", "\"never"]);
    }
}
