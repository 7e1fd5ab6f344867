//! Pure. Settles one level of a manifest: checks each value in itself and makes it final. Every fault is noted
//! with its path; what is at fault is left out of the level.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::branch::{branch, revision};
use super::credentials::credentials;
use super::diagnostic::quoted;
use super::finding::{Finding, Wrong};
use super::hosts::hosts;
use super::level::{Agent, Budget, Cache, Level, Repository, Timeout};
use super::pairs::{self, pairs};
use super::path::{container_path, host_path, inner_path, not_the_engine};
use super::project::{Build, Image, Volume, VolumeSource};
use super::written::{Settings, agent as written_agent, container as written, limits};

/// Docker's own least amount of memory.
pub const LEAST_MEMORY: u64 = 6 * 1024 * 1024;
/// Names of caches whose volumes would be those of the known caches.
const TAKEN_CACHES: [&str; 2] = ["cargo-registry", "cargo-git"];
/// Caches with paths of their own.
pub const KNOWN_CACHES: [&str; 3] = ["cargo", "npm", "sccache"];

/// What of the world a manifest depends on.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The directory that relative paths start at.
    pub root: &'a Path,
    /// The home directory that `~` stands for.
    pub home: Option<&'a Path>,
    /// Reads a prompt's file; an error is its reason alone.
    pub files: &'a dyn Fn(&Path) -> Result<String, String>,
}

/// Settles the level that stands at `base`.
pub fn settle(
    settings: &Settings,
    base: &[String],
    around: &Surroundings<'_>,
    findings: &mut Vec<Finding>,
) -> Level {
    let mut settle = Settle { base, around, findings };
    let repository = settings.repository.as_ref().map(|form| settle.repository(form)).unwrap_or_default();
    let proxy = settings.proxy.as_ref();
    let resources = settings.resources.as_ref();
    Level {
        off: settings.switch.map(|on| !on),
        image: settle.image(settings),
        pull_policy: settings.pull_policy.map(|word| word.0),
        agent: agent(settings.agent.as_ref().map(|form| &form.0)),
        prompt: settings.prompt.as_ref().and_then(|form| settle.prompt(form)),
        mode: settings.mode.map(|word| word.0),
        permissions: settings.permissions.map(|word| word.0),
        repository,
        caches: settle.caches(settings),
        environment: settle.pairs(&["environment"], settings.environment.as_ref(), pairs::variable),
        volumes: settle.volumes(settings),
        cpus: resources.and_then(|form| form.cpus).map(|cpus| cpus.0),
        memory: resources.and_then(|form| form.memory).and_then(|size| settle.memory(size.0)),
        pids: resources.and_then(|form| form.pids).map(|pids| pids.0),
        restart: settings.restart.map(|text| text.0),
        budget: settings.budget.as_ref().map(|form| budget(&form.0)).unwrap_or_default(),
        timeout: settings.timeout.as_ref().map(|form| timeout(&form.0)).unwrap_or_default(),
        labels: settle.pairs(&["labels"], settings.labels.as_ref(), pairs::label),
        egress: proxy.and_then(|form| form.egress).map(|word| word.0),
        access: proxy.and_then(|form| form.access).map(|word| word.0),
        hosts: proxy.map(|form| hosts(&mut settle, form)).unwrap_or_default(),
        credentials: credentials(&mut settle, settings),
    }
}

fn agent(written: Option<&written_agent::Agent>) -> Agent {
    written.map_or_else(Agent::default, |agent| Agent {
        kind: agent.kind.map(|word| word.0),
        model: agent.model.clone(),
        args: agent.args.clone(),
        replaces: false,
    })
}

fn budget(written: &limits::Budget) -> Budget {
    Budget {
        off: Some(written.off),
        tokens: written.tokens.map(|amount| amount.0),
        requests: written.requests.map(|amount| amount.0),
        per: written.per.map(|word| word.0),
    }
}

fn timeout(written: &limits::Timeout) -> Timeout {
    Timeout {
        off: Some(written.off),
        run: written.run.map(|span| span.0),
        idle: written.idle.map(|span| span.0),
    }
}

pub(super) struct Settle<'a> {
    base: &'a [String],
    around: &'a Surroundings<'a>,
    findings: &'a mut Vec<Finding>,
}

impl Settle<'_> {
    pub(super) fn path(&self, keys: &[&str]) -> Vec<String> {
        self.base.iter().cloned().chain(keys.iter().map(|key| (*key).to_owned())).collect()
    }

    pub(super) fn note(&mut self, keys: &[&str], wrong: Wrong) {
        self.findings.push(Finding::value(self.path(keys), wrong));
    }

    pub(super) fn note_key(&mut self, keys: &[&str], wrong: Wrong) {
        self.findings.push(Finding::key(self.path(keys), wrong));
    }

    /// Notes that a key is at odds with another.
    pub(super) fn note_against(&mut self, keys: &[&str], wrong: Wrong, other: &[&str]) {
        let finding = Finding::key(self.path(keys), wrong).other(self.path(other), "this one");
        self.findings.push(finding);
    }

    /// What is right, or nothing with a note.
    pub(super) fn keep<T>(&mut self, keys: &[&str], checked: Result<T, Wrong>) -> Option<T> {
        checked.map_err(|wrong| self.note(keys, wrong)).ok()
    }

    pub(super) fn host_path(&mut self, keys: &[&str], text: &str) -> Option<PathBuf> {
        let path = host_path(text, self.around.root, self.around.home);
        self.keep(keys, path)
    }

    fn image(&mut self, settings: &Settings) -> Option<Image> {
        let build = settings.build.as_ref().map(|form| self.build(form));
        match (&settings.image, build) {
            (Some(_), Some(_)) => {
                let wrong = Wrong::new("`image` and `build` exclude each other");
                let wrong = wrong.help("keep the one that the session should run");
                self.note_against(&["build"], wrong, &["image"]);
                None
            }
            (Some(reference), None) => Some(Image::Reference(reference.0.clone())),
            (None, build) => build.map(Image::Build),
        }
    }

    fn build(&mut self, build: &written::Build) -> Build {
        let context = self.host_path(&["build", "context"], build.context.as_deref().unwrap_or("."));
        let dockerfile = build.dockerfile.as_deref().unwrap_or("Dockerfile");
        let dockerfile = self.keep(&["build", "dockerfile"], inner_path(dockerfile));
        Build {
            context: context.unwrap_or_default(),
            dockerfile: dockerfile.unwrap_or_default().to_string_lossy().into_owned(),
            target: build.target.clone(),
            args: self.pairs(&["build", "args"], build.args.as_ref(), pairs::variable),
        }
    }

    fn prompt(&mut self, prompt: &written_agent::Prompt) -> Option<String> {
        match (&prompt.text, &prompt.file) {
            (Some(_), Some(_)) => {
                let wrong = Wrong::new("`text` and `file` exclude each other");
                self.note_against(
                    &["prompt", "file"],
                    wrong.help("keep one of the two"),
                    &["prompt", "text"],
                );
                None
            }
            (Some(text), None) => Some(text.0.clone()),
            (None, Some(file)) => self.prompt_file(file),
            (None, None) => None,
        }
    }

    fn prompt_file(&mut self, file: &str) -> Option<String> {
        let path = self.host_path(&["prompt", "file"], file)?;
        let wrong = match (self.around.files)(&path) {
            Ok(text) if text.is_empty() => Wrong::new(format!("the prompt file {} is empty", quoted(file))),
            Ok(text) if text.contains('\0') => {
                Wrong::new(format!("the prompt file {} holds a NUL byte", quoted(file)))
            }
            Ok(text) => return Some(text),
            Err(reason) => Wrong::new(format!("could not read the prompt file {}: {reason}", quoted(file)))
                .help(format!("it was looked for at {}", quoted(&path.to_string_lossy()))),
        };
        self.note(&["prompt", "file"], wrong);
        None
    }

    fn repository(&mut self, repository: &written_agent::Repository) -> Repository {
        if repository.off {
            return Repository { off: Some(true), ..Repository::default() };
        }
        let path = repository.path.as_ref().and_then(|path| self.host_path(&["repository", "path"], path));
        if let Some(base) = &repository.base {
            self.keep(&["repository", "base"], revision(base));
        }
        if let Some(name) = &repository.branch {
            self.keep(&["repository", "branch"], branch(name));
        }
        let copy = repository.copy.as_ref().map(|copy| self.copy(copy));
        Repository {
            off: Some(false),
            path,
            base: repository.base.clone(),
            branch: repository.branch.clone(),
            checkout: repository.checkout.map(|word| word.0),
            copy,
        }
    }

    fn copy(&mut self, files: &[String]) -> Vec<PathBuf> {
        let mut copied = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let index = index.to_string();
            let keys = ["repository", "copy", index.as_str()];
            match inner_path(file) {
                Ok(path) if path.starts_with(".git") => {
                    self.note(&keys, Wrong::new("`.git` is never copied").help("the checkout has its own"));
                }
                checked => copied.extend(self.keep(&keys, checked)),
            }
        }
        copied
    }

    fn caches(&mut self, settings: &Settings) -> BTreeMap<String, Cache> {
        let mut caches = BTreeMap::new();
        for (name, form) in settings.caches.iter().flatten() {
            let (Some(cache), name) = (form, name.0.as_str()) else { continue };
            if TAKEN_CACHES.contains(&name) {
                let wrong = Wrong::new(format!("the cache name {} is taken", quoted(name)));
                self.note_key(
                    &["caches", name],
                    wrong.help("it is the name of a volume of the cache `cargo`"),
                );
            }
            let keys = ["caches", name, "path"];
            if cache.path.is_some() && KNOWN_CACHES.contains(&name) {
                let wrong = Wrong::new(format!("the cache {} has its own path", quoted(name)));
                self.note_key(&keys, wrong.help("leave `path` out, or give the cache another name"));
                continue;
            }
            let path = cache.path.as_deref().and_then(|path| self.keep(&keys, container_path(path)));
            let scope = cache.scope.map(|word| word.0);
            caches.insert(name.to_owned(), Cache { on: cache.switch.unwrap_or(true), path, scope });
        }
        caches
    }

    fn volumes(&mut self, settings: &Settings) -> BTreeMap<String, Volume> {
        let (mut volumes, mut first_at) = (BTreeMap::new(), BTreeMap::new());
        for (index, form) in settings.volumes.iter().flatten().enumerate() {
            let index = index.to_string();
            let source = self.volume_source(&["volumes", &index, "source"], &form.source);
            let target = self.keep(&["volumes", &index, "target"], container_path(&form.target));
            let (Some(source), Some(target)) = (source, target) else { continue };
            let first = first_at.entry(target.clone()).or_insert_with(|| index.clone());
            if *first != index {
                let wrong = Wrong::new(format!("a second volume at {}", quoted(&target)));
                let path = self.path(&["volumes", &index, "target"]);
                let finding = Finding::value(path, wrong.help("one path holds one volume"));
                self.findings.push(finding.other(self.path(&["volumes", first]), "the first"));
                continue;
            }
            let read_only = form.read_only.unwrap_or(false);
            volumes.insert(target.clone(), Volume { source, target, read_only });
        }
        volumes
    }

    fn volume_source(&mut self, keys: &[&str], source: &str) -> Option<VolumeSource> {
        if source.starts_with(['.', '/', '~']) {
            let path = self.host_path(keys, source)?;
            return self.keep(keys, not_the_engine(&path).map(|()| VolumeSource::Bind(path)));
        }
        let bytes = source.as_bytes();
        let named = bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.len() <= 128
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte));
        if named {
            return Some(VolumeSource::Named(source.to_owned()));
        }
        let wrong = Wrong::new(format!("{} is neither a path nor the name of a volume", quoted(source)));
        self.note(keys, wrong.help("a path begins with `./`, `../`, `/` or `~/`"));
        None
    }

    fn memory(&mut self, bytes: u64) -> Option<u64> {
        if (LEAST_MEMORY..=i64::MAX.unsigned_abs()).contains(&bytes) {
            return Some(bytes);
        }
        let message = if bytes < LEAST_MEMORY { "too little memory" } else { "too much memory" };
        self.note(&["resources", "memory"], Wrong::new(message).help("`6m` at least, and less than 8 EiB"));
        None
    }

    fn pairs(
        &mut self,
        keys: &[&str],
        written: Option<&written::Pairs>,
        check: fn(&str) -> Result<(), Wrong>,
    ) -> BTreeMap<String, String> {
        let Some(written) = written else { return BTreeMap::new() };
        let (read, wrongs) = pairs(written, check);
        for pairs::Misplaced { at, is_key, wrong } in wrongs {
            let keys: Vec<&str> = keys.iter().copied().chain([at.as_str()]).collect();
            if is_key { self.note_key(&keys, wrong) } else { self.note(&keys, wrong) }
        }
        read
    }
}
