//! Pure. What a commit or a tree names, read from bytes that a hostile agent may have written.

use git2::{ObjectType, Oid};

/// An object that another names, and what it has to be.
pub type Child = (Oid, ObjectType);

/// Why an object is not let into the user's repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Bytes that are no commit or tree.
    #[error("a malformed {0}")]
    Object(&'static str),
    /// A tree entry that would be written where it must not.
    #[error("a tree entry named `{0}`")]
    Name(String),
    /// A tree entry of a mode that git does not know.
    #[error("a tree entry of mode `{0}`")]
    Mode(String),
}

const OID: usize = 20;

/// What an object names.
pub fn children(kind: ObjectType, data: &[u8]) -> Result<Vec<Child>, Malformed> {
    match kind {
        ObjectType::Commit => commit(data),
        ObjectType::Tree => tree(data),
        _ => Ok(Vec::new()),
    }
}

fn commit(data: &[u8]) -> Result<Vec<Child>, Malformed> {
    let malformed = Malformed::Object("commit");
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut named = Vec::new();
    let tree = lines.next().and_then(|line| header(line, b"tree ")).ok_or_else(|| malformed.clone())?;
    named.push((tree, ObjectType::Tree));
    let mut line = lines.next().unwrap_or_default();
    while line.starts_with(b"parent ") {
        let parent = header(line, b"parent ").ok_or_else(|| malformed.clone())?;
        named.push((parent, ObjectType::Commit));
        line = lines.next().unwrap_or_default();
    }
    let committer = lines.next().unwrap_or_default();
    if line.starts_with(b"author ") && committer.starts_with(b"committer ") && !data.contains(&0) {
        return Ok(named);
    }
    Err(malformed)
}

fn header(line: &[u8], key: &[u8]) -> Option<Oid> {
    let hex = line.strip_prefix(key)?;
    (hex.len() == 2 * OID).then(|| std::str::from_utf8(hex).ok().and_then(|hex| Oid::from_str(hex).ok()))?
}

fn tree(mut data: &[u8]) -> Result<Vec<Child>, Malformed> {
    let malformed = || Malformed::Object("tree");
    let mut named = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    while !data.is_empty() {
        let space = data.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
        let (mode, rest) = (&data[..space], &data[space + 1..]);
        let end = rest.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
        let name = &rest[..end];
        let id = rest.get(end + 1..end + 1 + OID).ok_or_else(malformed)?;
        data = &rest[end + 1 + OID..];
        check_name(name, mode == b"120000")?;
        let mut key = name.to_vec();
        if mode == b"40000" {
            key.push(b'/');
        }
        if last >= key {
            return Err(malformed());
        }
        last = key;
        let id = Oid::from_bytes(id).map_err(|_| malformed())?;
        match mode {
            b"40000" => named.push((id, ObjectType::Tree)),
            b"100644" | b"100755" | b"100664" | b"120000" => named.push((id, ObjectType::Blob)),
            b"160000" => {}
            _ => return Err(Malformed::Mode(String::from_utf8_lossy(mode).into_owned())),
        }
    }
    Ok(named)
}

fn check_name(name: &[u8], symlink: bool) -> Result<(), Malformed> {
    let refused = Malformed::Name(String::from_utf8_lossy(name).into_owned());
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
        return Err(refused);
    }
    let folded = fold(name);
    let is_git = folded == ".git" || folded == "git~1";
    if is_git || (symlink && folded == ".gitmodules") { Err(refused) } else { Ok(()) }
}

/// The name as a file system that folds case, ignores some code points or cuts tails would take it.
fn fold(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let text = text.split([':', '\\']).next().unwrap_or_default();
    let ignored = |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let kept: String = text.chars().filter(|c| !ignored(*c)).collect();
    kept.trim_end_matches([' ', '.']).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(mode: &str, name: &[u8]) -> Vec<u8> {
        [mode.as_bytes(), b" ", name, b"\0", &[7; OID]].concat()
    }

    #[test]
    fn names_that_would_land_in_the_git_directory_are_refused() {
        let names =
            [".git", ".GIT", ".Git", ".git ", ".git.", ".g\u{200c}it", "git~1", ".git::$INDEX_ALLOCATION"];
        for name in names.into_iter().chain(["..", ".", "", "a/b", ".git\\x"]) {
            let refused = children(ObjectType::Tree, &entry("40000", name.as_bytes()));
            assert!(matches!(refused, Err(Malformed::Name(_))), "{name:?}: {refused:?}");
        }
        for name in [".gitignore", ".github", "git", "..x", ".gitmodules", "ünïcode"] {
            assert!(children(ObjectType::Tree, &entry("100644", name.as_bytes())).is_ok(), "{name:?}");
        }
        assert!(children(ObjectType::Tree, &entry("120000", b".gitmodules")).is_err());
    }

    #[test]
    fn unsorted_and_doubled_entries_and_odd_modes_are_refused() {
        let join = |a: &[u8], b: &[u8]| [entry("100644", a), entry("100644", b)].concat();
        assert!(children(ObjectType::Tree, &join(b"a", b"b")).is_ok());
        assert!(children(ObjectType::Tree, &join(b"b", b"a")).is_err());
        assert!(children(ObjectType::Tree, &join(b"a", b"a")).is_err());
        assert!(children(ObjectType::Tree, &entry("107777", b"a")).is_err());
        assert!(children(ObjectType::Tree, &entry("160000", b"a")).expect("a gitlink").is_empty());
    }

    #[test]
    fn cut_objects_are_errors_and_never_panics() {
        let id = "0123456789012345678901234567890123456789";
        let whole = format!("tree {id}\nparent {id}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n");
        assert_eq!(children(ObjectType::Commit, whole.as_bytes()).expect("whole").len(), 2);
        for end in 0..whole.find("committer").expect("there") + 9 {
            assert!(children(ObjectType::Commit, &whole.as_bytes()[..end]).is_err(), "{end}");
        }
        let tree = entry("100644", b"name");
        for end in 1..tree.len() {
            assert!(children(ObjectType::Tree, &tree[..end]).is_err(), "{end}");
        }
    }
}
