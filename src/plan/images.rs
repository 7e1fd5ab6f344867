//! Pure. Which images `up` gets before it looks at anything else, and why: what a dry run tells and does not do.

use crate::manifest::project::{Image, PullPolicy, Session};
use crate::render::desired::Desired;
use serde::Serialize;
use std::fmt;

/// How an image is got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From its registry.
    Pull,
    /// From its context.
    Build,
}

/// An image that is got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fetch {
    /// How.
    pub op: Way,
    /// Its reference.
    pub reference: String,
    /// For which sessions.
    pub sessions: Vec<String>,
    /// Why.
    pub reason: &'static str,
}

/// Whether a session's image is got, where the engine holds it already or not.
pub fn way(session: &Session, present: bool) -> Option<Way> {
    let way = match session.image {
        Image::Reference(_) => Way::Pull,
        Image::Build(_) => Way::Build,
    };
    let wanted = match (session.pull_policy, way) {
        (PullPolicy::Always, _) => true,
        (PullPolicy::Missing, _) | (PullPolicy::Never, Way::Build) => !present,
        (PullPolicy::Never, Way::Pull) => false,
    };
    wanted.then_some(way)
}

/// What is got for these sessions, and a sentence for each image that is missing and will stay so.
pub fn fetches(desired: &[Desired], present: impl Fn(&str) -> bool) -> (Vec<Fetch>, Vec<String>) {
    let (mut fetches, mut notes) = (Vec::<Fetch>::new(), Vec::new());
    for wanted in desired {
        let (reference, here) = (&wanted.image, present(&wanted.image));
        let name = wanted.session.name.clone();
        if let Some(known) = fetches.iter_mut().find(|fetch| fetch.reference == *reference) {
            known.sessions.push(name);
        } else if let Some(op) = way(&wanted.session, here) {
            let reason = if here { "`pull_policy: always`" } else { "the engine does not have it" };
            fetches.push(Fetch { op, reference: reference.clone(), sessions: vec![name], reason });
        } else if !here {
            notes.push(format!(
                "the engine has no image `{reference}`, and `pull_policy: never` keeps it so: `up` fails"
            ));
        }
    }
    notes.dedup();
    (fetches, notes)
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pull => "pull",
            Self::Build => "build",
        })
    }
}

impl fmt::Display for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.op, self.reference, self.reason)
    }
}
