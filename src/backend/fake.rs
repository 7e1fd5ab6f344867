//! A backend in memory: records each call and can fail at any of them, for what a real engine will not be
//! provoked into.

use super::{Answer, Backend, Error, Ran};
use crate::manifest::project::Build;
use crate::plan::observed::{Container, ContainerState, Observed, Volume};
use crate::render::facts::ImageFacts;
use crate::render::spec::{ContainerSpec, MountSource};
use futures_util::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A backend in memory.
#[derive(Debug, Default)]
pub struct Fake {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    containers: BTreeMap<String, Container>,
    volumes: BTreeMap<String, BTreeMap<String, String>>,
    /// The volumes that each container mounts.
    mounted: BTreeMap<String, BTreeSet<String>>,
    images: BTreeMap<String, ImageFacts>,
    calls: Vec<String>,
    fail_at: Option<usize>,
}

impl Fake {
    /// A backend that holds one image.
    pub fn with_image(reference: &str, id: &str) -> Self {
        let fake = Self::default();
        fake.add_image(reference, id);
        fake
    }

    /// Gives the backend an image, or another content under the same reference.
    pub fn add_image(&self, reference: &str, id: &str) {
        let facts = ImageFacts { reference: reference.to_owned(), id: id.to_owned(), ..Default::default() };
        self.lock().images.insert(reference.to_owned(), facts);
    }

    /// Makes the call of this number (from 1, counted from now) fail, and no other.
    pub fn fail_at(&self, call: usize) {
        let mut state = self.lock();
        state.calls.clear();
        state.fail_at = Some(call);
    }

    /// The calls since the last `fail_at` or `take_calls`.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    /// Sets what a container is doing, as if it happened behind our back.
    pub fn set_state(&self, name: &str, state: ContainerState) {
        if let Some(container) = self.lock().containers.get_mut(name) {
            container.state = state;
        }
    }

    /// Gives a container another name, as if it happened behind our back.
    pub fn rename(&self, name: &str, to: &str) {
        // One that is gone has no name to lose.
        let _ = self.lock().rename(name, to);
    }

    /// The names of all containers, those without a label of ours too.
    pub fn names(&self) -> Vec<String> {
        self.lock().containers.keys().cloned().collect()
    }

    /// The volumes that containers mount.
    pub fn mounted(&self) -> BTreeSet<String> {
        self.lock().mounted.values().flatten().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(
        &self,
        verb: &'static str,
        name: &str,
        act: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.lock();
        state.calls.push(format!("{verb} {name}"));
        if state.fail_at == Some(state.calls.len()) {
            return Err(refusal(verb, name, "told to fail"));
        }
        act(&mut state)
    }
}

fn refusal(verb: &'static str, name: &str, why: &str) -> Error {
    Error::Engine { verb, name: name.to_owned(), source: why.into() }
}

impl State {
    fn set(&mut self, verb: &'static str, name: &str, to: ContainerState) -> Result<(), Error> {
        let container =
            self.containers.get_mut(name).ok_or_else(|| refusal(verb, name, "no such container"))?;
        container.state = to;
        Ok(())
    }

    fn rename(&mut self, name: &str, to: &str) -> Result<(), Error> {
        let container = self.containers.remove(name);
        let container = container.ok_or_else(|| refusal("rename", name, "no such container"))?;
        self.containers.insert(to.to_owned(), Container { name: to.to_owned(), ..container });
        if let Some(volumes) = self.mounted.remove(name) {
            self.mounted.insert(to.to_owned(), volumes);
        }
        Ok(())
    }
}

impl Backend for Fake {
    fn observe(&self) -> Answer<'_, Observed> {
        let observed = self.call("observe", "", |state| {
            let ours = |container: &&Container| container.labels.contains_key("clauderon.id");
            let ours = state.containers.values().filter(ours).cloned();
            let (helpers, containers) = ours.partition(Container::helps);
            Ok(Observed { containers, helpers, ..Observed::default() })
        });
        async { observed }.boxed()
    }

    fn image<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<ImageFacts>> {
        let image = self.call("image", reference, |state| Ok(state.images.get(reference).cloned()));
        async { image }.boxed()
    }

    fn pull<'a>(&'a self, reference: &'a str) -> Answer<'a, ()> {
        let pulled = self.call("pull", reference, |state| {
            if state.images.contains_key(reference) {
                return Ok(());
            }
            Err(Error::Pull { reference: reference.to_owned(), source: "no registry".into() })
        });
        async { pulled }.boxed()
    }

    fn build<'a>(
        &'a self,
        _: &'a Build,
        reference: &'a str,
        _: &'a BTreeMap<String, String>,
    ) -> Answer<'a, ()> {
        let built = self.call("build", reference, |state| {
            let facts = ImageFacts {
                reference: reference.to_owned(),
                id: format!("sha256:built-{reference}"),
                ..Default::default()
            };
            state.images.insert(reference.to_owned(), facts);
            Ok(())
        });
        async { built }.boxed()
    }

    fn volumes(&self) -> Answer<'_, Vec<Volume>> {
        let volumes = self.call("volumes", "", |state| {
            let volume = |(name, labels): (&String, &BTreeMap<_, _>)| Volume {
                name: name.clone(),
                labels: labels.clone(),
            };
            Ok(state.volumes.iter().map(volume).collect())
        });
        async { volumes }.boxed()
    }

    fn create_volume<'a>(
        &'a self,
        name: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Answer<'a, Volume> {
        let made = self.call("create-volume", name, |state| {
            let labels = state.volumes.entry(name.to_owned()).or_insert_with(|| labels.clone());
            Ok(Volume { name: name.to_owned(), labels: labels.clone() })
        });
        async move { made }.boxed()
    }

    fn remove_volume<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<String>> {
        let removed = self.call("remove-volume", name, |state| {
            let uses = |(_, volumes): &(&String, &BTreeSet<String>)| volumes.contains(name);
            let users: Vec<String> =
                state.mounted.iter().filter(uses).map(|(container, _)| container.clone()).collect();
            if users.is_empty() {
                state.volumes.remove(name);
            }
            Ok(users)
        });
        async { removed }.boxed()
    }

    fn create<'a>(&'a self, spec: &'a ContainerSpec) -> Answer<'a, String> {
        let created = self.call("create", &spec.name, |state| {
            if let Some(there) = state.containers.get(&spec.name) {
                if there.labels == spec.labels {
                    return Ok(there.backend_id.clone());
                }
                return Err(Error::NameTaken { name: spec.name.clone() });
            }
            let container = Container {
                backend_id: spec.name.clone(),
                name: spec.name.clone(),
                image: spec.image.clone(),
                labels: spec.labels.clone(),
                ..Default::default()
            };
            state.containers.insert(spec.name.clone(), container);
            let volumes = spec.mounts.iter().filter_map(|mount| match &mount.source {
                MountSource::Volume { name, .. } => Some(name.clone()),
                MountSource::Bind(_) => None,
            });
            state.mounted.insert(spec.name.clone(), volumes.collect());
            Ok(spec.name.clone())
        });
        async { created }.boxed()
    }

    fn name<'a>(&'a self, name: &'a str, to: &'a str) -> Answer<'a, ()> {
        let named = self.call("name", name, |state| {
            if state.containers.contains_key(name) && state.containers.contains_key(to) {
                return Err(Error::NameTaken { name: to.to_owned() });
            }
            state.rename(name, to)
        });
        async { named }.boxed()
    }

    fn start<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        let started = self.call("start", name, |state| state.set("start", name, ContainerState::Running));
        async { started }.boxed()
    }

    fn stop<'a>(&'a self, name: &'a str, _: Duration) -> Answer<'a, ()> {
        let stopped = self.call("stop", name, |state| {
            if state.containers.contains_key(name) {
                state.set("stop", name, ContainerState::Exited(143))?;
            }
            Ok(())
        });
        async { stopped }.boxed()
    }

    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        let removed = self.call("remove", name, |state| {
            state.containers.remove(name);
            state.mounted.remove(name);
            Ok(())
        });
        async { removed }.boxed()
    }

    fn run_once<'a>(&'a self, spec: &'a ContainerSpec, _: Duration) -> Answer<'a, Ran> {
        let programs = "bash curl git claude codex";
        let ran = self.call("run-once", &spec.name, |_| Ok(Ran { code: 0, output: programs.to_owned() }));
        async { ran }.boxed()
    }

    fn tail<'a>(&'a self, name: &'a str, _: usize) -> Answer<'a, String> {
        let tail = self.call("tail", name, |_| Ok(String::new()));
        async { tail }.boxed()
    }
}
