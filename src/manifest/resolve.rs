//! Pure. From merged levels to sessions with every default filled in, and the rules that need the whole picture.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::credentials;
use super::diagnostic::quoted;
use super::finding::Wrong;
use super::level::{self, Level};
use super::project::{
    Agent, AgentKind, Budget, Cache, CacheScope, Egress, Host, HostAccess, Image, Mode, Permissions,
    PullPolicy, Repository, Resources, Restart, Rule, Session, Timeout,
};
use super::settle::KNOWN_CACHES;

/// The image where a manifest names none.
const IMAGE: &str = "ghcr.io/shepherdjerred/dotfiles";
/// Processes and threads where a manifest names no limit.
const PIDS: u32 = 1024;
/// Bytes of the longest prompt that fits one argument of a program, as Linux counts it.
const LONGEST_ARGUMENT: usize = 131_071;

/// A rule that a session breaks: the keys at which to say so, the best first.
pub struct Broken {
    /// Keys below the session or the project.
    pub keys: Vec<Vec<String>>,
    /// What is wrong.
    pub wrong: Wrong,
    /// The other party, where two are at odds.
    pub against: Option<Against>,
}

/// The other party of a broken rule.
pub struct Against {
    /// Its session, where that is another one.
    pub session: Option<String>,
    /// Its keys below the session or the project.
    pub keys: Vec<String>,
    /// What it is.
    pub label: String,
}

impl Broken {
    fn at(keys: &[&[&str]], wrong: Wrong) -> Self {
        let owned = |path: &&[&str]| path.iter().map(|key| (*key).to_owned()).collect();
        Self { keys: keys.iter().map(owned).collect(), wrong, against: None }
    }

    /// Adds the other party, in the same session.
    fn against(mut self, keys: &[&str], label: &str) -> Self {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        self.against = Some(Against { session: None, keys, label: label.to_owned() });
        self
    }
}

/// The session that a merged level makes, and the rules it breaks.
pub fn resolve(name: &str, level: Level, root: &Path) -> (Session, Vec<Broken>) {
    let egress = level.egress.unwrap_or(Egress::Sealed);
    let mode = level.mode.unwrap_or(Mode::Interactive);
    let mut broken = Vec::new();
    let agent = level.agent.kind.unwrap_or(AgentKind::Claude);
    let (credentials, unlent) = credentials::resolve(level.credentials, agent, egress);
    broken.extend(unlent.into_iter().map(|it| Broken::at(&[&["credentials", &it.name]], it.wrong)));
    let session = Session {
        name: name.to_owned(),
        image: level.image.unwrap_or_else(|| Image::Reference(IMAGE.to_owned())),
        pull_policy: level.pull_policy.unwrap_or(PullPolicy::Missing),
        agent: Agent { kind: agent, model: level.agent.model, args: level.agent.args.unwrap_or_default() },
        prompt: level.prompt,
        mode,
        permissions: level.permissions.unwrap_or(match egress {
            Egress::Sealed => Permissions::Bypass,
            Egress::Open => Permissions::Ask,
        }),
        repository: repository(name, level.repository, root),
        caches: caches(level.caches, &mut broken),
        environment: level.environment,
        volumes: level.volumes.into_values().collect(),
        resources: Resources { cpus: level.cpus, memory: level.memory, pids: level.pids.unwrap_or(PIDS) },
        restart: level.restart.unwrap_or(match mode {
            Mode::Interactive => Restart::OnFailure(3),
            Mode::Batch => Restart::No,
        }),
        budget: budget(level.budget),
        timeout: timeout(level.timeout),
        labels: level.labels,
        egress,
        hosts: level.hosts.into_iter().map(|(name, said)| (name, host(said))).collect(),
        access: level.access.unwrap_or_default(),
        credentials,
    };
    broken.extend(prompt_rules(&session));
    broken.extend(mount_rules(&session));
    broken.extend(budget_rules(&session));
    (session, broken)
}

fn repository(name: &str, written: level::Repository, root: &Path) -> Option<Repository> {
    if written.off == Some(true) {
        return None;
    }
    let mut branch = written.branch.unwrap_or_else(|| "clauderon/".to_owned());
    if branch.ends_with('/') {
        branch.push_str(name);
    }
    let path: PathBuf = written.path.unwrap_or_else(|| root.to_owned());
    let (checkout, copy) = (written.checkout.unwrap_or_default(), written.copy.unwrap_or_default());
    Some(Repository { path, base: written.base, branch, checkout, copy })
}

fn caches(mut written: BTreeMap<String, level::Cache>, broken: &mut Vec<Broken>) -> Vec<Cache> {
    for name in ["cargo", "sccache"] {
        written.entry(name.to_owned()).or_insert(level::Cache { on: true, path: None, scope: None });
    }
    let mut caches = Vec::new();
    for (name, cache) in written.into_iter().filter(|(_, cache)| cache.on) {
        let paths = paths(&name, cache.path);
        if paths.is_empty() {
            let known = KNOWN_CACHES.map(|known| format!("`{known}`")).join(", ");
            let wrong = Wrong::new(format!("the cache {} has no path", quoted(&name)));
            let wrong =
                wrong.help(format!("give it one: `{name}: {{path: /workspace/…}}`; known are {known}"));
            broken.push(Broken::at(&[&["caches", &name]], wrong));
        }
        caches.push(Cache { name, paths, scope: cache.scope.unwrap_or(CacheScope::Shared) });
    }
    caches
}

/// The volumes of a cache: the end of each one's name, and where it is mounted.
fn paths(name: &str, own: Option<String>) -> Vec<(String, String)> {
    let pair = |suffix: &str, path: &str| (suffix.to_owned(), path.to_owned());
    match (name, own) {
        ("cargo", _) => vec![
            pair("cargo-registry", "/workspace/.cargo/registry"),
            pair("cargo-git", "/workspace/.cargo/git"),
        ],
        ("sccache", _) => vec![pair("sccache", "/workspace/.cache/sccache")],
        ("npm", _) => vec![pair("npm", "/workspace/.npm")],
        (name, Some(path)) => vec![(name.to_owned(), path)],
        (_, None) => Vec::new(),
    }
}

fn budget(said: level::Budget) -> Budget {
    let budget = Budget { tokens: said.tokens, requests: said.requests, per: said.per.unwrap_or_default() };
    if said.off == Some(true) || !budget.limits() { Budget::default() } else { budget }
}

fn timeout(said: level::Timeout) -> Timeout {
    let said = if said.off == Some(true) { level::Timeout::default() } else { said };
    Timeout { run: said.run, idle: said.idle }
}

/// What a host's rules come to; where in the files they stand is found later.
fn host(said: level::Host) -> Host {
    let rule = |rule: level::Rule| Rule {
        access: rule.access.unwrap_or_default(),
        methods: rule.methods,
        paths: rule.paths,
    };
    let rules = match said.any {
        _ if !said.on => Vec::new(),
        Some(any) => any.into_iter().map(|each| rule(each.over(&said.rule))).collect(),
        None => vec![rule(said.rule)],
    };
    Host { rules, address: said.address, ca: said.ca, place: String::new() }
}

fn prompt_rules(session: &Session) -> Option<Broken> {
    match (&session.prompt, session.mode) {
        (None, Mode::Batch) => {
            let wrong = Wrong::new(format!("the batch session {} has no prompt", quoted(&session.name)));
            let help = "give it a `prompt`, or `mode: interactive`";
            Some(Broken::at(&[&["mode"]], wrong.help(help)))
        }
        (Some(prompt), Mode::Interactive) if prompt.len() > LONGEST_ARGUMENT => {
            let message = format!(
                "the prompt of {} is {} bytes long; an interactive agent takes {LONGEST_ARGUMENT} at most",
                quoted(&session.name),
                prompt.len()
            );
            let help = "put the long part into a file of the repository and name that, or use `mode: batch`";
            Some(Broken::at(&[&["prompt"]], Wrong::new(message).help(help)))
        }
        _ => None,
    }
}

/// What nobody looks into is not counted.
fn budget_rules(session: &Session) -> Option<Broken> {
    if !session.budget.limits() {
        return None;
    }
    let wrong = |what: String| {
        Wrong::new(format!("the budget of {} cannot be counted: {what}", quoted(&session.name)))
    };
    if session.egress == Egress::Open {
        let wrong = wrong("its network is open".to_owned());
        let broken =
            Broken::at(&[&["budget"]], wrong.help("leave the budget out, or `proxy: {egress: sealed}`"));
        return Some(broken.against(&["proxy", "egress"], "the open network"));
    }
    let models = crate::agent::models(session.agent.kind);
    let tunnelled = |name: &&&str| {
        let rules = session.hosts.get(**name).map_or(&[][..], |host| &host.rules);
        rules.iter().any(|rule| rule.access == HostAccess::Tunnel)
    };
    let name = models.iter().find(tunnelled)?;
    let wrong = wrong(format!("{} is a tunnel", quoted(name)));
    let broken = Broken::at(&[&["budget"]], wrong.help("leave the budget out, or the tunnel"));
    Some(broken.against(&["proxy", "hosts", name], "the tunnel"))
}

/// No path of the container holds two mounts.
fn mount_rules(session: &Session) -> Vec<Broken> {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    let mut broken = Vec::new();
    for cache in &session.caches {
        for (_, path) in &cache.paths {
            if let Some(first) = taken.insert(path, &cache.name) {
                let (name, other) = (quoted(&cache.name), quoted(first));
                let wrong =
                    Wrong::new(format!("the caches {other} and {name} share the path {}", quoted(path)));
                let wrong = wrong.help("give one of them another path, or turn it off with `false`");
                let rule = Broken::at(&[&["caches", &cache.name]], wrong);
                broken.push(rule.against(&["caches", first], "the other cache"));
            }
        }
    }
    for volume in &session.volumes {
        if let Some(cache) = taken.get(volume.target.as_str()) {
            let message = format!("{} is the path of the cache {}", quoted(&volume.target), quoted(cache));
            let help =
                format!("turn the cache off with `caches: {{{cache}: false}}`, or choose another path");
            let rule = Broken::at(&[&["volumes", &volume.target]], Wrong::new(message).help(help));
            broken.push(rule.against(&["caches", cache], "the cache"));
        }
    }
    broken
}
