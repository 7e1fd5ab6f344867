//! Reads a credential's value from where it is. What goes wrong is told without any of what was read.

use crate::manifest::project::Source;
use crate::secret::Secret;
use serde_json::Value;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// The largest file or output that is read.
const LARGEST: u64 = 1 << 20;
/// The longest value: it has to fit a header.
const LONGEST: usize = 16 << 10;
/// How long 1Password may take; it may ask a person.
const OP: u64 = 60;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
    length: u64,
}

/// The state of a file now.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let data = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: (data.mtime(), data.mtime_nsec()),
        changed: (data.ctime(), data.ctime_nsec()),
        inode: data.ino(),
        length: data.len(),
    })
}

/// A file's text. Nothing is waited for: a pipe or a device is no file.
pub(super) fn text(path: &Path) -> Result<Secret<String>, String> {
    let told = |error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let flags = i32::try_from(flags).unwrap_or_default();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(told)?;
    if !file.metadata().map_err(told)?.is_file() {
        return Err(format!("`{}` is no file", path.display()));
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(told)?;
    Ok(Secret::new(text))
}

/// A file as the value that it holds: JSON, or YAML by its name.
pub(super) fn document(path: &Path) -> Result<Value, String> {
    let text = text(path)?;
    let yaml = path.extension().is_some_and(|end| end == "yml" || end == "yaml");
    let value = if yaml {
        serde_saphyr::from_str(text.expose()).ok()
    } else {
        serde_json::from_str(text.expose()).ok()
    };
    value.ok_or_else(|| format!("`{}` is not understood", path.display()))
}

/// What a pointer leads to in a document.
pub(super) fn pointed(document: &Value, path: &Path, pointer: &str) -> Result<Secret<String>, String> {
    let found = document.pointer(pointer).and_then(Value::as_str);
    let found = found.ok_or_else(|| format!("`{}` has no text at `{pointer}`", path.display()))?;
    value(found, &format!("`{}`", path.display()))
}

/// A value that fits a header.
pub(super) fn value(text: &str, whose: &str) -> Result<Secret<String>, String> {
    let text = text.trim();
    let fits = text.len() <= LONGEST && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match text {
        "" => Err(format!("{whose} is empty")),
        text if fits && !text.to_ascii_lowercase().contains(super::binding::MARK) => {
            Ok(Secret::new(text.to_owned()))
        }
        _ => Err(format!("{whose} gives what is no credential: it is long, has lines, or is a placeholder")),
    }
}

/// The value of a file.
pub(super) fn file(path: &Path, pointer: &str) -> Result<Secret<String>, String> {
    if pointer.is_empty() {
        return value(text(path)?.expose(), &format!("`{}`", path.display()));
    }
    pointed(&document(path)?, path, pointer)
}

/// The output of what a source runs.
pub(super) async fn run(source: &Source) -> Result<Secret<String>, String> {
    let (argv, seconds) = match source {
        Source::Op(reference) => {
            (["op", "read", "--no-newline", "--", reference].map(str::to_owned).to_vec(), OP)
        }
        Source::Command { argv, timeout } => (argv.clone(), *timeout),
        Source::Env(_) | Source::File { .. } => return Err("nothing is run for it".to_owned()),
    };
    let program = argv.first().cloned().unwrap_or_default();
    let mut child = tokio::process::Command::new(&program)
        .args(&argv[1..])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("`{program}` could not be run: {error}"))?;
    let output = child.stdout.take();
    let done = async {
        let mut text = String::new();
        if let Some(output) = output {
            output.take(LARGEST).read_to_string(&mut text).await.map_err(|error| error.to_string())?;
        }
        let text = Secret::new(text);
        let status = child.wait().await.map_err(|error| error.to_string())?;
        if status.success() { Ok(text) } else { Err(format!("`{program}` failed: {status}")) }
    };
    let late = |_| Err(format!("`{program}` took longer than {seconds} s"));
    let text = tokio::time::timeout(Duration::from_secs(seconds), done).await.unwrap_or_else(late)?;
    value(text.expose(), &format!("`{program}`"))
}
