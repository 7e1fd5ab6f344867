//! Whatever happened, in whichever order, the last manifest holds after `up`; and `down` leaves nothing of ours and all
//! that is the user's.

use super::model::{NEVER, World};
use super::properties::{NAMES, of, run, well_formed, words};
use super::{all, facts};
use crate::support::project::{host, project, session};
use clauderon::backend::Backend;
use clauderon::manifest::effect::{Effect, of_field};
use clauderon::manifest::project::{Mode, Project};
use clauderon::plan::observed::ContainerState;
use clauderon::plan::up::Options;
use clauderon::render::desired::container;
use clauderon::render::spec::ContainerSpec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What may happen.
#[derive(Clone, Debug)]
enum Happens {
    Edited(Vec<Option<u32>>),
    Up {
        recreate: bool,
        renew: bool,
        dies: usize,
    },
    Down {
        volumes: bool,
        dies: usize,
    },
    /// Behind our back, to the container of a session.
    State(usize, ContainerState),
    Renamed(usize, u32),
    Removed(usize),
}

fn happens() -> impl Strategy<Value = Happens> {
    let dies = || prop_oneof![2 => 0..40usize, 1 => Just(NEVER)];
    let states = prop::sample::select(vec![
        ContainerState::Created,
        ContainerState::Running,
        ContainerState::Restarting,
        ContainerState::Exited(0),
        ContainerState::Exited(137),
        ContainerState::Exited(143),
        ContainerState::Dead,
    ]);
    let which = 0..NAMES.len();
    prop_oneof![
        3 => words().prop_map(Happens::Edited),
        4 => (any::<bool>(), any::<bool>(), dies())
            .prop_map(|(recreate, renew, dies)| Happens::Up { recreate, renew, dies }),
        1 => (any::<bool>(), dies()).prop_map(|(volumes, dies)| Happens::Down { volumes, dies }),
        2 => (which.clone(), states).prop_map(|(which, state)| Happens::State(which, state)),
        1 => (which.clone(), any::<u32>()).prop_map(|(which, to)| Happens::Renamed(which, to)),
        1 => which.prop_map(Happens::Removed),
    ]
}

/// The name of the container of a session of the project, whichever it has now.
async fn name(world: &World, which: usize) -> Option<String> {
    let observed = world.observe().await;
    let of = |it: &&clauderon::plan::observed::Container| {
        it.label("session") == NAMES[which] && it.label("root") == "/projects/shop"
    };
    observed.containers.iter().find(of).map(|it| it.name.clone())
}

async fn happen(world: &World, shop: &mut Project, what: Happens) {
    match what {
        Happens::Edited(words) => shop.sessions = of(&words),
        Happens::Up { recreate, renew, dies } => {
            drop(world.up(shop, Options { recreate, renew, now: false }, dies).await);
        }
        Happens::Down { volumes, dies } => drop(world.down(shop, volumes, dies).await),
        Happens::State(which, state) => {
            if let Some(name) = name(world, which).await {
                world.fake.set_state(&name, state);
            }
        }
        Happens::Renamed(which, to) => {
            if let Some(name) = name(world, which).await {
                world.fake.rename(&name, &format!("renamed-{to}"));
            }
        }
        Happens::Removed(which) => {
            if let Some(name) = name(world, which).await {
                world.fake.remove(&name).await.unwrap();
            }
        }
    }
}

/// What is the user's own, and another project's: its containers and volumes.
async fn others(world: &World) -> BTreeSet<String> {
    let own = ContainerSpec { name: "postgres".to_owned(), ..ContainerSpec::default() };
    world.fake.create(&own).await.unwrap();
    let elsewhere =
        Project { root: "/elsewhere".into(), name: "other".to_owned(), ..project(vec![session("a")]) };
    let other = &all(&elsewhere, "sha256:1")[0];
    world.fake.create(&container(&elsewhere, other, &host(), &facts())).await.unwrap();
    world.fake.create_volume("data", &BTreeMap::new()).await.unwrap();
    world.fake.names().into_iter().collect()
}

/// What a session has in the end, but for what a conversation or a checkout that goes on was begun with.
async fn state(world: &World, shop: &Project) -> BTreeMap<String, (BTreeMap<String, String>, Vec<String>)> {
    let observed = world.observe().await;
    let one = |desired: &clauderon::render::desired::Desired| {
        let found = observed.session(&desired.id)?;
        let done = desired.session.mode == Mode::Batch && found.state == ContainerState::Exited(0);
        if !found.runs() && !done {
            return None;
        }
        let mut labels = found.labels.clone();
        labels.remove("clauderon.conversation");
        let stays = |name: &&String| of_field(name).is_some_and(|effect| effect >= Effect::Live);
        let kept = &observed.known[&desired.id].kept;
        let kept = kept.keys().filter(stays).map(|name| format!("{name}={}", kept[name])).collect();
        Some((desired.id.clone(), (labels, kept)))
    };
    all(shop, "sha256:1").iter().filter_map(one).collect()
}

/// The batch sessions that have done their work.
async fn finished(world: &World, shop: &Project) -> Vec<String> {
    let observed = world.observe().await;
    let done = |id: &String| observed.session(id).is_some_and(|it| it.state == ContainerState::Exited(0));
    let batch = all(shop, "sha256:1").into_iter().filter(|it| it.session.mode == Mode::Batch);
    batch.map(|desired| desired.id).filter(done).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happened_the_last_manifest_holds_and_down_leaves_what_is_not_ours(
        first in words(),
        history in proptest::collection::vec(happens(), 0..12),
    ) {
        run(async {
            let (world, mut shop) = (World::default(), project(of(&first)));
            let others = others(&world).await;
            for what in history {
                happen(&world, &mut shop, what).await;
            }
            well_formed(&world.plan(&shop, Options::default()).await)?;
            let failures = world.up(&shop, Options::default(), NEVER).await.unwrap();
            prop_assert!(failures.is_empty(), "{:?}", failures);
            let plan = world.plan(&shop, Options::default()).await;
            prop_assert!(plan.is_empty(), "{}", plan);
            let straight = World::default();
            straight.up(&shop, Options::default(), NEVER).await.unwrap();
            let (mut ours, mut theirs) = (state(&world, &shop).await, state(&straight, &shop).await);
            prop_assert_eq!(ours.len(), shop.sessions.len());
            for done in finished(&world, &shop).await {
                // It did its work as an earlier manifest had it.
                ours.remove(&done);
                theirs.remove(&done);
            }
            prop_assert_eq!(ours, theirs);
            let (mounted, given) = (world.fake.mounted(), world.given.lock().unwrap().clone());
            prop_assert!(mounted.is_subset(&given), "root's: {:?}", mounted.difference(&given));

            let checkouts = world.checkouts.lock().unwrap().clone();
            prop_assert!(world.down(&shop, true, NEVER).await.unwrap().is_empty());
            prop_assert_eq!(world.fake.names().into_iter().collect::<BTreeSet<_>>(), others);
            let left: Vec<_> = world.fake.volumes().await.unwrap().into_iter().map(|it| it.name).collect();
            prop_assert!(left.iter().all(|it| it == "data" || it == "clauderon-registry"), "{:?}", left);
            prop_assert!(left.contains(&"data".to_owned()));
            prop_assert_eq!(&*world.checkouts.lock().unwrap(), &checkouts);
            Ok(())
        })?;
    }
}
