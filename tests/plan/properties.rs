//! What holds of every plan: it says why, does each thing once and in order, leaves alone what did not change, and has
//! nothing to do once it was applied.

use super::all;
use super::model::{NEVER, World};
use crate::support::project::{project, session};
use clauderon::manifest::effect::Effect as Declared;
use clauderon::manifest::project::*;
use clauderon::plan::action::{Effect, Plan, SessionPlan, Step};
use clauderon::plan::observed::{Container, Observed};
use clauderon::plan::up::{Options, down, up};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What may be changed of a session, and what that does.
type Change = (Declared, fn(&mut Session));

pub const CHANGES: [Change; 19] = [
    (Declared::Live, |it| it.access = Access::ReadOnly),
    (Declared::Live, |it| drop(it.hosts.insert("denied.example".to_owned(), Host::default()))),
    (Declared::Restart, |it| it.agent.model = Some("opus".to_owned())),
    (Declared::Restart, |it| it.agent.args = vec!["--effort".to_owned(), "high".to_owned()]),
    (Declared::Restart, |it| it.permissions = Permissions::Ask),
    (Declared::Recreate, |it| drop(it.environment.insert("COLOUR".to_owned(), "blue".to_owned()))),
    (Declared::Recreate, |it| drop(it.labels.insert("team".to_owned(), "shop".to_owned()))),
    (Declared::Recreate, |it| it.resources.pids = 9),
    (Declared::Recreate, |it| it.resources.memory = Some(1 << 30)),
    (Declared::Recreate, |it| it.resources.cpus = Some(1.5)),
    (Declared::Recreate, |it| it.restart = Restart::No),
    (Declared::Recreate, |it| it.egress = Egress::Open),
    (Declared::Recreate, |it| it.agent.kind = AgentKind::Codex),
    (Declared::Recreate, |it| it.mode = Mode::Batch),
    (Declared::Recreate, |it| {
        it.volumes.push(Volume {
            source: VolumeSource::Named("data".to_owned()),
            target: "/data".to_owned(),
            read_only: true,
        });
    }),
    (Declared::Recreate, |it| {
        let paths = vec![("next".to_owned(), "/workspace/.next".to_owned())];
        it.caches.push(Cache { name: "next".to_owned(), paths, scope: CacheScope::Session });
    }),
    (Declared::NewConversation, |it| it.prompt = Some("Do more".to_owned())),
    (Declared::NewCheckout, |it| it.repository.as_mut().unwrap().base = Some("v2".to_owned())),
    (Declared::NewCheckout, |it| it.repository.as_mut().unwrap().copy = vec![".env".into()]),
];

/// A session of this name with these of the changes.
pub fn made(name: &str, changes: u32) -> Session {
    let mut made = session(name);
    made.repository = Some(Repository {
        path: "/projects/shop".into(),
        base: None,
        branch: format!("clauderon/{name}"),
        checkout: clauderon::manifest::project::Checkout::Clone,
        copy: Vec::new(),
    });
    let paths = vec![("registry".to_owned(), "/cargo".to_owned())];
    made.caches.push(Cache { name: "cargo".to_owned(), paths, scope: CacheScope::Shared });
    for (_, change) in bits(changes) {
        change(&mut made);
    }
    made
}

fn bits(changes: u32) -> impl Iterator<Item = Change> {
    CHANGES.into_iter().enumerate().filter(move |(bit, _)| changes >> bit & 1 == 1).map(|(_, change)| change)
}

/// What a change from the one to the other does, where it does anything now.
fn expected(before: u32, after: u32) -> Option<Effect> {
    match bits(before ^ after).map(|(effect, _)| effect).max()? {
        Declared::NewCheckout | Declared::NewConversation => None,
        Declared::Live => Some(Effect::Live),
        Declared::Restart => Some(Effect::Restart),
        Declared::Recreate => Some(Effect::Recreate),
    }
}

pub const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What there is of each session: the bits of its changes, where it is there.
pub fn words() -> impl Strategy<Value = Vec<Option<u32>>> {
    // Few changes are as likely as many.
    let changes =
        prop_oneof![Just(0u32), (0..CHANGES.len()).prop_map(|bit| 1 << bit), 0..1u32 << CHANGES.len()];
    proptest::collection::vec(proptest::option::weighted(0.75, changes), NAMES.len())
}

/// The sessions of a manifest.
pub fn of(words: &[Option<u32>]) -> Vec<Session> {
    NAMES.iter().zip(words).filter_map(|(name, word)| Some(made(name, (*word)?))).collect()
}

pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

/// The order in which steps of one session may come: each later than what it stands on.
fn rank(step: &Step) -> usize {
    match step {
        Step::AwaitIdle => 0,
        Step::Stop(_) => 1,
        Step::Import => 2,
        Step::Remove(_) => 3,
        Step::Rename(..) => 4,
        Step::Serve | Step::Checkout => 5,
        Step::Prepare => 6,
        Step::Create(_) => 7,
        Step::Start(_) => 8,
    }
}

/// Each session once, for a reason, and its steps in an order that has no circle.
pub fn well_formed(plan: &Plan) -> Result<(), TestCaseError> {
    let once: BTreeSet<&str> = plan.sessions.iter().map(|session| session.id.as_str()).collect();
    prop_assert_eq!(once.len(), plan.sessions.len());
    for SessionPlan { steps, reasons, .. } in &plan.sessions {
        prop_assert!(!steps.is_empty() && !reasons.is_empty(), "{}", plan);
        prop_assert!(steps.is_sorted_by(|left, right| rank(left) < rank(right)), "{:?}", steps);
    }
    for deferred in &plan.deferred {
        prop_assert!(deferred.reason.old != deferred.reason.new, "{}", plan);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_does_what_changed_and_nothing_else(before in words(), after in words()) {
        run(async {
            let world = World::default();
            world.up(&project(of(&before)), Options::default(), NEVER).await.unwrap();
            let shop = project(of(&after));
            let plan = world.plan(&shop, Options::default()).await;
            well_formed(&plan)?;
            for (name, (before, after)) in NAMES.iter().zip(before.iter().zip(&after)) {
                let planned = plan.sessions.iter().find(|session| session.session == *name);
                let expected = match (before, after) {
                    (_, None) => None,
                    (None, Some(_)) => Some(Effect::Create),
                    (Some(before), Some(after)) => expected(*before, *after),
                };
                prop_assert_eq!(planned.map(|planned| planned.effect), expected, "{}: {}", name, plan);
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_same_is_planned_from_the_same_in_whichever_order_it_was_seen(before in words(), after in words()) {
        run(async {
            let world = World::default();
            world.up(&project(of(&before)), Options::default(), NEVER).await.unwrap();
            let (desired, observed) = (all(&project(of(&after)), "sha256:1"), world.observe().await);
            let plan = up(&desired, &observed, Options::default()).unwrap();
            prop_assert_eq!(&plan, &up(&desired, &observed, Options::default()).unwrap());
            let mut containers = observed.containers.clone();
            containers.reverse();
            let turned = up(&desired, &Observed { containers, ..observed.clone() }, Options::default()).unwrap();
            prop_assert_eq!((plan.sessions, plan.deferred), (turned.sessions, turned.deferred));
            let down = down(&observed.containers.iter().collect::<Vec<&Container>>());
            well_formed(&down)?;
            prop_assert_eq!(down.sessions.len(), observed.containers.len());
            Ok(())
        })?;
    }

    #[test]
    fn once_a_plan_was_applied_there_is_nothing_to_do(
        before in words(),
        after in words(),
        recreate in any::<bool>(),
        renew in any::<bool>(),
    ) {
        run(async {
            let world = World::default();
            world.up(&project(of(&before)), Options::default(), NEVER).await.unwrap();
            let shop = project(of(&after));
            let options = Options { recreate, renew, now: false };
            let failures = world.up(&shop, options, NEVER).await.unwrap();
            prop_assert!(failures.is_empty(), "{:?}", failures);
            let plan = world.plan(&shop, Options::default()).await;
            prop_assert!(plan.is_empty(), "{}", plan);
            prop_assert!(!renew || plan.deferred.iter().all(|it| it.reason.field != "prompt"), "{}", plan);
            Ok(())
        })?;
    }
}
