//! An engine whose caller dies at a call: nothing after it is done, and nobody is told.

use clauderon::backend::{Answer, Backend, Ran, fake::Fake};
use clauderon::manifest::project::Build;
use clauderon::plan::observed::{Observed, Volume};
use clauderon::render::facts::ImageFacts;
use clauderon::render::spec::{ContainerSpec, MountSource};
use futures_util::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How many calls of any kind a process has left.
pub struct Life {
    left: AtomicUsize,
    over: Notify,
}

impl Life {
    /// A life of so many calls.
    pub fn of(calls: usize) -> Self {
        Self { left: AtomicUsize::new(calls), over: Notify::new() }
    }

    /// One call; others go on in between. When life is over, it never comes back.
    pub async fn call(&self) {
        tokio::task::yield_now().await;
        let less = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
            self.over.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Lives through something; `None` where life is over before it has ended.
    pub async fn live<T>(&self, something: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = something => Some(done),
            () = self.over.notified() => None,
        }
    }
}

/// The engine as a process that may die sees it.
pub struct Mortal<'a> {
    pub fake: &'a Fake,
    pub life: &'a Life,
    /// The volumes that were given to the user.
    pub given: &'a Mutex<BTreeSet<String>>,
}

impl Backend for Mortal<'_> {
    fn observe(&self) -> Answer<'_, Observed> {
        async { self.then(async { self.fake.observe().await }).await }.boxed()
    }

    fn image<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<ImageFacts>> {
        async { self.then(async { self.fake.image(reference).await }).await }.boxed()
    }

    fn pull<'a>(&'a self, reference: &'a str) -> Answer<'a, ()> {
        async { self.then(async { self.fake.pull(reference).await }).await }.boxed()
    }

    fn build<'a>(
        &'a self,
        build: &'a Build,
        reference: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Answer<'a, ()> {
        async { self.then(async { self.fake.build(build, reference, labels).await }).await }.boxed()
    }

    fn volumes(&self) -> Answer<'_, Vec<Volume>> {
        async { self.then(async { self.fake.volumes().await }).await }.boxed()
    }

    fn create_volume<'a>(
        &'a self,
        name: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Answer<'a, Volume> {
        async { self.then(async { self.fake.create_volume(name, labels).await }).await }.boxed()
    }

    fn remove_volume<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<String>> {
        async {
            let users = self.then(async { self.fake.remove_volume(name).await }).await?;
            if users.is_empty() {
                self.given.lock().unwrap().remove(name);
            }
            Ok(users)
        }
        .boxed()
    }

    fn create<'a>(&'a self, spec: &'a ContainerSpec) -> Answer<'a, String> {
        async { self.then(async { self.fake.create(spec).await }).await }.boxed()
    }

    fn name<'a>(&'a self, name: &'a str, to: &'a str) -> Answer<'a, ()> {
        async move { self.then(async { self.fake.name(name, to).await }).await }.boxed()
    }

    fn start<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        async { self.then(async { self.fake.start(name).await }).await }.boxed()
    }

    fn stop<'a>(&'a self, name: &'a str, grace: Duration) -> Answer<'a, ()> {
        async move { self.then(async { self.fake.stop(name, grace).await }).await }.boxed()
    }

    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        async { self.then(async { self.fake.remove(name).await }).await }.boxed()
    }

    /// The only one that is run in these tests gives volumes to the user.
    fn run_once<'a>(&'a self, spec: &'a ContainerSpec, limit: Duration) -> Answer<'a, Ran> {
        async move {
            let ran = self.then(async { self.fake.run_once(spec, limit).await }).await?;
            assert_eq!(spec.argv[0], "chown");
            let volumes = spec.mounts.iter().filter_map(|mount| match &mount.source {
                MountSource::Volume { name, .. } => Some(name.clone()),
                MountSource::Bind(_) => None,
            });
            self.given.lock().unwrap().extend(volumes);
            Ok(ran)
        }
        .boxed()
    }

    fn tail<'a>(&'a self, name: &'a str, lines: usize) -> Answer<'a, String> {
        async move { self.then(async { self.fake.tail(name, lines).await }).await }.boxed()
    }
}

impl Mortal<'_> {
    /// What is called is done only where its caller lives.
    async fn then<T>(&self, done: impl Future<Output = T>) -> T {
        self.life.call().await;
        done.await
    }
}
