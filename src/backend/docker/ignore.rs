//! Pure. What a `.dockerignore` keeps out of a build's context, by the rules of Docker's own clients
//! (moby/patternmatcher, as of 2025). They differ from git's: a pattern is anchored at the context's root, the last
//! line that matches a path or one of the directories above it decides, and `**x` ends a name where `**/x` is one.

/// The patterns of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    again: bool,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This character.
    Literal(char),
    /// Any character but `/`: `?`.
    One,
    /// Any characters but `/`: `*`.
    Star,
    /// Any characters, `/` too: `**` at an end.
    All,
    /// Nothing, or any directories and their last `/`: `**/`.
    Directories,
    /// One of these ranges, or none of them.
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// A line that is no pattern.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{text}` is no pattern")]
pub struct Invalid {
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

impl Ignore {
    /// Reads the file.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut patterns = Vec::new();
        for (number, line) in text.lines().enumerate() {
            // A comment begins the line: one with blanks before it is a pattern.
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let invalid = || Invalid { line: number + 1, text: line.trim().to_owned() };
            let (again, written) = match line.trim().strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line.trim()),
            };
            let path = clean(written);
            if written.is_empty() {
                return Err(invalid());
            }
            patterns.push(Pattern { again, tokens: tokens(&path).ok_or_else(invalid)? });
        }
        Ok(Self { patterns })
    }

    /// What stays out where no file takes it in again: values that are nobody's but the user's.
    pub fn usual() -> Self {
        Self::parse("**/.env\n**/.git/config\n").unwrap_or_default()
    }

    /// These patterns after those.
    #[must_use]
    pub fn after(self, mut first: Self) -> Self {
        first.patterns.extend(self.patterns);
        first
    }

    /// Takes a path of the context in again, whatever the file says.
    pub fn keep(&mut self, path: &str) {
        let tokens = clean(path).chars().map(Token::Literal).collect();
        self.patterns.push(Pattern { again: true, tokens });
    }

    /// Whether a path, relative and with `/`, stays out.
    pub fn excludes(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let above: Vec<&str> = ends.map(|end| &path[..end]).collect();
        let mut out = false;
        for pattern in &self.patterns {
            // One that would change nothing is not looked at.
            if pattern.again == out && above.iter().any(|path| matches(&pattern.tokens, path)) {
                out = !pattern.again;
            }
        }
        out
    }

    /// Whether something below a directory that stays out may be taken in again.
    pub fn may_keep_below(&self, directory: &str) -> bool {
        let mut again = self.patterns.iter().filter(|pattern| pattern.again);
        again.any(|pattern| {
            let literal = |token: &Token| match token {
                Token::Literal(character) => Some(*character),
                _ => None,
            };
            let head: String = pattern.tokens.iter().map_while(literal).collect();
            let whole = head.chars().count() == pattern.tokens.len();
            head.starts_with(&format!("{directory}/"))
                || (!whole && format!("{directory}/").starts_with(&head))
        })
    }
}

/// The path without `.`, without `..` where something stands before it, without doubled, leading or trailing `/`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars().peekable();
    // `**x` without further signs is an ending: Docker compares it so, though in the middle it means directories.
    let plain = |text: &str| !text.contains(['*', '?', '[', ']', '\\']);
    if let Some(ending) =
        pattern.strip_prefix("**").filter(|ending| !ending.starts_with('/') && plain(ending))
    {
        tokens.push(Token::All);
        tokens.extend(ending.chars().map(Token::Literal));
        return Some(tokens);
    }
    while let Some(character) = rest.next() {
        tokens.push(match character {
            '*' if rest.next_if_eq(&'*').is_some() => {
                rest.next_if_eq(&'/');
                if rest.peek().is_none() { Token::All } else { Token::Directories }
            }
            '*' => Token::Star,
            '?' => Token::One,
            '\\' => Token::Literal(rest.next()?),
            '[' => class(&mut rest)?,
            character => Token::Literal(character),
        });
    }
    Some(tokens)
}

/// What follows a `[`.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let first = match rest.next()? {
            ']' if ranges.is_empty() => return None,
            ']' => return Some(Token::Class { negated, ranges }),
            '-' => return None,
            '\\' => rest.next()?,
            first => first,
        };
        let last = match rest.next_if_eq(&'-') {
            None => first,
            Some(_) => match rest.next()? {
                ']' | '-' => return None,
                '\\' => rest.next()?,
                last => last,
            },
        };
        if last < first {
            return None;
        }
        ranges.push((first, last));
    }
}

/// Whether the tokens match the whole path: all ways at once, so that no pattern takes long.
fn matches(tokens: &[Token], path: &str) -> bool {
    let mut places = Places(vec![false; tokens.len() + 1]);
    places.enter(tokens, 0);
    for character in path.chars() {
        let before = std::mem::replace(&mut places, Places(vec![false; tokens.len() + 1]));
        for (at, token) in tokens.iter().enumerate().filter(|(at, _)| before.0[*at]) {
            match token {
                Token::Literal(wanted) if character == *wanted => places.enter(tokens, at + 1),
                Token::One if character != '/' => places.enter(tokens, at + 1),
                Token::Star if character != '/' => places.enter(tokens, at),
                Token::All => places.enter(tokens, at),
                Token::Directories => {
                    // Within a directory's name: what follows can begin only behind a `/`.
                    places.0[at] = true;
                    if character == '/' {
                        places.enter(tokens, at + 1);
                    }
                }
                Token::Class { negated, ranges }
                    if *negated
                        != ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) =>
                {
                    places.enter(tokens, at + 1);
                }
                _ => {}
            }
        }
    }
    places.0[tokens.len()]
}

/// The tokens that may come next.
struct Places(Vec<bool>);

impl Places {
    fn enter(&mut self, tokens: &[Token], at: usize) {
        self.0[at] = true;
        if matches!(tokens.get(at), Some(Token::Star | Token::All | Token::Directories)) {
            self.enter(tokens, at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(file, path, whether it stays out)`.
    const TABLE: &[(&str, &str, bool)] = &[
        // Anchored at the root; a directory's content goes with it.
        ("secret", "secret", true),
        ("secret", "a/secret", false),
        ("secret", "secrets", false),
        ("/secret/", "secret/key", true),
        ("./a/../b", "b", true),
        ("a//b", "a/b/c", true),
        ("..", "a", false),
        // `*` and `?` stay within a name.
        ("*.pem", "ca.pem", true),
        ("*.pem", "a/ca.pem", false),
        ("*/temp*", "a/temporary.txt", true),
        ("*/*/temp*", "a/b/temp", true),
        ("temp?", "temp1", true),
        ("temp?", "temp/", false),
        ("*", "a/b/c", true),
        // `**` crosses directories.
        ("**", "a/b", true),
        ("**/*.key", "a.key", true),
        ("**/*.key", "a/b/c.key", true),
        ("**/foo", "foo", true),
        ("**/foo", "barfoo", false),
        ("**/foo", "a/foo/x", true),
        ("**foo", "barfoo", true),
        ("a/**/b", "a/b", true),
        ("a/**/b", "a/x/y/b", true),
        ("a/**/b", "a/xb", false),
        ("a/**", "a/x", true),
        ("a/**", "a", false),
        ("a/**/*", "a/x/y", true),
        ("**/.env*", "deep/er/.env.local", true),
        // The last line that matches decides.
        ("*.md\n!README.md", "README.md", false),
        ("*.md\n!README.md", "OTHER.md", true),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false),
        ("dir\n!dir/keep", "dir/keep", false),
        ("dir\n!dir/keep", "dir/other", true),
        ("dir\n!dir/keep", "dir/keep/below", false),
        ("*\n!src\n", "src/main.rs", false),
        ("*\n!src\n**/*.pem", "src/ca.pem", true),
        ("!a\na", "a", true),
        ("dir\n! dir/keep", "dir/keep", false),
        // Comments, blanks, byte order mark, line ends.
        ("# a\n\n  b  \n", "b", true),
        ("#a", "#a", false),
        ("\\#a", "#a", true),
        ("\u{feff}a", "a", true),
        ("a\r\nb\r\n", "a", true),
        // Classes and escapes; what means something elsewhere means itself.
        ("[a-c]x", "bx", true),
        ("[^a-c]x", "bx", false),
        ("[^a-c]x", "dx", true),
        ("\\*", "*", true),
        ("\\*", "a", false),
        ("a.b", "axb", false),
        ("(a|b)+$", "(a|b)+$", true),
        ("{a,b}", "a", false),
        ("päß?", "päßü", true),
    ];

    #[test]
    fn paths_stay_out_as_with_docker() {
        for (file, path, out) in TABLE {
            let ignore = Ignore::parse(file).unwrap();
            assert_eq!(ignore.excludes(path), *out, "{file:?} on {path:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_said_with_its_line() {
        for text in ["!", "[", "[a", "[]", "[b-a]", "a\\"] {
            let invalid = Invalid { line: 2, text: text.to_owned() };
            assert_eq!(Ignore::parse(&format!("ok\n{text}")), Err(invalid));
        }
    }

    #[test]
    fn a_directory_is_entered_where_something_below_may_be_taken_in_again() {
        for (file, directory, enter) in [
            ("a", "a", false),
            ("a\n!a/b/c", "a", true),
            ("a\n!a/b/c", "a/b", true),
            ("a\n!ab", "a", false),
            ("a\n!**/x", "a", true),
            ("a\n!a/*", "a", true),
            ("a\n!b/*", "a", false),
            ("a\n!a/b*", "a/c", false),
        ] {
            assert_eq!(
                Ignore::parse(file).unwrap().may_keep_below(directory),
                enter,
                "{file:?} on {directory:?}"
            );
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        let ignore = Ignore::parse(&"**/*a".repeat(200)).unwrap();
        let start = std::time::Instant::now();
        assert!(!ignore.excludes(&"a/".repeat(150)));
        assert!(start.elapsed().as_secs() < 5);
    }
}
