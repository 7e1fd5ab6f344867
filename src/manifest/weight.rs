//! Pure. What a manifest may become once it is resolved. A short text can say much: what all sessions inherit is
//! there once for each of them, and so is a prompt's file that each names.

use std::cell::Cell;
use std::path::Path;

use super::finding::Wrong;
use super::project::{Build, Credential, Host, Image, Rule, Session, Source, VolumeSource};

/// Bytes that all sessions may have together.
const MAX_RESOLVED: usize = 8 * 1024 * 1024;
/// Bytes that all prompts read from files may have together.
const MAX_PROMPTS: usize = 8 * 1024 * 1024;
/// What a text costs beside its letters.
const TEXT: usize = 48;
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
        Image::Build(Build { context, dockerfile, target, args }) => {
            context.as_os_str().len()
                + dockerfile.len()
                + target.as_ref().map_or(0, String::len)
                + pairs(args)
        }
    };
    let source = |source: &VolumeSource| match source {
        VolumeSource::Bind(path) => path.as_os_str().len(),
        VolumeSource::Named(name) => name.len(),
    };
    let caches = session.caches.iter().flat_map(|cache| &cache.paths);
    size_of::<Session>()
        + session.name.len()
        + image
        + session.agent.args.iter().map(|argument| ENTRY + argument.len()).sum::<usize>()
        + session.agent.model.as_ref().map_or(0, String::len)
        + session.prompt.as_ref().map_or(0, String::len)
        + session.repository.as_ref().map_or(0, |it| {
            it.path.as_os_str().len() + it.branch.len() + it.base.as_ref().map_or(0, String::len)
        })
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
        + session.hosts.iter().map(|(name, it)| ENTRY + name.len() + host(it)).sum::<usize>()
        + session.credentials.iter().map(|(name, it)| ENTRY + name.len() + credential(it)).sum::<usize>()
}

fn host(host: &Host) -> usize {
    size_of::<Host>()
        + host.rules.iter().map(rule).sum::<usize>()
        + host.address.as_ref().map_or(0, String::len)
        + host.ca.as_ref().map_or(0, |path| path.as_os_str().len())
        + host.place.len()
}

fn credential(credential: &Credential) -> usize {
    let source = |source: &Source| match source {
        Source::Env(text) | Source::Op(text) => text.len(),
        Source::File { path, pointer, .. } => path.as_os_str().len() + pointer.len(),
        Source::Command { argv, .. } => texts(argv),
    };
    size_of::<Credential>()
        + credential.from.as_ref().map_or(0, source)
        + credential.target.as_ref().map_or(0, |it| it.host.len() + it.header.len() + it.value.len())
        + rule(&credential.rule)
        + texts(&credential.environment)
        + credential.place.len()
}

fn rule(rule: &Rule) -> usize {
    size_of::<Rule>()
        + [&rule.methods, &rule.paths].into_iter().flatten().map(|list| texts(list)).sum::<usize>()
}

/// A list of texts, each a piece of memory of its own.
fn texts(list: &[String]) -> usize {
    list.iter().map(|text| TEXT + text.len()).sum()
}
