//! Pure. No two sessions work on one branch of a repository, nor on branches that git cannot keep beside each other:
//! a branch is a file, and what stands before a `/` in its name a directory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::path::Path;

use super::diagnostic::quoted;
use super::finding::Wrong;
use super::project::{Repository, Session};

/// Branches by name, each with its session.
type Taken<'a> = BTreeMap<&'a str, &'a str>;

/// The sessions whose branch clashes with that of an earlier one, and how.
pub fn clashes(sessions: &[Session]) -> Vec<(&str, Wrong)> {
    let mut repositories: HashMap<&Path, Taken<'_>> = HashMap::new();
    let mut clashes = Vec::new();
    for session in sessions {
        let Some(Repository { path, branch, .. }) = &session.repository else { continue };
        let taken = repositories.entry(path).or_default();
        if let Some((other_branch, other)) = clash(taken, branch) {
            let (name, other) = (quoted(&session.name), quoted(other));
            let wrong = if other_branch == branch {
                Wrong::new(format!("the sessions {other} and {name} work on one branch, {}", quoted(branch)))
            } else {
                let (one, two) = (quoted(other_branch), quoted(branch));
                Wrong::new(format!("git cannot keep {one} of {other} and {two} of {name} beside each other"))
            };
            let wrong = wrong.help("a branch that ends in `/` has the session's name added");
            clashes.push((session.name.as_str(), wrong));
        } else {
            taken.insert(branch, &session.name);
        }
    }
    clashes
}

/// The branch that is a directory of this one, the same, or inside it.
fn clash<'a>(taken: &Taken<'a>, branch: &str) -> Option<(&'a str, &'a str)> {
    let slashes = branch.match_indices('/').map(|(at, _)| at);
    let above = slashes.chain([branch.len()]).find_map(|end| taken.get_key_value(&branch[..end]));
    let inside = format!("{branch}/");
    let from = (Bound::Included(inside.as_str()), Bound::Unbounded);
    let below = taken.range::<str, _>(from).next().filter(|(other, _)| other.starts_with(&inside));
    above.or(below).map(|(branch, session)| (*branch, *session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_clash_as_files_do() {
        let clashing = |one: &str, two: &str| clash(&Taken::from([(one, "s")]), two).is_some();
        for (one, two) in [("a/b", "a/b"), ("a", "a/b"), ("a/b/c", "a/b"), ("a/b/c", "a")] {
            assert!(clashing(one, two) && clashing(two, one), "{one} and {two}");
        }
        for (one, two) in [("a", "ab"), ("a/b", "a/c"), ("a-b/c", "a"), ("a/b", "a-b")] {
            assert!(!clashing(one, two) && !clashing(two, one), "{one} and {two}");
        }
        let many = Taken::from([("a-b", "s"), ("a/b", "s"), ("a0", "s")]);
        assert_eq!(clash(&many, "a"), Some(("a/b", "s")));
    }
}
