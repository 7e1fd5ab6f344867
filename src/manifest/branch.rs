//! Pure. Names of branches and revisions, by git's own rules (`git check-ref-format`).

use super::diagnostic::quoted;
use super::finding::Wrong;

/// A branch, or with `/` at its end the directory of one.
pub fn branch(text: &str) -> Result<(), Wrong> {
    let name = text.strip_suffix('/').unwrap_or(text);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !has_lock(part);
    let valid = name.len() <= 200
        && name != "HEAD"
        && name != "@"
        && !name.starts_with('-')
        && !text.starts_with("refs/")
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.chars().any(|letter| letter.is_control() || " ~^:?*[\\".contains(letter))
        && name.split('/').all(part);
    if valid {
        return Ok(());
    }
    let help = "such as `agents/login`, or `agents/` to have the session's name added";
    Err(Wrong::new(format!("{} is not a branch name that git takes", quoted(text))).help(help))
}

fn has_lock(part: &str) -> bool {
    part.as_bytes().ends_with(b".lock")
}

/// A revision to start from.
pub fn revision(text: &str) -> Result<(), Wrong> {
    let valid = !text.is_empty()
        && text.chars().count() <= 1024
        && !text.starts_with('-')
        && !text.contains("..")
        && !text.chars().any(|letter| letter.is_control() || letter.is_whitespace());
    if valid {
        return Ok(());
    }
    Err(Wrong::new(format!("{} is not a revision", quoted(text)))
        .help("a branch, a tag or a commit, such as `main`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_gits() {
        for text in ["main", "clauderon/", "a/b-c.d", "ünï", "a@b"] {
            assert!(branch(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "/",
            "a//b",
            "a//",
            "-a",
            "a..b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "[a",
            "a\\b",
            "a@{1}",
            "@",
            "HEAD",
            "a.",
            "refs/heads/a",
            "a\nb",
        ] {
            assert!(branch(text).is_err(), "{text}");
        }
    }

    #[test]
    fn revisions_are_no_options() {
        for text in ["main", "v1.0^{commit}", "HEAD~3", "0a1b2c"] {
            assert!(revision(text).is_ok(), "{text}");
        }
        for text in ["", "-x", "--upload-pack=x", "a b", "a..b"] {
            assert!(revision(text).is_err(), "{text}");
        }
    }
}
