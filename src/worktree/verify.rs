//! Whether a checkout's `.git` is still what we made it: whatever can point git elsewhere is compared byte for byte.

use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::beneath::Beneath;
use super::record::{COMMONDIR, Record};

const MAX_ENTRIES: usize = 100_000;
const MAX_BYTES: u64 = 1 << 20;

/// What an agent changed that it must not have, in words.
pub fn verify(root: &Beneath, record: &Record) -> Vec<String> {
    match root.kind(Path::new(".git")) {
        Ok(Some(FileType::Directory)) => {}
        Ok(found) => return vec![format!("`.git` is not a directory but {found:?}")],
        Err(error) => return vec![error.to_string()],
    }
    let expected = [
        (".git/config", record.config.clone()),
        (".git/commondir", COMMONDIR.to_owned()),
        (".git/info/exclude", record.exclude_file()),
        (".git/objects/info/alternates", record.alternates()),
    ];
    let changed = expected.iter().filter_map(|(path, content)| differs(root, path, content));
    let hooks = root.list(Path::new(".git/hooks"), MAX_ENTRIES);
    let hooks = hooks
        .map(|found| found.unwrap_or_default().iter().map(|entry| entry.name.clone()).collect::<Vec<_>>());
    let hooks = match hooks {
        Ok(names) => names.iter().map(|name| format!("a hook `{}`", name.display())).collect(),
        Err(error) => vec![error.to_string()],
    };
    changed.chain(hooks).chain(links(root)).collect()
}

fn differs(root: &Beneath, path: &str, content: &str) -> Option<String> {
    match root.read(Path::new(path), MAX_BYTES) {
        Ok(Some(found)) if found == content.as_bytes() => None,
        Ok(Some(_)) => Some(format!("`{path}` was changed")),
        Ok(None) => Some(format!("`{path}` was removed")),
        Err(error) => Some(error.to_string()),
    }
}

/// Symlinks in `.git`, its object directories, and its `info`.
fn links(root: &Beneath) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![(PathBuf::from(".git"), 0)];
    while let Some((directory, depth)) = pending.pop() {
        let entries = match root.list(&directory, MAX_ENTRIES) {
            Ok(entries) => entries.unwrap_or_default(),
            Err(error) => return vec![error.to_string()],
        };
        for entry in entries {
            let path = directory.join(&entry.name);
            let inside = depth > 0 || entry.name == "objects" || entry.name == "info";
            match entry.kind {
                FileType::Symlink => found.push(format!("`{}` is a symbolic link", path.display())),
                FileType::Directory if inside && depth < 2 => pending.push((path, depth + 1)),
                _ => {}
            }
        }
    }
    found
}
