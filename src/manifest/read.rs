//! Pure. From a JSON value to the typed manifest as written. This is the fast path: it says yes or no in one pass;
//! what exactly is wrong is found by `check` with the schema.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::finding::Finding;
use super::form::Form;
use super::scalar::Name;
use super::written::notify::Notify;
use super::written::{Session, Settings};

/// A manifest as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// The project's name.
    pub name: Option<Name>,
    /// The defaults of all sessions.
    pub defaults: Settings,
    /// What is run on this machine.
    pub notify: Option<Notify>,
    /// The sessions, in order.
    pub sessions: Option<IndexMap<Name, Settings>>,
}

/// Reads a manifest; of several faults the first is told.
pub fn read(value: Value) -> Result<Manifest, Finding> {
    let mut root = match value {
        Value::Object(map) => map,
        Value::Null => Map::new(),
        _ => return Err(Finding::new(Vec::new(), "a manifest is a map of keys and values")),
    };
    let name: Option<Name> = typed(root.shift_remove("name").unwrap_or_default(), "name")?;
    let notify: Option<Notify> = typed(root.shift_remove("notify").unwrap_or_default(), "notify")?;
    let mut sessions = root.shift_remove("sessions").unwrap_or_default();
    if let Value::Object(map) = &mut sessions {
        map.values_mut().for_each(strip);
    }
    let sessions: Option<IndexMap<Name, Option<Form<Session>>>> = typed(sessions, "sessions")?;
    if sessions.as_ref().is_some_and(IndexMap::is_empty) {
        return Err(Finding::new(vec!["sessions".to_owned()], "`sessions` is empty"));
    }
    let mut defaults = Value::Object(root);
    strip(&mut defaults);
    // An empty value says nothing; anything else but `false` turns a session on.
    let settings = |form: Option<Form<Session>>| match form {
        Some(Form(Session(settings))) => Settings { switch: settings.switch.or(Some(true)), ..settings },
        None => Settings::default(),
    };
    Ok(Manifest {
        name,
        notify,
        defaults: typed::<Form<Settings>>(defaults, "")?.0,
        sessions: sessions.map(|map| map.into_iter().map(|(name, form)| (name, settings(form))).collect()),
    })
}

/// Takes away the free keys of a level.
fn strip(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|key, _| !key.starts_with("x-"));
    }
}

fn typed<T: DeserializeOwned>(value: Value, key: &str) -> Result<T, Finding> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let steps = error.path().iter().filter_map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
            serde_path_to_error::Segment::Map { key } => Some(key.clone()),
            _ => None,
        });
        let path = Some(key.to_owned()).into_iter().filter(|key| !key.is_empty()).chain(steps).collect();
        Finding::new(path, error.inner().to_string())
    })
}
