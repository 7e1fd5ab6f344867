//! The house rules that a reader of the sources can check.

use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in ["src", "tests", "examples"] {
        sources(&root.join(directory), &mut found);
    }
    assert!(found.len() > 50, "the sources were not found");
    found
        .into_iter()
        .map(|path| (path.strip_prefix(root).unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The text before the unit tests.
fn program(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

#[test]
fn every_file_opens_with_what_it_is() {
    for (path, text) in all() {
        assert!(text.starts_with("//!"), "{} does not begin with `//!`", path.display());
    }
}

#[test]
fn the_pure_core_does_no_io() {
    let mut pure = 0;
    for (path, text) in all() {
        let core =
            ["src/manifest", "src/agent", "src/render", "src/plan"].iter().any(|ring| path.starts_with(ring));
        if !text.starts_with("//! Pure.")
            && (!core || path.components().any(|part| part.as_os_str() == "source"))
        {
            continue;
        }
        pure += 1;
        for banned in [
            "tokio",
            "std::fs",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "UnixStream",
            "ToSocketAddrs",
            "std::process",
            "std::env",
            "std::time::",
            "crate::fs",
            "async fn",
            "SystemTime",
            "Instant",
            "crate::backend",
            "crate::daemon",
            "crate::store::Writer",
            "crate::store::Reader",
            "crate::worktree",
            "crate::apply",
            "crate::cli",
        ] {
            let code = program(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
            let found = code.filter(|line| line.contains(banned)).collect::<Vec<_>>();
            assert!(found.is_empty(), "{} is pure and names `{banned}`: {found:?}", path.display());
        }
    }
    assert!(pure >= 20, "only {pure} pure files were found");
}

#[test]
fn nothing_is_left_unfinished() {
    for (path, text) in all() {
        if path.ends_with("tidy.rs") {
            continue;
        }
        for mark in ["todo!(", "unimplemented!(", "dbg!(", "FIXME", "#[ignore"] {
            assert!(!text.contains(mark), "{} holds `{mark}`", path.display());
        }
    }
}

#[test]
fn every_test_file_is_part_of_the_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let main = std::fs::read_to_string(root.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|extension| extension == "rs") && name != "main" {
            assert!(main.contains(&format!("mod {name};")), "tests/{name}.rs is compiled by nobody");
        }
    }
}
