//! Reads files of text: regular ones alone, without waiting for a pipe and without reading past a bound.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::Error;

/// Bytes that a manifest or a prompt may have.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads a regular file of text; anything else is an error at once.
pub(super) fn text(path: &Path) -> Result<String, Error> {
    // Without waiting: opening a pipe that nobody writes to would not return.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    text_of(path, OpenOptions::new().read(true).custom_flags(flags).open(path))
}

/// The same by the path that it really has: a link in any part of it is refused.
pub(super) fn real_text(path: &Path) -> Result<String, Error> {
    text_of(path, crate::fs::open_real(path))
}

fn text_of(path: &Path, file: io::Result<File>) -> Result<String, Error> {
    let unfit = |reason: String| Error::Unfit { path: path.to_owned(), reason };
    let bytes = file.and_then(read_bounded).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    match bytes {
        Content::Directory => Err(unfit("is a directory".to_owned())),
        Content::Special => Err(unfit("is not a regular file".to_owned())),
        Content::TooLarge => Err(unfit(format!("is larger than {} KiB", MAX_BYTES / 1024))),
        Content::Bytes(bytes) => decode(bytes).map_err(unfit),
    }
}

enum Content {
    Bytes(Vec<u8>),
    Directory,
    Special,
    TooLarge,
}

fn read_bounded(file: File) -> io::Result<Content> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Ok(Content::Directory);
    }
    if !metadata.is_file() {
        return Ok(Content::Special);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    let too_large = u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES;
    Ok(if too_large { Content::TooLarge } else { Content::Bytes(bytes) })
}

/// Bytes as text, or what they are instead.
fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("is UTF-16; save it as UTF-8".to_owned());
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(format!("is no text: it has a NUL at byte {at}"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("is not UTF-8: byte {at} is wrong")
    })
}
