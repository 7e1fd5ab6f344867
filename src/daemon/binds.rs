//! Whether what a container mounts still leads where it led when it was made. The engine looks a source up by its name at
//! every start, as root.

use crate::plan::observed::Container;
use std::path::{Path, PathBuf};

/// The first of a container's sources that leads elsewhere now, and where to.
pub fn moved(container: &Container) -> Option<(PathBuf, PathBuf)> {
    let sources: Vec<PathBuf> = serde_json::from_str(container.label("binds")).unwrap_or_default();
    sources.into_iter().map(|source| (source.clone(), real(&source))).find(|(source, now)| source != now)
}

/// Where a path leads now, links followed; one that leads nowhere stays as it is written.
pub fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
