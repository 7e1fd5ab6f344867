//! Pure. One snapshot of what the backend holds of a project.

use crate::render::fields::Fields;
use std::collections::BTreeMap;

/// What is known of a session beside its container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether its agent is in the middle of a turn.
    pub working: bool,
    /// The fields that are no part of its container, as they hold now; empty where an older release brought it up.
    pub kept: Fields,
    /// Which conversation it has, counted from 1; 0 where that is not known.
    pub conversation: u32,
    /// What was changed about its container with the engine's own tools: each field as it is now.
    pub touched: BTreeMap<String, String>,
    /// Whether its checkout was there once and is not now.
    pub lost: bool,
}

/// All containers that carry our labels, in the scope that was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The containers, sorted by name.
    pub containers: Vec<Container>,
    /// Containers that run once, for a moment, and are no session's.
    pub helpers: Vec<Container>,
    /// What is known of sessions, by their ids.
    pub known: BTreeMap<String, Known>,
}

/// One container with our labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// The backend's id.
    pub backend_id: String,
    /// The container's name.
    pub name: String,
    /// The image's reference as it was given.
    pub image: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// What it is doing.
    pub state: ContainerState,
    /// When it was made, seconds since 1970.
    pub created: i64,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, never started.
    #[default]
    Created,
    /// Running.
    Running,
    /// Between two runs.
    Restarting,
    /// Ended with this code.
    Exited(i64),
    /// Being removed, or past repair.
    Dead,
}

/// One volume that clauderon made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
}

/// One image that clauderon built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The backend's id.
    pub id: String,
    /// Its names; none for one in whose place another was built.
    pub names: Vec<String>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// What it takes, with what it shares with others.
    pub bytes: u64,
}

impl Image {
    /// The value of one of our labels, empty where there is none.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(&format!("clauderon.{name}")).map_or("", String::as_str)
    }
}

impl Volume {
    /// The value of one of our labels, empty where there is none.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(&format!("clauderon.{name}")).map_or("", String::as_str)
    }
}

impl Container {
    /// The value of one of our labels, empty where there is none.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(&format!("clauderon.{name}")).map_or("", String::as_str)
    }

    /// Whether it has processes.
    pub fn runs(&self) -> bool {
        matches!(self.state, ContainerState::Running | ContainerState::Restarting)
    }

    /// Whether it runs once, for a moment, and is no session's.
    pub fn helps(&self) -> bool {
        !self.label("helper").is_empty()
    }

    /// The fields that it was made from.
    pub fn fields(&self) -> Fields {
        serde_json::from_str(self.label("fields")).unwrap_or_default()
    }
}

impl Observed {
    /// The container of a session, by the session's id.
    pub fn session(&self, id: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.label("id") == id)
    }
}
