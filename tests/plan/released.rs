//! Labels as each version of the hash wrote them on containers: a later release recreates none of them by itself.

use super::text;
use crate::support::project::host;
use clauderon::manifest::project::Project;
use clauderon::manifest::source;
use clauderon::plan::observed::{Container, ContainerState, Observed};
use clauderon::render::desired::desired;
use clauderon::render::fields::spec_hash;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn labels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/labels")
}

fn shop() -> Project {
    source::load(&labels().join("manifest.yaml")).unwrap_or_else(|_| panic!("the manifest is not valid"))
}

/// The containers of the manifest's sessions as a release of this version left them.
fn made_by(version: &str, shop: &Project) -> Observed {
    let text = std::fs::read_to_string(labels().join(format!("{version}.json"))).unwrap();
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(all.len(), shop.sessions.len());
    let container = |(session, made): (&_, &Value)| {
        let desired = desired(shop, session, &host(), ("agents:1", ""));
        assert_eq!(made["session"], desired.session.name);
        let spec = made["spec"].as_str().unwrap();
        assert!(spec.starts_with(&format!("{version}:")), "{spec}");
        let labels = [
            ("clauderon.id", desired.id),
            ("clauderon.session", desired.session.name),
            ("clauderon.spec", spec.to_owned()),
            ("clauderon.fields", made["fields"].to_string()),
        ];
        Container {
            name: desired.container,
            labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
            state: ContainerState::Running,
            ..Container::default()
        }
    };
    Observed { containers: shop.sessions.iter().zip(&all).map(container).collect(), ..Observed::default() }
}

/// Every version of the hash that was ever written, this one last.
const VERSIONS: [&str; 2] = ["v1", "v2"];

#[test]
fn a_new_release_recreates_nothing_for_its_own_sake() {
    for version in VERSIONS {
        let shop = shop();
        assert_eq!(text(&shop, "", &made_by(version, &shop)), "", "made by {version}");
    }
}

#[test]
fn labels_of_this_version_are_kept_too() {
    let (newest, shop) = (VERSIONS[VERSIONS.len() - 1], shop());
    let observed = made_by(newest, &shop);
    for (session, container) in shop.sessions.iter().zip(&observed.containers) {
        let desired = desired(&shop, session, &host(), ("agents:1", ""));
        let hint = "the set of fields has changed: raise its version, and add labels of it beside the others";
        assert_eq!(spec_hash(&desired.fields, "agents:1"), container.label("spec"), "{hint}");
        assert_eq!(desired.fields, container.fields(), "{hint}");
    }
}

#[test]
fn what_the_user_changes_with_a_new_release_is_seen_all_the_same() {
    for version in VERSIONS {
        let before = shop();
        let observed = made_by(version, &before);
        let mut after = before;
        after.sessions[0].environment.insert("NEW".to_owned(), "1".to_owned());
        after.sessions[1].volumes.clear();
        after.sessions[2].resources.pids = 9;
        assert_eq!(
            text(&after, "", &observed),
            "recreate plain: environment.NEW added: (hidden) [recreate]\n\
             recreate full: volumes./data removed: data:ro [recreate]\n\
             recreate coder: resources.pids: 1024 → 9 [recreate]\n",
            "made by {version}"
        );
    }
    let mut shop = shop();
    let observed = made_by("v1", &shop);
    shop.sessions[1].agent.model = Some("sonnet".to_owned());
    let told = text(&shop, "", &observed);
    assert_eq!(told, "restart full: agent.model: opus → sonnet [restart]\n", "the first version knew it");
}
