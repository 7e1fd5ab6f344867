//! A world in memory: an engine that others use too, the records of sessions, and `up` and `down` as the command line
//! does them, either of which may die at any of its calls.

use super::mortal::{Life, Mortal};
use super::real::Real;
use super::{all, facts};
use crate::support::project::host;
use clauderon::apply::ground::Ground;
use clauderon::apply::{Context, Failure, apply};
use clauderon::backend::{Backend, fake::Fake};
use clauderon::error::Error;
use clauderon::manifest::effect::{Effect, of_field};
use clauderon::manifest::project::{Mode, Project};
use clauderon::plan::action::{Plan, SessionPlan};
use clauderon::plan::observed::{Container, Known, Observed};
use clauderon::plan::up::{Options, down, up};
use clauderon::plan::volumes::removable;
use clauderon::render::desired::Desired;
use clauderon::render::facts::{CheckoutFacts, SessionFacts};
use clauderon::render::identity::owner;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// What no call is.
pub const NEVER: usize = usize::MAX;

/// The world.
#[derive(Default)]
pub struct World {
    pub fake: Fake,
    pub records: Mutex<BTreeMap<String, Known>>,
    pub checkouts: Mutex<BTreeSet<String>>,
    /// The volumes that belong to the user, as the containers need them.
    pub given: Mutex<BTreeSet<String>>,
    /// What the home says of them.
    pub noted: Mutex<BTreeSet<String>>,
    /// Checkouts are made there, where they are made at all.
    pub real: Option<Real>,
}

impl World {
    pub async fn observe(&self) -> Observed {
        let known = self.records.lock().unwrap().clone();
        Observed { known, ..self.fake.observe().await.unwrap() }
    }

    pub async fn plan(&self, project: &Project, options: Options) -> Plan {
        up(&all(project, "sha256:1"), &self.observe().await, options).unwrap()
    }

    /// `up`, which dies at the call of this number; `None` where it did.
    pub async fn up(&self, project: &Project, options: Options, dies: usize) -> Option<Vec<Failure>> {
        let life = Life::of(dies);
        let ground = Ephemeral { world: self, life: &life };
        let desired = all(project, "sha256:1");
        let plan = self.plan(project, options).await;
        let walked = async {
            for desired in &desired {
                ground.serve(desired).await.unwrap();
            }
            self.walk(project, &desired, &ground, &plan).await
        };
        life.live(walked).await
    }

    /// `down`, likewise, of every session of the project, with its volumes where that is asked for.
    pub async fn down(&self, project: &Project, volumes: bool, dies: usize) -> Option<Vec<Failure>> {
        let life = Life::of(dies);
        let ground = Ephemeral { world: self, life: &life };
        let observed = self.observe().await;
        let owner = owner(host().uid, host().home.path());
        let told = [project.name.clone(), project.root.display().to_string(), owner.clone()];
        let ours =
            |container: &&Container| ["project", "root", "owner"].map(|it| container.label(it)) == told;
        let plan = down(&observed.containers.iter().filter(ours).collect::<Vec<_>>());
        let walked = async {
            let failures = self.walk(project, &[], &ground, &plan).await;
            let mortal = ground.mortal();
            let all = if volumes { mortal.volumes().await.unwrap() } else { Vec::new() };
            for volume in removable(&all, project, &owner, &[]) {
                mortal.remove_volume(&volume.name).await.unwrap();
            }
            failures
        };
        life.live(walked).await
    }

    async fn walk(
        &self,
        project: &Project,
        desired: &[Desired],
        ground: &Ephemeral<'_>,
        plan: &Plan,
    ) -> Vec<Failure> {
        let (backend, host) = (ground.mortal(), host());
        let context = Context { backend: &backend, ground, project, desired, host: &host, report: &|_| {} };
        apply(&context, plan).await
    }
}

/// The ground that one process walks on.
struct Ephemeral<'a> {
    world: &'a World,
    life: &'a Life,
}

impl Ephemeral<'_> {
    fn mortal(&self) -> Mortal<'_> {
        Mortal { fake: &self.world.fake, life: self.life, given: &self.world.given }
    }

    /// The record of a session that was prepared, as the command line writes it.
    fn kept(&self, desired: &Desired, fresh: bool, conversation: u32) -> Known {
        let mut kept = desired.kept.clone();
        let before = self.world.records.lock().unwrap().get(&desired.id).cloned().unwrap_or_default();
        let goes_on = before.conversation == conversation && desired.session.mode == Mode::Interactive;
        kept.extend(before.kept.into_iter().filter(|(name, _)| match of_field(name) {
            Some(Effect::NewCheckout) => !fresh,
            Some(Effect::NewConversation) => goes_on,
            _ => false,
        }));
        Known { kept, conversation, working: false, ..Known::default() }
    }
}

impl Ground for Ephemeral<'_> {
    fn checkout<'a>(&'a self, desired: &'a Desired) -> BoxFuture<'a, Result<CheckoutFacts, Error>> {
        async {
            self.life.call().await;
            let fresh = self.world.checkouts.lock().unwrap().insert(desired.id.clone());
            let nowhere = || CheckoutFacts { fresh, ..CheckoutFacts::default() };
            Ok(self.world.real.as_ref().map_or_else(nowhere, |real| real.checkout(desired)))
        }
        .boxed()
    }

    fn prepare<'a>(
        &'a self,
        desired: &'a Desired,
        checkout: CheckoutFacts,
        conversation: u32,
    ) -> BoxFuture<'a, Result<SessionFacts, Error>> {
        async move {
            let known = self.kept(desired, checkout.fresh, conversation);
            // The files, the record, and the word to the daemon.
            self.life.call().await;
            self.life.call().await;
            self.world.records.lock().unwrap().insert(desired.id.clone(), known);
            self.life.call().await;
            Ok(SessionFacts { checkout, conversation, ..facts() })
        }
        .boxed()
    }

    fn idle<'a>(&'a self, _: &'a SessionPlan) -> BoxFuture<'a, Result<(), Error>> {
        async {
            self.life.call().await;
            Ok(())
        }
        .boxed()
    }

    fn serve<'a>(&'a self, desired: &'a Desired) -> BoxFuture<'a, Result<(), Error>> {
        async {
            self.life.call().await;
            if let Some(known) = self.world.records.lock().unwrap().get_mut(&desired.id) {
                let live = |name: &String| of_field(name) == Some(Effect::Live);
                known.kept.retain(|name, _| !live(name));
                let now = desired.kept.iter().filter(|(name, _)| live(name));
                known.kept.extend(now.map(|(name, value)| (name.clone(), value.clone())));
            }
            Ok(())
        }
        .boxed()
    }

    fn import<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        async {
            self.life.call().await;
            self.world.real.iter().for_each(|real| real.import(id));
            Ok(())
        }
        .boxed()
    }

    fn given(&self, mark: &str) -> bool {
        self.world.noted.lock().unwrap().contains(mark)
    }

    fn give<'a>(&'a self, marks: &'a [String]) -> BoxFuture<'a, Result<(), Error>> {
        async {
            self.life.call().await;
            self.world.noted.lock().unwrap().extend(marks.iter().cloned());
            Ok(())
        }
        .boxed()
    }
}
