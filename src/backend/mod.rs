//! What runs containers, behind one small trait: Docker's API (Podman's socket too) and a recording fake.
//! A backend does as it is told; what to do is decided in `plan`.

pub mod docker;
pub mod fake;

use crate::manifest::project::Build;
use crate::plan::observed::{Observed, Volume};
use crate::render::facts::ImageFacts;
use crate::render::spec::ContainerSpec;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::time::Duration;

/// The future of a backend's answer.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// How one-shot helpers ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// The exit code.
    pub code: i64,
    /// What it printed, standard output and error together.
    pub output: String,
}

/// An engine that holds containers. All calls may be repeated: a container that is there already, running
/// already or gone already is no error.
pub trait Backend: Send + Sync {
    /// One snapshot of every container with our labels.
    fn observe(&self) -> Answer<'_, Observed>;
    /// An image that the engine holds.
    fn image<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<ImageFacts>>;
    /// Pulls an image.
    fn pull<'a>(&'a self, reference: &'a str) -> Answer<'a, ()>;
    /// Builds an image under a name, with these labels.
    fn build<'a>(
        &'a self,
        build: &'a Build,
        reference: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Answer<'a, ()>;
    /// Every volume that a backend of ours made.
    fn volumes(&self) -> Answer<'_, Vec<Volume>>;
    /// Makes a volume with these labels where there is none of the name; answers the one that is there.
    fn create_volume<'a>(&'a self, name: &'a str, labels: &'a BTreeMap<String, String>)
    -> Answer<'a, Volume>;
    /// Removes a volume, never by force; answers the containers that use it still, so that it stays.
    fn remove_volume<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<String>>;
    /// Makes a container and answers its id; one with the same name and labels is it already.
    fn create<'a>(&'a self, spec: &'a ContainerSpec) -> Answer<'a, String>;
    /// Gives a container another name.
    fn name<'a>(&'a self, name: &'a str, to: &'a str) -> Answer<'a, ()>;
    /// Starts a container.
    fn start<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;
    /// Asks a container to end; kills it when the time is over.
    fn stop<'a>(&'a self, name: &'a str, grace: Duration) -> Answer<'a, ()>;
    /// Removes a container, running or not. Named volumes stay.
    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;
    /// Makes a container, waits for its end, removes it.
    fn run_once<'a>(&'a self, spec: &'a ContainerSpec, limit: Duration) -> Answer<'a, Ran>;
    /// The last lines that a container printed.
    fn tail<'a>(&'a self, name: &'a str, lines: usize) -> Answer<'a, String>;
}

/// A backend that did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine does not answer.
    #[error("the engine at `{address}` does not answer")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine has no such image and could not get it.
    #[error("the image `{reference}` could not be pulled")]
    Pull {
        /// The image.
        reference: String,
        /// What the engine said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image build failed.
    #[error("the build of `{reference}` failed: {message}")]
    Build {
        /// The image's name to be.
        reference: String,
        /// The builder's last words.
        message: String,
    },
    /// The image holds no such program.
    #[error("the image has no `{program}`")]
    NoProgram {
        /// The program that a container should have begun with.
        program: String,
    },
    /// The name is taken by a container that is not ours.
    #[error("a container named `{name}` is there already, and clauderon did not make it")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The time was over.
    #[error("{what} did not end within {limit:?}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// Any other refusal of the engine.
    #[error("the engine could not {verb} `{name}`")]
    Engine {
        /// What was tried.
        verb: &'static str,
        /// On what.
        name: String,
        /// What the engine said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
