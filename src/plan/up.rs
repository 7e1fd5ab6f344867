//! Pure. The plan of `up` and of `down`.

use super::action::{Deferred, Effect, Plan, Reason, SessionPlan, Step};
use super::changes::changes;
use super::observed::{Container, ContainerState, Known, Observed};
use super::touched;
use crate::manifest::effect;
use crate::manifest::project::Mode;
use crate::render::desired::Desired;
use std::collections::BTreeSet;

/// What the user asked for beside the manifest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Replace containers though nothing changed.
    pub recreate: bool,
    /// Begin new conversations.
    pub renew: bool,
    /// Wait for no agent.
    pub now: bool,
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
        let (session, later) = session(wanted, observed, options);
        plan.sessions.extend(session);
        let defer = |reason| Deferred { session: wanted.session.name.clone(), id: wanted.id.clone(), reason };
        plan.deferred.extend(later.into_iter().map(defer));
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
        if container.runs() {
            steps.push(Step::Stop(name.clone()));
        }
        steps.extend([Step::Import, Step::Remove(name.clone())]);
        SessionPlan {
            session: container.label("session").to_owned(),
            id: container.label("id").to_owned(),
            steps,
            effect: Effect::Destroy,
            reasons: vec![Reason::observed("asked for")],
            waits: false,
            conversation: 0,
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

/// What is done for one session, and which of its changes are left for later.
fn session(wanted: &Desired, observed: &Observed, options: Options) -> (Option<SessionPlan>, Vec<Reason>) {
    let known = observed.known.get(&wanted.id).cloned().unwrap_or_default();
    let Some(found) = observed.session(&wanted.id) else {
        let reason = vec![Reason::observed("not there")];
        return (Some(planned(wanted, None, &known, (Effect::Create, reason), options)), Vec::new());
    };
    let finished = has_finished(wanted, found) && !options.renew && !options.recreate;
    let (mut due, mut later) = (Vec::new(), Vec::new());
    for reason in changes(wanted, found, &known) {
        let now = match reason.effect {
            Some(effect::Effect::NewCheckout) => false,
            Some(effect::Effect::NewConversation) => options.renew,
            // What has done its work is not begun again for a change.
            Some(effect::Effect::Restart | effect::Effect::Recreate) => !finished,
            _ => true,
        };
        if now { due.push(reason) } else { later.push(reason) }
    }
    if !finished {
        due.extend(adrift(wanted, &known, &due));
    }
    if found.name != wanted.container {
        let (old, new) = (Some(found.name.clone()), Some(wanted.container.clone()));
        let effect = Some(effect::Effect::Live);
        due.push(Reason { field: "container's name".to_owned(), old, new, effect });
    }
    let mut decided = decide(wanted, found, due, options);
    // A batch session is given its prompt whenever it starts.
    if let Some((_, reasons)) = decided.as_mut().filter(|(effect, _)| *effect != Effect::Live)
        && wanted.session.mode == Mode::Batch
    {
        let prompt = |reason: &mut Reason| reason.effect == Some(effect::Effect::NewConversation);
        reasons.extend(later.extract_if(.., prompt));
    }
    (decided.map(|decided| planned(wanted, Some(found), &known, decided, options)), later)
}

/// Whether a batch session has done its work.
fn has_finished(wanted: &Desired, found: &Container) -> bool {
    let batch = wanted.session.mode == Mode::Batch && found.label("mode") == Mode::Batch.as_str();
    batch && found.state == ContainerState::Exited(0)
}

/// What happened to a session behind our back that its container is replaced for.
fn adrift(wanted: &Desired, known: &Known, due: &[Reason]) -> Vec<Reason> {
    let mut reasons = touched::reasons(&known.touched, &wanted.fields, due);
    if known.lost {
        let effect = Some(effect::Effect::Recreate);
        reasons.push(Reason { effect, ..Reason::observed("its checkout is gone") });
    }
    reasons
}

/// What becomes of a session that has a container, and why.
fn decide(
    wanted: &Desired,
    found: &Container,
    mut due: Vec<Reason>,
    options: Options,
) -> Option<(Effect, Vec<Reason>)> {
    if options.renew {
        due.insert(0, Reason::observed("a new conversation was asked for"));
    } else if options.recreate && due.is_empty() {
        due.push(Reason::observed("asked for"));
    }
    let strongest = due.iter().filter_map(|reason| reason.effect).max();
    let recreates = options.renew || options.recreate || strongest == Some(effect::Effect::Recreate);
    if found.state == ContainerState::Dead {
        due.insert(0, Reason::observed("dead"));
    }
    if recreates || found.state == ContainerState::Dead {
        return Some((Effect::Recreate, due));
    }
    let starts = match found.state {
        ContainerState::Created => Some("never started".to_owned()),
        // A batch session that ended well has done its work.
        ContainerState::Exited(0) if has_finished(wanted, found) => None,
        ContainerState::Exited(code) => Some(format!("exited with code {code}")),
        ContainerState::Running | ContainerState::Restarting | ContainerState::Dead => None,
    };
    if let Some(why) = starts {
        due.insert(0, Reason::observed(&why));
        return Some((Effect::Start, due));
    }
    match strongest? {
        effect::Effect::Restart => Some((Effect::Restart, due)),
        _ => Some((Effect::Live, due)),
    }
}

fn planned(
    wanted: &Desired,
    found: Option<&Container>,
    known: &Known,
    (effect, reasons): (Effect, Vec<Reason>),
    options: Options,
) -> SessionPlan {
    let told = found.map_or("", |found| found.label("conversation")).parse().unwrap_or(0);
    let conversation = known.conversation.max(told).max(1);
    let steps = steps(wanted, found, effect, options.now);
    SessionPlan {
        session: wanted.session.name.clone(),
        id: wanted.id.clone(),
        waits: known.working && steps.contains(&Step::AwaitIdle),
        steps,
        effect,
        reasons,
        conversation: if options.renew && effect != Effect::Live { conversation + 1 } else { conversation },
    }
}

fn steps(wanted: &Desired, found: Option<&Container>, effect: Effect, now: bool) -> Vec<Step> {
    let (name, mut steps) = (&wanted.container, Vec::new());
    if let Some(found) = found.filter(|_| matches!(effect, Effect::Restart | Effect::Recreate)) {
        if found.runs() {
            steps.extend((!now).then_some(Step::AwaitIdle));
            steps.push(Step::Stop(found.name.clone()));
        }
        if effect == Effect::Recreate {
            steps.push(Step::Remove(found.name.clone()));
        }
    }
    if let Some(found) = found.filter(|found| effect != Effect::Recreate && found.name != *name) {
        steps.push(Step::Rename(found.name.clone(), name.clone()));
    }
    match effect {
        Effect::Live => steps.push(Step::Serve),
        Effect::Create | Effect::Recreate => steps.extend([
            Step::Checkout,
            Step::Prepare,
            Step::Create(name.clone()),
            Step::Start(name.clone()),
        ]),
        Effect::Start | Effect::Restart => {
            steps.extend([Step::Checkout, Step::Prepare, Step::Start(name.clone())]);
        }
        Effect::Destroy => {}
    }
    steps
}
