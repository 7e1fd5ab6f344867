//! Projects made in code, for tests that begin behind the manifest.

use clauderon::home::Home;
use clauderon::manifest::project::*;
use clauderon::render::facts::HostFacts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A session with every default of the manifest, on the image `agents:1`.
pub fn session(name: &str) -> Session {
    Session {
        name: name.to_owned(),
        image: Image::Reference("agents:1".to_owned()),
        pull_policy: PullPolicy::Missing,
        agent: Agent { kind: AgentKind::Claude, model: None, args: Vec::new() },
        prompt: Some("Do it".to_owned()),
        mode: Mode::Interactive,
        permissions: Permissions::Bypass,
        repository: None,
        caches: Vec::new(),
        environment: BTreeMap::new(),
        volumes: Vec::new(),
        resources: Resources { cpus: None, memory: None, pids: 1024 },
        restart: Restart::OnFailure(3),
        budget: Budget::default(),
        timeout: Timeout::default(),
        labels: BTreeMap::new(),
        egress: Egress::Sealed,
        hosts: BTreeMap::new(),
        access: clauderon::manifest::project::Access::ReadWrite,
        credentials: BTreeMap::new(),
    }
}

/// A project of these sessions.
pub fn project(sessions: Vec<Session>) -> Project {
    let root = PathBuf::from("/projects/shop");
    Project {
        name: "shop".to_owned(),
        file: root.join("clauderon.yaml"),
        root,
        variables: BTreeSet::new(),
        unheld: BTreeSet::new(),
        notify: clauderon::manifest::project::notify::Notify::default(),
        sessions,
    }
}

/// A host whose user is 1000:1000.
pub fn host() -> HostFacts {
    HostFacts {
        home: Home::at("/state/clauderon"),
        uid: 1000,
        gid: 1000,
        system_roots: "ROOTS".to_owned(),
        http_port: 3030,
        found: BTreeMap::new(),
    }
}
