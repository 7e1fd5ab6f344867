//! Pure. Paths of the host, seen from the manifest, and paths in the container, with those that are clauderon's own.

use std::path::{Component, Path, PathBuf};

use super::diagnostic::quoted;
use super::finding::Wrong;

/// What clauderon or the engine puts into the container itself; these and all below them are taken.
const RESERVED: [&str; 8] = [
    "/etc/clauderon",
    "/run/clauderon",
    "/etc/claude-code",
    "/workspace/.clauderon",
    "/workspace/.git",
    "/workspace/.claude.json",
    "/workspace/.claude/projects",
    "/workspace/.codex",
];

/// Where engines keep their control sockets, and the names of those.
const SOCKETS: [&str; 3] = ["docker.sock", "podman.sock", "containerd.sock"];
const SOCKET_DIRECTORIES: [&str; 2] = ["/run/docker.sock", "/var/run/docker.sock"];

/// A path of the host: absolute, or from the directory of the manifest, or from the home directory with `~`.
pub fn host_path(text: &str, root: &Path, home: Option<&Path>) -> Result<PathBuf, Wrong> {
    if text.is_empty() {
        return Err(Wrong::new("an empty path").help("`.` is the manifest's own directory"));
    }
    let path = match text.strip_prefix('~') {
        None => root.join(text),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let home = home.ok_or_else(|| {
                Wrong::new(format!("{} needs a home directory, and none is known", quoted(text)))
                    .help("set `HOME`, or write the whole path")
            })?;
            home.join(rest.trim_start_matches('/'))
        }
        Some(_) => {
            let message = format!("{} names another user's home", quoted(text));
            return Err(Wrong::new(message).help("write the whole path; `./~name` is a file of that name"));
        }
    };
    Ok(clean(&path))
}

/// Takes `.` and `..` out of an absolute path by its words alone.
pub fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    cleaned
}

/// A path below a given directory of the host, such as a file to copy: relative, and not out of it.
pub fn inner_path(text: &str) -> Result<PathBuf, Wrong> {
    let mut inner = PathBuf::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(name) => inner.push(name),
            Component::CurDir => {}
            _ => {
                let wrong = Wrong::new(format!("{} leads out of its directory", quoted(text)));
                return Err(wrong.help("a path inside of it, without `..` and without `/` in front"));
            }
        }
    }
    if inner.as_os_str().is_empty() {
        return Err(Wrong::new(format!("{} names no file", quoted(text))));
    }
    Ok(inner)
}

/// A path in the container at which something may be mounted.
pub fn container_path(text: &str) -> Result<String, Wrong> {
    if !text.starts_with('/') {
        let message = format!("{} is not an absolute path in the container", quoted(text));
        return Err(Wrong::new(message).help("such as `/workspace/data`"));
    }
    if text.chars().any(char::is_control) || text.split('/').any(|part| part == "..") {
        let wrong = Wrong::new(format!("{} has a `..` or a control character in it", quoted(text)));
        return Err(wrong.help("write the whole path without them"));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let path = format!("/{}", parts.join("/"));
    if path == "/workspace" || path == "/" {
        let help = "mount below it, or name the repository with `repository`";
        return Err(Wrong::new(format!("{} is the session's own", quoted(&path))).help(help));
    }
    match RESERVED.iter().find(|reserved| Path::new(&path).starts_with(reserved)) {
        Some(reserved) => {
            let message = format!("{} is reserved: clauderon keeps `{reserved}` itself", quoted(&path));
            Err(Wrong::new(message).help("choose another path"))
        }
        None => Ok(path),
    }
}

/// Refuses what would hand the engine to the agent.
pub fn not_the_engine(source: &Path) -> Result<(), Wrong> {
    let is_socket = source.file_name().is_some_and(|name| SOCKETS.iter().any(|socket| name == *socket));
    if is_socket || SOCKET_DIRECTORIES.iter().any(|socket| Path::new(socket).starts_with(source)) {
        let message = format!("{} holds the engine's socket", quoted(&source.to_string_lossy()));
        return Err(Wrong::new(message).help("who has the engine has the host, so it is never mounted"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_paths_are_seen_from_the_manifest() {
        let (root, home) = (Path::new("/p/shop"), Some(Path::new("/home/me")));
        for (text, expected) in [
            (".", "/p/shop"),
            ("./a/../b", "/p/shop/b"),
            ("../other", "/p/other"),
            ("/etc/x/", "/etc/x"),
            ("~", "/home/me"),
            ("~/ca.pem", "/home/me/ca.pem"),
            ("~//etc", "/home/me/etc"),
            ("../../../..", "/"),
        ] {
            assert_eq!(host_path(text, root, home).unwrap(), Path::new(expected), "{text}");
        }
        assert!(host_path("~other/x", root, home).is_err());
        assert!(host_path("~", root, None).is_err());
        assert!(host_path("", root, home).is_err());
    }

    #[test]
    fn reserved_targets_are_refused_however_they_are_spelled() {
        for text in [
            "/workspace",
            "/workspace/",
            "//workspace/.",
            "/",
            "/workspace/.git",
            "/workspace//.git/hooks",
            "/workspace/.codex/",
            "/workspace/.claude/projects/x",
            "/workspace/.claude.json",
            "/etc/clauderon/proxy-ca.pem",
            "/run/./clauderon",
            "/data/../workspace",
            "data",
            "",
        ] {
            assert!(container_path(text).is_err(), "{text}");
        }
        for text in ["/workspace/.gitignore", "/workspace/.claude/skills", "/etc/clauderon-more", "/data"] {
            assert_eq!(container_path(text).unwrap(), text);
        }
        assert_eq!(container_path("/data//x/./").unwrap(), "/data/x");
    }

    #[test]
    fn the_engine_is_never_mounted() {
        for source in ["/var/run/docker.sock", "/run", "/", "/var", "/run/user/1000/podman/podman.sock"] {
            assert!(not_the_engine(Path::new(source)).is_err(), "{source}");
        }
        assert!(not_the_engine(Path::new("/run/user")).is_ok());
    }
}
