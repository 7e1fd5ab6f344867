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
/// What the system says of a link where none is followed.
const LINK: i32 = rustix::io::Errno::LOOP.raw_os_error();
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

impl Stamp {
    fn of(data: &std::fs::Metadata) -> Self {
        Self {
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
            inode: data.ino(),
            length: data.len(),
        }
    }
}

/// A file that holds a credential.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// Whether the path is followed without any link.
    pub fixed: bool,
}

impl At<'_> {
    /// The state of the file now.
    pub(super) fn stamp(self) -> Option<Stamp> {
        let data = if self.fixed { self.open().ok()?.metadata() } else { std::fs::metadata(self.path) };
        data.ok().map(|data| Stamp::of(&data))
    }

    /// Opens it. Nothing is waited for: a pipe or a device is no file.
    fn open(self) -> std::io::Result<std::fs::File> {
        if self.fixed {
            return crate::fs::open_real(self.path);
        }
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        std::fs::OpenOptions::new().read(true).custom_flags(flags).open(self.path)
    }

    /// Replaces its content.
    pub(super) fn replace(self, content: &[u8]) -> Result<(), crate::fs::Error> {
        if self.fixed {
            return crate::fs::replace_real(self.path, content, 0o600);
        }
        // A link leads to the file that is meant; what it replaces would be the link.
        let real = self.path.canonicalize().unwrap_or_else(|_| self.path.to_owned());
        crate::fs::replace(&real, content, 0o600)
    }

    /// Its text.
    fn text(self) -> Result<Secret<String>, String> {
        let path = self.path.display();
        let told = |error: std::io::Error| match error.raw_os_error() {
            Some(LINK) if self.fixed => {
                format!(
                    "`{path}` is a link now, or lies behind one: `clauderon up` asks about where it leads"
                )
            }
            _ => format!("`{path}` cannot be read: {error}"),
        };
        let file = self.open().map_err(told)?;
        if !file.metadata().map_err(told)?.is_file() {
            return Err(format!("`{path}` is no file"));
        }
        let mut text = String::new();
        file.take(LARGEST).read_to_string(&mut text).map_err(told)?;
        Ok(Secret::new(text))
    }
}

/// A file as the value that it holds: JSON, or YAML by its name.
pub(super) fn document(at: At<'_>) -> Result<Value, String> {
    let (path, text) = (at.path, at.text()?);
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
pub(super) fn file(at: At<'_>, pointer: &str) -> Result<Secret<String>, String> {
    if pointer.is_empty() {
        return value(at.text()?.expose(), &format!("`{}`", at.path.display()));
    }
    pointed(&document(at)?, at.path, pointer)
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
    let (program, arguments) = argv.split_first().ok_or("the command is empty")?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that a stranger's project may name: they end in a message, within a thread's stack and in bounded memory.
    #[test]
    fn no_document_makes_it_panic_or_grow() {
        let directory = tempfile::tempdir().unwrap();
        let bomb = (1..20).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
            let part = format!("*a{},", n - 1).repeat(9);
            format!("{text}a{n}: &a{n} [{part}]\n")
        });
        let deep = "[".repeat(500_000);
        let flow = "{a: ".repeat(200_000);
        let dashes = "- ".repeat(400_000);
        for (name, text) in [
            ("bomb.yml", bomb.as_str()),
            ("deep.yml", &deep),
            ("flow.yaml", &flow),
            ("dashes.yml", &dashes),
            ("deep.json", &deep),
            ("tag.yml", "!!binary \"\u{0}"),
            ("key.yml", "? [a, {b: c}]\n: d"),
            ("merge.yml", "a: &a {<<: *a}"),
            ("empty.json", ""),
        ] {
            let path = directory.path().join(name);
            crate::fs::replace(&path, text.as_bytes(), 0o600).unwrap();
            for pointer in ["/a", "", "no pointer", "/~", "/a/99999999999999999999"] {
                let read = file(At { path: &path, fixed: false }, pointer);
                assert!(read.is_err() || pointer.is_empty(), "{name}{pointer}");
            }
        }
    }

    #[tokio::test]
    async fn a_command_of_nothing_is_an_error() {
        let source = Source::Command { argv: Vec::new(), timeout: u64::MAX };
        assert!(run(&source).await.is_err());
    }
}
