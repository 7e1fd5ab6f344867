//! The real ground under a plan: checkouts, files, the daemon.

use super::images;
use crate::apply::ground::Ground;
use crate::backend::docker::Docker;
use crate::daemon::client::Client;
use crate::daemon::record::Record;
use crate::daemon::spawn;
use crate::error::Error;
use crate::fs;
use crate::home::Home;
use crate::hooks::token;
use crate::manifest::project::{Project, Session};
use crate::proxy::program::LINK;
use crate::render::desired::Desired;
use crate::render::facts::{CheckoutFacts, GitIdentity, HostFacts, ImageFacts, SessionFacts};
use crate::render::{files, mounts};
use crate::worktree;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokio::sync::Mutex;

/// The ground of one run.
pub struct Local<'a> {
    project: &'a Project,
    host: &'a HostFacts,
    docker: &'a Docker,
    images: &'a BTreeMap<String, ImageFacts>,
    /// One probe at a time: several sessions of one image wait for the first.
    probing: Mutex<()>,
}

impl<'a> Local<'a> {
    /// The ground for a project.
    pub fn new(
        project: &'a Project,
        host: &'a HostFacts,
        docker: &'a Docker,
        images: &'a BTreeMap<String, ImageFacts>,
    ) -> Self {
        Self { project, host, docker, images, probing: Mutex::new(()) }
    }
}
