//! Pure. No two sessions work on one branch, nor on branches that git cannot keep beside each other.

use std::collections::BTreeMap;
use std::path::Path;

use super::diagnostic::quoted;
use super::finding::Wrong;
use super::project::{Repository, Session};
use super::resolve::{Against, Broken};

/// The sessions whose branches collide with an earlier session's.
pub fn branches(sessions: &[Session]) -> Vec<(String, Broken)> {
    let mut taken: BTreeMap<(&Path, &str), &str> = BTreeMap::new();
    let mut broken = Vec::new();
    for session in sessions {
        let Some(Repository { path, branch, .. }) = &session.repository else { continue };
        let clash = taken
            .iter()
            .find(|((other_path, other), _)| *other_path == path.as_path() && collide(other, branch));
        match clash {
            Some(((_, other_branch), other)) => {
                broken.push((session.name.clone(), clashing((other, other_branch), (&session.name, branch))));
            }
            None => drop(taken.insert((path, branch), &session.name)),
        }
    }
    broken
}

fn clashing((other, other_branch): (&str, &str), (name, branch): (&str, &str)) -> Broken {
    let (name, quoted_other) = (quoted(name), quoted(other));
    let wrong = if other_branch == branch {
        Wrong::new(format!("the sessions {quoted_other} and {name} work on one branch, {}", quoted(branch)))
    } else {
        let (one, two) = (quoted(other_branch), quoted(branch));
        Wrong::new(format!("git cannot keep {one} of {quoted_other} and {two} of {name} beside each other"))
    };
    let wrong = wrong.help("a branch that ends in `/` has the session's name added");
    let keys = vec!["repository".to_owned(), "branch".to_owned()];
    let label = format!("the branch of {quoted_other}");
    let against = Against { session: Some(other.to_owned()), keys: keys.clone(), label };
    Broken { keys: vec![keys], wrong, against: Some(against) }
}

/// Whether two branches are the same, or one is the directory of the other.
fn collide(one: &str, two: &str) -> bool {
    let (short, long) = if one.len() < two.len() { (one, two) } else { (two, one) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_collide_as_files_do() {
        assert!(collide("a/b", "a/b") && collide("a", "a/b") && collide("a/b/c", "a/b"));
        assert!(!collide("a", "ab") && !collide("a/b", "a/c"));
    }
}
