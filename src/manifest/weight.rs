//! Pure. What a manifest may become once it is resolved. A short text can say much: what all sessions inherit is
//! there once for each of them, and so is a prompt's file that each names.

use std::cell::Cell;
use std::path::Path;

use super::finding::Wrong;
use super::project::{Credential, Image, Session, VolumeSource};

/// Bytes that all sessions may have together.
const MAX_RESOLVED: usize = 8 * 1024 * 1024;
/// Bytes that all prompts read from files may have together.
const MAX_PROMPTS: usize = 8 * 1024 * 1024;
/// What an entry of a map or a list costs beside its text.
const ENTRY: usize = 128;

/// A reader of prompts that stops when they are too large together.
pub fn bounded(
    files: &dyn Fn(&Path, &Path) -> Result<String, String>,
) -> impl Fn(&Path, &Path) -> Result<String, String> {
    let read = Cell::new(0);
    move |directory, path| {
        if read.get() > MAX_PROMPTS {
            return Err(format!("the prompt files are larger than {} MiB together", MAX_PROMPTS >> 20));
        }
        let text = files(directory, path)?;
        read.set(read.get() + text.len());
        Ok(text)
    }
}

/// The weight of all sessions so far.
#[derive(Default)]
pub struct Weight(usize);

impl Weight {
    /// Adds a session; once all are too heavy, says so.
    pub fn add(&mut self, session: &Session) -> Result<(), Wrong> {
        self.0 += weight(session);
        if self.0 <= MAX_RESOLVED {
            return Ok(());
        }
        let message = format!("the sessions are larger than {} MiB when resolved", MAX_RESOLVED >> 20);
        let help = "what stands beside `sessions` counts for each of them: shorten it, or split the manifest";
        Err(Wrong::new(message).help(help))
    }
}

/// About the bytes that a session takes.
fn weight(session: &Session) -> usize {
    let pairs = |pairs: &std::collections::BTreeMap<String, String>| {
        pairs.iter().map(|(name, value)| ENTRY + name.len() + value.len()).sum::<usize>()
    };
    let image = match &session.image {
        Image::Reference(text) => text.len(),
        Image::Build(build) => build.context.as_os_str().len() + build.dockerfile.len() + pairs(&build.args),
    };
    let source = |source: &VolumeSource| match source {
        VolumeSource::Bind(path) => path.as_os_str().len(),
        VolumeSource::Named(name) => name.len(),
    };
    let caches = session.caches.iter().flat_map(|cache| &cache.paths);
    let host = |name: &String| ENTRY + name.len();
    size_of::<Session>()
        + session.name.len()
        + image
        + session.agent.args.iter().map(|argument| ENTRY + argument.len()).sum::<usize>()
        + session.agent.model.as_ref().map_or(0, String::len)
        + session.prompt.as_ref().map_or(0, String::len)
        + session.repository.as_ref().map_or(0, |it| it.path.as_os_str().len() + it.branch.len())
        + session
            .repository
            .iter()
            .flat_map(|it| &it.copy)
            .map(|path| ENTRY + path.as_os_str().len())
            .sum::<usize>()
        + caches.map(|(name, path)| ENTRY + name.len() + path.len()).sum::<usize>()
        + pairs(&session.environment)
        + pairs(&session.labels)
        + session.volumes.iter().map(|it| ENTRY + source(&it.source) + it.target.len()).sum::<usize>()
        + session.hosts.keys().map(host).sum::<usize>()
        + session.credentials.keys().map(|name| ENTRY + size_of::<Credential>() + name.len()).sum::<usize>()
}
