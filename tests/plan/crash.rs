//! The process ends at each of its calls, one after the other: `up` brings about the same as without that, `down` leaves
//! nothing, and no work is lost.

use super::model::{NEVER, World};
use super::properties::made;
use super::real::Real;
use crate::support::project::project;
use clauderon::backend::Backend;
use clauderon::manifest::project::{Access, Project};
use clauderon::plan::observed::Container;
use clauderon::plan::up::Options;
use std::collections::BTreeMap;

/// What the engine holds of ours.
async fn seen(world: &World) -> Vec<Container> {
    world.observe().await.containers
}

const AGENTS: [&str; 3] = ["a", "b", "c"];

fn before() -> Project {
    project(vec![made("a", 0), made("b", 1 << 15), made("c", 0)])
}

/// One is changed live, one restarted, one recreated, one comes and one stays.
fn after() -> Project {
    let mut shop = project(vec![made("a", 0), made("b", 1 << 15), made("c", 0), made("d", 1 << 15)]);
    shop.sessions[0].access = Access::ReadOnly;
    shop.sessions[1].agent.model = Some("opus".to_owned());
    shop.sessions[2].resources.pids = 9;
    shop
}

async fn up(world: &World, shop: &Project) {
    assert!(world.up(shop, Options::default(), NEVER).await.unwrap().is_empty());
    assert!(world.plan(shop, Options::default()).await.is_empty());
    assert!(world.fake.mounted().is_subset(&world.given.lock().unwrap()), "a volume is root's");
}

async fn gone(world: &World, shop: &Project, real: &Real) {
    assert!(world.down(shop, true, NEVER).await.unwrap().is_empty());
    assert_eq!(seen(world).await, []);
    let left = world.fake.volumes().await.unwrap().into_iter().map(|it| it.name);
    assert_eq!(left.collect::<Vec<_>>(), ["clauderon-registry"], "which all projects share");
    real.assert_work_is_there(&AGENTS);
}

/// Each number of calls, until one is enough. Answers how many were not.
macro_rules! at_every_call {
    (|$world:ident, $real:ident, $dies:ident| $test:expr) => {{
        let mut $dies = 0;
        loop {
            let $real = Real::new();
            let $world = World { real: Some($real.clone()), ..World::default() };
            if $test {
                break $dies;
            }
            $dies += 1;
        }
    }};
}

#[tokio::test]
async fn a_first_up_may_end_at_any_call() {
    let calls = at_every_call!(|world, real, dies| {
        let shop = before();
        let done = world.up(&shop, Options::default(), dies).await.is_some();
        up(&world, &shop).await;
        let straight = World { real: Some(Real::new()), ..World::default() };
        up(&straight, &before()).await;
        assert_eq!(seen(&world).await, seen(&straight).await, "call {dies}");
        real.work(&AGENTS);
        gone(&world, &shop, &real).await;
        done
    });
    // Of each session: word of what is live, checkout, files, record, daemon, volumes, creation and start.
    assert!(calls > 3 * 7 + 4, "{calls}");
}

#[tokio::test]
async fn a_changed_up_may_end_at_any_call() {
    let calls = at_every_call!(|world, real, dies| {
        up(&world, &before()).await;
        real.work(&AGENTS);
        let shop = after();
        let done = world.up(&shop, Options::default(), dies).await.is_some();
        real.assert_work_is_there(&AGENTS);
        up(&world, &shop).await;
        let kept = world.records.lock().unwrap().clone();
        let models = kept.values().filter(|known| known.kept["agent.model"] == "opus");
        assert_eq!((models.count(), kept.len()), (1, 4), "call {dies}");
        let running: BTreeMap<String, bool> =
            seen(&world).await.into_iter().map(|it| (it.name.clone(), it.runs())).collect();
        let names = ["a", "b", "c", "d"].map(|name| (format!("clauderon-shop-{name}"), true));
        assert_eq!(running, names.into(), "call {dies}");
        gone(&world, &shop, &real).await;
        done
    });
    assert!(calls > 4 + 5 + 7 + 7, "{calls}");
}

#[tokio::test]
async fn down_may_end_at_any_call() {
    let calls = at_every_call!(|world, real, dies| {
        let shop = before();
        up(&world, &shop).await;
        real.work(&AGENTS);
        let done = world.down(&shop, true, dies).await.is_some();
        real.assert_work_is_there(&AGENTS);
        // Either it is taken up again, or what is left is finished.
        if dies % 2 == 0 {
            up(&world, &shop).await;
        }
        gone(&world, &shop, &real).await;
        real.assert_work_was_imported(&AGENTS);
        done
    });
    assert!(calls >= 3 * 3 + 2, "{calls}");
}
