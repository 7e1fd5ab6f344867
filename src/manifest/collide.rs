//! Pure. No two sessions work on one branch of a repository, nor on branches that git cannot keep beside each other:
//! a branch is a file, and what stands before a `/` in its name a directory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::path::Path;

use super::check::MAX_FOUND;
use super::diagnostic::quoted;
use super::finding::Wrong;
use super::project::{Repository, Session};
use super::resolve::{Against, Broken};

/// Branches by name, each with its session.
type Taken<'a> = BTreeMap<&'a str, &'a str>;

/// The sessions whose branches collide with an earlier session's.
pub fn branches(sessions: &[Session]) -> Vec<(String, Broken)> {
    let mut repositories: HashMap<&Path, Taken<'_>> = HashMap::new();
    let mut broken = Vec::new();
    for session in sessions {
        if broken.len() >= MAX_FOUND {
            break;
        }
        let Some(Repository { path, branch, .. }) = &session.repository else { continue };
        let taken = repositories.entry(path).or_default();
        match clash(taken, branch) {
            Some((other_branch, other)) => {
                broken.push((session.name.clone(), clashing((other, other_branch), (&session.name, branch))));
            }
            None => drop(taken.insert(branch, &session.name)),
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
