//! Pure. The plan of `up` and of `down`.

use super::action::{Effect, Plan, Reason, SessionPlan, Step};
use super::observed::{Container, ContainerState, Observed};
use crate::manifest::project::Mode;
use crate::render::desired::Desired;
use crate::render::fields::{Fields, IMAGE, spec_hash};
use std::collections::BTreeSet;

/// What the user asked for beside the manifest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Replace containers though nothing changed.
    pub recreate: bool,
}

/// Why nothing can be planned.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// A container of the name belongs to something else.
    #[error("the container `{name}` belongs to {holder}")]
    Foreign {
        /// The container's name.
        name: String,
        /// Whose it is, in words.
        holder: String,
    },
}

/// The plan that brings every desired session up.
pub fn up(desired: &[Desired], observed: &Observed, options: Options) -> Result<Plan, Refusal> {
    let mut plan = Plan::default();
    for wanted in desired {
        refuse_foreign(wanted, observed)?;
        if let Some(session) = session(wanted, observed.session(&wanted.id), options) {
            plan.sessions.push(session);
        }
    }
    let known: BTreeSet<&str> = desired.iter().map(|wanted| wanted.id.as_str()).collect();
    for stray in observed.containers.iter().filter(|container| !known.contains(container.label("id"))) {
        if desired.first().is_some_and(|wanted| same_project(wanted, stray, observed)) {
            plan.notes.push(format!(
                "`{}` is not in the manifest any more: `clauderon down {}` removes it",
                stray.name,
                stray.label("session")
            ));
        }
    }
    Ok(plan)
}

/// The plan that takes the given containers away.
pub fn down(containers: &[&Container]) -> Plan {
    let sessions = containers.iter().map(|container| {
        let name = &container.name;
        let mut steps = Vec::new();
        if matches!(container.state, ContainerState::Running | ContainerState::Restarting) {
            steps.push(Step::Stop(name.clone()));
        }
        steps.extend([Step::Import, Step::Remove(name.clone())]);
        SessionPlan {
            session: container.label("session").to_owned(),
            id: container.label("id").to_owned(),
            steps,
            effect: Effect::Destroy,
            reasons: vec![Reason::observed("asked for")],
        }
    });
    Plan { sessions: sessions.collect(), ..Plan::default() }
}

fn same_project(wanted: &Desired, stray: &Container, observed: &Observed) -> bool {
    let sibling = observed.session(&wanted.id);
    sibling.is_some_and(|sibling| {
        ["root", "owner", "project"].iter().all(|label| sibling.label(label) == stray.label(label))
    })
}

fn refuse_foreign(wanted: &Desired, observed: &Observed) -> Result<(), Refusal> {
    let same_name = |container: &&Container| container.name == wanted.container;
    match observed.containers.iter().find(same_name) {
        Some(other) if other.label("id") != wanted.id => {
            let holder =
                format!("the project at `{}`, owner `{}`", other.label("root"), other.label("owner"));
            Err(Refusal::Foreign { name: wanted.container.clone(), holder })
        }
        _ => Ok(()),
    }
}

fn session(wanted: &Desired, found: Option<&Container>, options: Options) -> Option<SessionPlan> {
    let name = wanted.container.clone();
    let planned = |effect, reasons, steps| {
        Some(SessionPlan {
            session: wanted.session.name.clone(),
            id: wanted.id.clone(),
            steps,
            effect,
            reasons,
        })
    };
    let create = [Step::Checkout, Step::Prepare, Step::Create(name.clone()), Step::Start(name.clone())];
    let Some(found) = found else {
        return planned(Effect::Create, vec![Reason::observed("not there")], create.into());
    };
    let mut reasons = differences(&found.fields(), wanted, found.label("spec"));
    if options.recreate && reasons.is_empty() {
        reasons.push(Reason::observed("asked for"));
    }
    if !reasons.is_empty() || found.state == ContainerState::Dead {
        let mut steps = Vec::new();
        if matches!(found.state, ContainerState::Running | ContainerState::Restarting) {
            steps.push(Step::Stop(found.name.clone()));
        }
        steps.push(Step::Remove(found.name.clone()));
        steps.extend(create);
        return planned(Effect::Recreate, reasons, steps);
    }
    let start = || vec![Step::Checkout, Step::Prepare, Step::Start(name.clone())];
    match found.state {
        ContainerState::Created => planned(Effect::Start, vec![Reason::observed("never started")], start()),
        // A batch session that ended well has done its work.
        ContainerState::Exited(0) if wanted.session.mode == Mode::Batch => None,
        ContainerState::Exited(code) => {
            planned(Effect::Start, vec![Reason::observed(&format!("exited with code {code}"))], start())
        }
        ContainerState::Running | ContainerState::Restarting | ContainerState::Dead => None,
    }
}

/// Each field that both sides know and that differs. A field that only one side knows counts when the
/// container was made by the same version of the field set; else a newer clauderon would recreate by itself.
fn differences(old: &Fields, wanted: &Desired, label: &str) -> Vec<Reason> {
    let new = &wanted.fields;
    let hash = spec_hash(new, &wanted.image);
    if label == hash && old.get(IMAGE) == new.get(IMAGE) {
        return Vec::new();
    }
    let version = |hash: &str| hash.split(':').next().unwrap_or_default().to_owned();
    let same_version = version(label) == version(&hash);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .filter(|name| same_version || (old.contains_key(*name) && new.contains_key(*name)))
        .map(|name| Reason { field: name.clone(), old: old.get(name).cloned(), new: new.get(name).cloned() })
        .collect()
}
