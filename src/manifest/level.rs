//! Pure. One level of settings (a file's defaults or one of its sessions), settled: each value checked and final in
//! itself, paths absolute, short forms gone. Levels then merge without a way to fail.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::credentials::Credential;
use super::project::{
    Access, AgentKind, CacheScope, Checkout, Egress, HostAccess, Image, Mode, Period, Permissions,
    PullPolicy, Restart, Volume,
};

/// What one level says; nothing where it is silent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Level {
    /// Whether the session is turned off; a map turns it on again.
    pub off: Option<bool>,
    /// The image or its build: one takes the place of the other.
    pub image: Option<Image>,
    /// When the image is pulled.
    pub pull_policy: Option<PullPolicy>,
    /// The agent.
    pub agent: Agent,
    /// The prompt's text.
    pub prompt: Option<String>,
    /// Interactive or batch.
    pub mode: Option<Mode>,
    /// What the agent may do.
    pub permissions: Option<Permissions>,
    /// The repository.
    pub repository: Repository,
    /// Caches by name.
    pub caches: BTreeMap<String, Cache>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Volumes by target.
    pub volumes: BTreeMap<String, Volume>,
    /// Processors.
    pub cpus: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Processes.
    pub pids: Option<u32>,
    /// The restart policy.
    pub restart: Option<Restart>,
    /// What it may ask of its model.
    pub budget: Budget,
    /// How long it may last.
    pub timeout: Timeout,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Sealed or open.
    pub egress: Option<Egress>,
    /// The cap on every host but the model's.
    pub access: Option<Access>,
    /// Hosts by name or pattern.
    pub hosts: BTreeMap<String, Host>,
    /// Credentials by name.
    pub credentials: BTreeMap<String, Credential>,
}

/// An agent, as far as a level names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// Which program.
    pub kind: Option<AgentKind>,
    /// The model.
    pub model: Option<String>,
    /// Further arguments.
    pub args: Option<Vec<String>>,
    /// Whether another kind below was replaced: nothing shines through any more.
    pub replaces: bool,
}

/// A repository, as far as a level names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// Whether there is none; a map or a path turns it on again.
    pub off: Option<bool>,
    /// A path inside the repository.
    pub path: Option<PathBuf>,
    /// Where a new branch starts.
    pub base: Option<String>,
    /// The branch, or with `/` at the end its directory.
    pub branch: Option<String>,
    /// How the checkout is made.
    pub checkout: Option<Checkout>,
    /// Ignored files to bring along.
    pub copy: Option<Vec<PathBuf>>,
}

/// A cache, as far as a level names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// Whether it is there; a map turns it on.
    pub on: bool,
    /// Where.
    pub path: Option<String>,
    /// Who shares it.
    pub scope: Option<CacheScope>,
}

/// A budget, as far as a level names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Whether there is none; a map turns it on again.
    pub off: Option<bool>,
    /// Tokens.
    pub tokens: Option<u64>,
    /// Requests.
    pub requests: Option<u64>,
    /// When it begins anew.
    pub per: Option<Period>,
}

/// A timeout, as far as a level names it, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeout {
    /// Whether there is none; a map turns it on again.
    pub off: Option<bool>,
    /// From the start on.
    pub run: Option<u64>,
    /// Without a sign of the agent.
    pub idle: Option<u64>,
}

/// A host, as far as a level names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Whether it may be reached; anything but `false` turns it on.
    pub on: bool,
    /// The address to dial.
    pub address: Option<String>,
    /// Certificates to believe.
    pub ca: Option<PathBuf>,
    /// What a request must be, where that is one rule.
    pub rule: Rule,
    /// Of several rules, each.
    pub any: Option<Vec<Rule>>,
}

/// What a request must be, as far as a level says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// What it may do.
    pub access: Option<HostAccess>,
    /// Its method is one of these.
    pub methods: Option<Vec<String>>,
    /// Its path is one of these.
    pub paths: Option<Vec<String>>,
}

impl Level {
    /// This level laid over a lower one: what it says wins, what it leaves out shines through.
    #[must_use]
    pub fn over(self, lower: &Level) -> Level {
        Level {
            off: self.off.or(lower.off),
            image: self.image.or_else(|| lower.image.clone()),
            pull_policy: self.pull_policy.or(lower.pull_policy),
            agent: self.agent.over(&lower.agent),
            prompt: self.prompt.or_else(|| lower.prompt.clone()),
            mode: self.mode.or(lower.mode),
            permissions: self.permissions.or(lower.permissions),
            repository: self.repository.over(&lower.repository),
            caches: over_each(self.caches, &lower.caches, Cache::over),
            environment: over_each(self.environment, &lower.environment, |own, _| own),
            volumes: over_each(self.volumes, &lower.volumes, |own, _| own),
            cpus: self.cpus.or(lower.cpus),
            memory: self.memory.or(lower.memory),
            pids: self.pids.or(lower.pids),
            restart: self.restart.or(lower.restart),
            budget: self.budget.over(lower.budget),
            timeout: self.timeout.over(lower.timeout),
            labels: over_each(self.labels, &lower.labels, |own, _| own),
            egress: self.egress.or(lower.egress),
            access: self.access.or(lower.access),
            hosts: over_each(self.hosts, &lower.hosts, Host::over),
            credentials: super::credentials::over(self.credentials, &lower.credentials),
        }
    }
}

impl Agent {
    /// Another kind replaces the whole map: models and arguments are of one agent only.
    fn over(self, lower: &Agent) -> Agent {
        let kind = |agent: &Agent| agent.kind.unwrap_or(AgentKind::Claude);
        if self.replaces || (self.kind.is_some() && *lower != Agent::default() && kind(&self) != kind(lower))
        {
            return Agent { replaces: true, ..self };
        }
        Agent {
            kind: self.kind.or(lower.kind),
            model: self.model.or_else(|| lower.model.clone()),
            args: self.args.or_else(|| lower.args.clone()),
            replaces: lower.replaces,
        }
    }
}

impl Cache {
    fn over(self, lower: &Cache) -> Cache {
        Cache {
            on: self.on,
            path: self.path.or_else(|| lower.path.clone()),
            scope: self.scope.or(lower.scope),
        }
    }
}

impl Repository {
    fn over(self, lower: &Repository) -> Repository {
        Repository {
            off: self.off.or(lower.off),
            path: self.path.or_else(|| lower.path.clone()),
            base: self.base.or_else(|| lower.base.clone()),
            branch: self.branch.or_else(|| lower.branch.clone()),
            checkout: self.checkout.or(lower.checkout),
            copy: self.copy.or_else(|| lower.copy.clone()),
        }
    }
}

impl Budget {
    fn over(self, lower: Budget) -> Budget {
        Budget {
            off: self.off.or(lower.off),
            tokens: self.tokens.or(lower.tokens),
            requests: self.requests.or(lower.requests),
            per: self.per.or(lower.per),
        }
    }
}

impl Timeout {
    fn over(self, lower: Timeout) -> Timeout {
        Timeout { off: self.off.or(lower.off), run: self.run.or(lower.run), idle: self.idle.or(lower.idle) }
    }
}

impl Host {
    fn over(self, lower: &Host) -> Host {
        Host {
            on: self.on,
            address: self.address.or_else(|| lower.address.clone()),
            ca: self.ca.or_else(|| lower.ca.clone()),
            rule: self.rule.over(&lower.rule),
            any: self.any.or_else(|| lower.any.clone()),
        }
    }
}

impl Rule {
    /// This rule, with what it leaves out taken from another.
    #[must_use]
    pub fn over(self, lower: &Rule) -> Rule {
        Rule {
            access: self.access.or(lower.access),
            methods: self.methods.or_else(|| lower.methods.clone()),
            paths: self.paths.or_else(|| lower.paths.clone()),
        }
    }
}

pub(super) fn over_each<T: Clone>(
    own: BTreeMap<String, T>,
    lower: &BTreeMap<String, T>,
    join: impl Fn(T, &T) -> T,
) -> BTreeMap<String, T> {
    let mut merged = lower.clone();
    for (key, value) in own {
        let value = match lower.get(&key) {
            Some(below) => join(value, below),
            None => value,
        };
        merged.insert(key, value);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(kind: Option<AgentKind>, model: Option<&str>) -> Agent {
        Agent { kind, model: model.map(str::to_owned), ..Agent::default() }
    }

    #[test]
    fn another_kind_of_agent_replaces_the_whole_map() {
        let lower = agent(None, Some("opus"));
        let (claude, codex) = (Some(AgentKind::Claude), Some(AgentKind::Codex));
        assert_eq!(agent(codex, None).over(&lower), Agent { replaces: true, ..agent(codex, None) });
        assert_eq!(agent(claude, None).over(&lower), agent(claude, Some("opus")));
        assert_eq!(agent(None, Some("sonnet")).over(&lower), agent(None, Some("sonnet")));
        let back = agent(claude, None).over(&agent(codex, None));
        assert_eq!(back.over(&lower).model, None, "what codex replaced does not come back with claude");
    }

    #[test]
    fn a_repository_can_be_turned_off_and_on_again() {
        let said = |off: Option<bool>, base: Option<&str>| Repository {
            off,
            base: base.map(str::to_owned),
            ..Repository::default()
        };
        let off = said(Some(true), None).over(&said(Some(false), Some("main")));
        assert_eq!(off.off, Some(true));
        assert_eq!(said(None, None).over(&off), off);
        assert_eq!(said(Some(false), None).over(&off), said(Some(false), Some("main")));
    }

    #[test]
    fn a_cache_keeps_its_path_when_it_is_turned_off_and_on() {
        let lower = Cache { on: true, path: Some("/c".to_owned()), scope: None };
        let off = Cache { on: false, path: None, scope: None }.over(&lower);
        assert!(!off.on);
        assert_eq!(Cache { on: true, path: None, scope: None }.over(&off), lower);
    }
}
