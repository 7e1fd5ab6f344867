//! What a directory takes on the disk, whoever wrote it: no link followed, no file opened, a bounded number looked at.

use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::beneath::Beneath;

/// More is not looked at.
const MAX_ENTRIES: usize = 5_000_000;

/// What a tree takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Entries of all kinds.
    pub entries: usize,
    /// Whether something could not be looked at, so that it is more.
    pub partial: bool,
}

/// Measures a directory; nothing where there is none.
pub fn usage(directory: &Path) -> Usage {
    let mut usage = Usage::default();
    let Ok(root) = Beneath::open(directory) else {
        usage.partial = directory.symlink_metadata().is_ok();
        return usage;
    };
    let mut pending = vec![PathBuf::from(".")];
    while let Some(here) = pending.pop() {
        let Ok(entries) = root.list(&here, MAX_ENTRIES) else {
            usage.partial = true;
            continue;
        };
        for entry in entries.unwrap_or_default() {
            usage.entries += 1;
            usage.bytes = usage.bytes.saturating_add(entry.disk);
            if entry.kind == FileType::Directory {
                pending.push(here.join(entry.name));
            }
        }
        if usage.entries > MAX_ENTRIES {
            return Usage { partial: true, ..usage };
        }
    }
    usage
}
