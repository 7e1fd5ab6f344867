//! Pure. Settles `credentials` of a level, and makes of merged levels what is lent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::diagnostic::Fault;
use super::diagnostic::quoted;
use super::finding::{Finding, Wrong};
use super::host::host_name;
use super::layer::{Layer, Role};
use super::level::{self, Rule};
use super::project::{self, Access, AgentKind, Egress, HostAccess, Source, Target};
use super::settle::Settle;
use super::written::Settings;
use super::written::credential::{Credential as Written, From};
use crate::credential::known::{KNOWN, Kind, implied};

/// Seconds that a command may take where nothing is said.
const TIMEOUT: u64 = 10;

/// What a level says of one credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// Whether it is lent; anything but `false` turns it on.
    pub on: bool,
    /// Where its value comes from.
    pub from: Option<Source>,
    /// The host and port that it is sent to.
    pub host: Option<(String, u16)>,
    /// The header.
    pub header: Option<String>,
    /// The header's value.
    pub value: Option<String>,
    /// What a request must be.
    pub rule: Rule,
    /// Variables that hold its placeholder.
    pub environment: Option<Vec<String>>,
}

impl Credential {
    /// This laid over a lower one. Who sends it elsewhere says where it comes from: no value of a lower file follows.
    pub(super) fn over(self, lower: &Credential) -> Credential {
        if self.host.is_some() && self.host != lower.host {
            return self;
        }
        Credential {
            on: self.on,
            from: self.from.or_else(|| lower.from.clone()),
            host: self.host.or_else(|| lower.host.clone()),
            header: self.header.or_else(|| lower.header.clone()),
            value: self.value.or_else(|| lower.value.clone()),
            rule: self.rule.over(&lower.rule),
            environment: self.environment.or_else(|| lower.environment.clone()),
        }
    }
}

/// The credentials that a level names.
pub(super) fn credentials(settle: &mut Settle<'_>, settings: &Settings) -> BTreeMap<String, Credential> {
    let mut credentials = BTreeMap::new();
    for (name, form) in settings.credentials.iter().flatten() {
        let Some(written) = form else { continue };
        let name = name.0.as_str();
        if KNOWN.contains(&name) {
            known(settle, name, written);
        }
        let keys = ["credentials", name];
        let said = Credential {
            on: written.switch.unwrap_or(true),
            from: written.from.as_ref().and_then(|from| source(settle, name, from)),
            host: written.host.as_deref().and_then(|text| {
                let host = host(text);
                settle.keep(&[keys[0], keys[1], "host"], host)
            }),
            header: written.header.as_ref().map(|header| header.0.clone()),
            value: written.value.as_ref().map(|value| value.0.clone()),
            rule: Rule {
                access: written.access.map(|word| match word.0 {
                    Access::ReadWrite => HostAccess::ReadWrite,
                    Access::ReadOnly => HostAccess::ReadOnly,
                }),
                methods: written.methods.as_ref().map(|list| list.iter().map(|it| it.0.clone()).collect()),
                paths: written.paths.as_ref().map(|list| list.iter().map(|it| it.0.clone()).collect()),
            },
            environment: written.environment.as_ref().map(super::written::credential::Names::all),
        };
        credentials.insert(name.to_owned(), said);
    }
    credentials
}

/// A known credential has its own place.
fn known(settle: &mut Settle<'_>, name: &str, written: &Written) {
    let says = [
        ("host", written.host.is_some()),
        ("header", written.header.is_some()),
        ("value", written.value.is_some()),
        ("environment", written.environment.as_ref().is_some_and(|names| !tells(name, &names.all()))),
    ];
    for (key, _) in says.into_iter().filter(|(_, said)| *said) {
        let wrong = Wrong::new(format!("the credential {} has its own {key}", quoted(name)));
        settle.note_key(
            &["credentials", name, key],
            wrong.help("leave it out, or give the credential another name"),
        );
    }
}

/// Whether these variables tell which of the two a source gives: a token of Claude's or an API key.
fn tells(name: &str, variables: &[String]) -> bool {
    let of = |kind| crate::credential::known::variables(name, kind);
    name == "anthropic" && (variables == of(Kind::Token) || variables == of(Kind::Key))
}

fn source(settle: &mut Settle<'_>, name: &str, from: &From) -> Option<Source> {
    if !from.command.0.is_empty() {
        let timeout = from.timeout.map_or(TIMEOUT, |seconds| seconds.0);
        return Some(Source::Command { argv: from.command.0.clone(), timeout });
    }
    if let Some(name) = from.text.strip_prefix("env:") {
        return Some(Source::Env(name.to_owned()));
    }
    let Some(file) = from.text.strip_prefix("file:") else {
        return Some(Source::Op(from.text.clone()));
    };
    let (path, pointer) = file.split_once('#').unwrap_or((file, ""));
    let path: PathBuf = settle.host_path(&["credentials", name, "from"], path)?;
    Some(Source::File { path, pointer: pointer.to_owned(), fixed: false })
}

/// `HOST` or `HOST:PORT`.
fn host(text: &str) -> Result<(String, u16), Wrong> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match text.rsplit_once(':') {
        Some((name, number)) if !name.contains(':') => {
            let wrong =
                || Wrong::new(format!("{} is no port", quoted(number))).help("such as `acme.dev:8443`");
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            Ok((host_name(name)?, port(number).filter(|_| digits).ok_or_else(wrong)?))
        }
        _ => Ok((host_name(text)?, 443)),
    }
}

/// Commands of files that are not the user's own and that the user's own does not name: they would run on this machine.
pub(super) fn not_the_projects(layers: &[Layer]) -> Vec<(usize, Fault)> {
    let users = |layer: &&Layer| layer.role == Role::User;
    let own: Vec<(&String, &Credential)> = layers
        .iter()
        .filter(users)
        .flat_map(|layer| std::iter::once(&layer.defaults).chain(layer.sessions.values()))
        .flat_map(|level| &level.credentials)
        .collect();
    let others = layers.iter().enumerate().filter(|(_, layer)| layer.role != Role::User);
    others
        .flat_map(|(index, layer)| {
            commands(layer, &own).into_iter().map(move |finding| (index, finding.place(&layer.tree)))
        })
        .collect()
}

fn commands(layer: &Layer, own: &[(&String, &Credential)]) -> Vec<Finding> {
    let defaults = layer.defaults.credentials.iter().map(|said| (Vec::new(), said));
    let sessions = layer.sessions.iter().flat_map(|(session, level)| {
        let base = vec!["sessions".to_owned(), session.clone()];
        level.credentials.iter().map(move |said| (base.clone(), said))
    });
    let runs = |(base, (name, said)): (Vec<String>, (&String, &Credential))| {
        let path = [base, ["credentials", name.as_str(), "from"].map(str::to_owned).to_vec()].concat();
        let command = matches!(said.from, Some(Source::Command { .. }));
        let same = |(other, theirs): &(&String, &Credential)| {
            *other == name && theirs.from == said.from && theirs.host == said.host
        };
        (command && !own.iter().any(same)).then(|| {
            let wrong = Wrong::new("a project's manifest names no command that runs on this machine");
            let help = "only your own `clauderon/clauderon.yaml` in the configuration directory may; say there what \
                        the credential is, and here only its name";
            Finding::value(path, wrong.help(help))
        })
    };
    defaults.chain(sessions).filter_map(runs).collect()
}

/// A credential that cannot be lent: the keys below it at which to say so, and what is wrong.
pub(super) struct Unlent {
    pub name: String,
    pub wrong: Wrong,
}

/// What is lent to a session: the named ones and the agent's own. An open network is not the proxy's to lend on.
pub(super) fn resolve(
    mut said: BTreeMap<String, Credential>,
    agent: AgentKind,
    egress: Egress,
) -> (BTreeMap<String, Box<project::Credential>>, Vec<Unlent>) {
    let (mut lent, mut unlent) = (BTreeMap::new(), Vec::new());
    if egress == Egress::Open {
        return (lent, unlent);
    }
    for name in implied(agent) {
        said.entry((*name).to_owned()).or_insert_with(|| Credential { on: true, ..Credential::default() });
    }
    for (name, said) in said.into_iter().filter(|(_, said)| said.on) {
        match one(&name, said) {
            Ok(credential) => drop(lent.insert(name, Box::new(credential))),
            Err(wrong) => unlent.push(Unlent { name, wrong }),
        }
    }
    (lent, unlent)
}

fn one(name: &str, said: Credential) -> Result<project::Credential, Wrong> {
    let target = match said.host {
        _ if KNOWN.contains(&name) => None,
        Some((host, port)) => Some(Target {
            host,
            port,
            header: said.header.unwrap_or_else(|| "Authorization".to_owned()),
            value: said.value.unwrap_or_else(|| "Bearer {}".to_owned()),
        }),
        None => {
            let wrong = Wrong::new(format!("the credential {} has no host", quoted(name)));
            let known = KNOWN.map(|known| format!("`{known}`")).join(", ");
            return Err(wrong.help(format!(
                "name the one that it is sent to: `{name}: {{from: env:TOKEN, host: api.acme.dev}}`; known are {known}"
            )));
        }
    };
    if target.is_some() && said.from.is_none() {
        let wrong = Wrong::new(format!("the credential {} comes from nowhere", quoted(name)));
        return Err(wrong.help("give it a source beside its host, such as `from: env:TOKEN`"));
    }
    let environment = said.environment.unwrap_or_else(|| match &said.from {
        Some(Source::Env(variable)) if target.is_some() => vec![variable.clone()],
        _ => Vec::new(),
    });
    let rule = project::Rule {
        access: said.rule.access.unwrap_or_default(),
        methods: said.rule.methods,
        paths: said.rule.paths,
    };
    Ok(project::Credential { from: said.from, target, rule, environment, place: String::new() })
}

/// What is lent, in the manifest's words.
pub(super) fn written(session: &project::Session) -> serde_json::Value {
    use serde_json::{Map, Value, json};
    let mut map = Map::new();
    let sealed = session.egress == Egress::Sealed;
    for name in implied(session.agent.kind).iter().filter(|_| sealed) {
        if !session.credentials.contains_key(*name) {
            map.insert((*name).to_owned(), json!(false));
        }
    }
    for (name, credential) in &session.credentials {
        let mut said = Map::new();
        let mut set = |key: &str, value: Value| {
            if !value.is_null() {
                said.insert(key.to_owned(), value);
            }
        };
        set("from", credential.from.as_ref().map_or(Value::Null, from));
        if let Some(Target { host, port, header, value }) = &credential.target {
            let host = if *port == 443 { host.clone() } else { format!("{host}:{port}") };
            set("host", json!(host));
            set("header", json!(header));
            set("value", json!(value));
            set("environment", json!(credential.environment));
        }
        set("access", json!(credential.rule.access));
        set("methods", json!(credential.rule.methods));
        set("paths", json!(credential.rule.paths));
        map.insert(name.clone(), Value::Object(said));
    }
    Value::Object(map)
}

fn from(source: &Source) -> serde_json::Value {
    match source {
        Source::Command { argv, timeout } => serde_json::json!({ "command": argv, "timeout": timeout }),
        other => serde_json::json!(other.to_string()),
    }
}

/// The level's map, merged by name.
pub(super) fn over(
    own: BTreeMap<String, Credential>,
    lower: &BTreeMap<String, Credential>,
) -> BTreeMap<String, Credential> {
    level::over_each(own, lower, Credential::over)
}
