//! A plan is walked: sessions that wait for their agents hold up none of the others, and what failed is done next time.

use super::{after_up, all, facts};
use crate::support::project::{host, project, session};
use clauderon::apply::ground::Ground;
use clauderon::apply::{Context, Failure, apply};
use clauderon::backend::{Backend, fake::Fake};
use clauderon::error::Error;
use clauderon::manifest::project::Project;
use clauderon::plan::action::{Plan, SessionPlan};
use clauderon::plan::observed::{ContainerState, Known, Observed};
use clauderon::plan::up::{Options, up};
use clauderon::render::desired::{Desired, container};
use clauderon::render::facts::{CheckoutFacts, SessionFacts};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A ground whose agents are idle as often as it has been allowed.
struct Still(Semaphore);

impl Ground for Still {
    fn checkout<'a>(&'a self, _: &'a Desired) -> BoxFuture<'a, Result<CheckoutFacts, Error>> {
        async { Ok(CheckoutFacts::default()) }.boxed()
    }

    fn prepare<'a>(
        &'a self,
        _: &'a Desired,
        _: CheckoutFacts,
        conversation: u32,
    ) -> BoxFuture<'a, Result<SessionFacts, Error>> {
        async move { Ok(SessionFacts { conversation, ..facts() }) }.boxed()
    }

    fn idle<'a>(&'a self, _: &'a SessionPlan) -> BoxFuture<'a, Result<(), Error>> {
        async {
            self.0.acquire().await.unwrap().forget();
            Ok(())
        }
        .boxed()
    }

    fn serve<'a>(&'a self, _: &'a Desired) -> BoxFuture<'a, Result<(), Error>> {
        async { Ok(()) }.boxed()
    }

    fn import<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        async { Ok(()) }.boxed()
    }

    fn given(&self, _: &str) -> bool {
        false
    }

    fn give<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<(), Error>> {
        async { Ok(()) }.boxed()
    }
}

async fn walk(fake: &Fake, ground: &Still, project: &Project, plan: &Plan) -> Vec<Failure> {
    let (desired, host) = (all(project, "sha256:1"), host());
    let context = Context { backend: fake, ground, project, desired: &desired, host: &host, report: &|_| {} };
    apply(&context, plan).await
}

/// The plan after what the fake holds, with what a record tells.
async fn next(fake: &Fake, project: &Project, known: &Observed, options: Options) -> Plan {
    let observed = Observed { known: known.known.clone(), ..fake.observe().await.unwrap() };
    up(&all(project, "sha256:1"), &observed, options).unwrap()
}

async fn running(project: &Project) -> Fake {
    let fake = Fake::default();
    for desired in all(project, "sha256:1") {
        fake.create(&container(project, &desired, &host(), &facts())).await.unwrap();
        fake.start(&desired.container).await.unwrap();
    }
    fake
}

#[tokio::test]
async fn agents_that_are_waited_for_hold_up_nobody_else() {
    let mut sessions: Vec<_> = (0..20).map(|number| session(&format!("busy{number:02}"))).collect();
    let before = project(sessions.clone());
    let (fake, known) = (running(&before).await, after_up(&before).await);
    for session in &mut sessions {
        session.resources.pids = 9;
    }
    sessions.push(session("new"));
    let after = project(sessions);
    let plan = next(&fake, &after, &known, Options::default()).await;
    let still = Still(Semaphore::new(0));
    let walking = walk(&fake, &still, &after, &plan);
    tokio::pin!(walking);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut walking).await;
    assert!(early.is_err(), "it did not wait");
    let seen = fake.observe().await.unwrap();
    let state = |name: &str| seen.containers.iter().find(|it| it.name == name).map(|it| it.state);
    assert_eq!(state("clauderon-shop-new"), Some(ContainerState::Running), "the new one was held up");
    assert_eq!(seen.containers.len(), 21);
    assert!(fake.take_calls().iter().all(|call| !call.starts_with("stop")), "an agent was disturbed");
    still.0.add_permits(20);
    assert!(walking.await.is_empty());
    assert!(next(&fake, &after, &known, Options::default()).await.is_empty());
}

/// Whichever call of the engine fails or is the last before a kill, the next `up` brings it to the same end.
#[tokio::test]
async fn a_restart_and_a_recreation_that_broke_off_are_finished_by_the_next_up() {
    let before = project(vec![session("a")]);
    let known = after_up(&before).await;
    for restart in [true, false] {
        let mut changed = session("a");
        if restart {
            changed.agent.model = Some("opus".to_owned());
        } else {
            changed.resources.pids = 9;
        }
        let after = project(vec![changed]);
        let mut broken = 0;
        for call in 1..8 {
            let (fake, still) = (running(&before).await, Still(Semaphore::new(10)));
            let plan = next(&fake, &after, &known, Options::default()).await;
            fake.fail_at(call);
            broken += walk(&fake, &still, &after, &plan).await.len();
            fake.fail_at(usize::MAX);
            let plan = next(&fake, &after, &known, Options::default()).await;
            assert!(walk(&fake, &still, &after, &plan).await.is_empty());
            let kept = all(&after, "sha256:1").remove(0);
            let record = Known { kept: kept.kept, conversation: 1, working: false, ..Known::default() };
            let known = Observed { known: [(kept.id, record)].into(), ..Observed::default() };
            assert!(next(&fake, &after, &known, Options::default()).await.is_empty(), "after call {call}");
            let seen = fake.observe().await.unwrap();
            assert_eq!(seen.containers[0].state, ContainerState::Running, "after call {call}");
        }
        assert_eq!(broken, if restart { 2 } else { 4 }, "each of its calls was made to fail");
    }
}

#[tokio::test]
async fn a_container_that_was_given_another_name_is_started_and_given_its_own_back() {
    let shop = project(vec![session("a")]);
    let (fake, known) = (running(&shop).await, after_up(&shop).await);
    fake.set_state("clauderon-shop-a", ContainerState::Exited(137));
    fake.rename("clauderon-shop-a", "mine");
    let plan = next(&fake, &shop, &known, Options::default()).await;
    let name = "container's name: mine → clauderon-shop-a [live]";
    assert_eq!(plan.to_string(), format!("start a: exited with code 137, {name}\n"));
    assert!(walk(&fake, &Still(Semaphore::new(0)), &shop, &plan).await.is_empty());
    assert!(next(&fake, &shop, &known, Options::default()).await.is_empty());
    // One that runs is not disturbed.
    fake.rename("clauderon-shop-a", "mine");
    let plan = next(&fake, &shop, &known, Options::default()).await;
    assert_eq!(plan.to_string(), format!("live a: {name}\n"));
    fake.take_calls();
    assert!(walk(&fake, &Still(Semaphore::new(0)), &shop, &plan).await.is_empty());
    assert_eq!(fake.take_calls(), ["name mine"]);
    assert_eq!(fake.names(), ["clauderon-shop-a"]);
}

#[tokio::test]
async fn a_dead_container_is_replaced_and_it_is_said_why() {
    let shop = project(vec![session("a")]);
    let (fake, known) = (running(&shop).await, after_up(&shop).await);
    fake.set_state("clauderon-shop-a", ContainerState::Dead);
    assert_eq!(next(&fake, &shop, &known, Options::default()).await.to_string(), "recreate a: dead\n");
}
