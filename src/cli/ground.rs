//! The real ground under a plan: checkouts, files, the daemon.

use super::alone::Alone;
use super::authorities::{authorities, rules, tunnelled};
use super::edited::Edited;
use super::remedy::{checkout_error, daemon_error, file_error};
use super::{idle, images, kept, kinds, output, remembered, sources};
use crate::apply::ground::Ground;
use crate::backend::docker::Docker;
use crate::credential::lending::lendings;
use crate::daemon::client::Client;
use crate::daemon::record::{self, Record};
use crate::daemon::spawn;
use crate::error::Error;
use crate::fs;
use crate::home::Home;
use crate::hooks::token;
use crate::manifest::project::{AgentKind, Checkout, Project, Session};
use crate::plan::action::SessionPlan;
use crate::proxy::ca;
use crate::proxy::program::LINK;
use crate::render::desired::Desired;
use crate::render::facts::{CheckoutFacts, GitIdentity, HostFacts, ImageFacts, SessionFacts};
use crate::render::identity::owner;
use crate::render::spec::helper_labels;
use crate::render::{files, mounts};
use crate::worktree;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Mutex;

/// The ground of one run.
pub struct Local<'a> {
    project: &'a Project,
    host: &'a HostFacts,
    docker: &'a Docker,
    images: &'a BTreeMap<String, ImageFacts>,
    /// How long an agent that works is waited for.
    patience: Duration,
    /// The lock of the project, where it is held.
    alone: Option<&'a Alone>,
    /// What tells whether the manifest was edited meanwhile.
    edited: Option<&'a Edited>,
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
        patience: Duration,
    ) -> Self {
        Self { project, host, docker, images, patience, alone: None, edited: None, probing: Mutex::new(()) }
    }

    /// The same, of one who goes by a manifest that may be edited, and who holds the project's lock and lets go of it
    /// before an agent is waited for.
    pub fn of_up(self, edited: &'a Edited, alone: Option<&'a Alone>) -> Self {
        Self { edited: Some(edited), alone, ..self }
    }
}

/// The running daemon, started where there is none.
pub async fn daemon(home: &Home) -> Result<Client, Error> {
    let program = std::env::current_exe()
        .map_err(|error| Error::failed("the program cannot find itself").because(error))?;
    spawn::ensure(home, &program).await.map_err(daemon_error)
}

/// Imports a session's commits and answers what came, in words.
pub async fn import(home: &Home, id: &str) -> Result<Vec<String>, Error> {
    daemon(home).await?.import(id).await.map_err(daemon_error)
}

/// Says that commits stay in the checkout alone.
pub fn warn_import(error: &Error) {
    output::say(&format!("warning: the commits stay in the checkout: {error}"));
}

/// Sessions whose containers are gone: the daemon serves them no longer, and a daemon to come neither.
pub async fn forget(home: &Home, ids: &[String]) -> Result<(), Error> {
    for id in ids {
        let _held = record::hold(home, id).map_err(file_error)?;
        if let Some(record) = record::read(home, id).map_err(file_error)? {
            record::write(home, &Record { active: false, ..record }).map_err(file_error)?;
        }
    }
    match Client::connect(home).await {
        Ok(mut client) => client.forget(ids).await.map_err(daemon_error),
        // Where none runs, nothing is served.
        Err(_) => Ok(()),
    }
}

/// All records of this home.
pub fn records(home: &Home) -> Result<Vec<Record>, Error> {
    record::all(home).map_err(file_error)
}

impl Local<'_> {
    /// Has every desired session that is up served, with its record as the manifest has it now. The daemon is asked for
    /// those too whose record says so already: who wrote it may have ended before the daemon was told.
    pub async fn serve_all(&self, desired: &[Desired]) -> Result<(), Error> {
        let mut served = Vec::new();
        for desired in desired {
            let _held = self.hold(desired)?;
            let before = record::read(&self.host.home, &desired.id).map_err(file_error)?;
            if let Some(before) = before.filter(|before| before.active) {
                let rules = rules(&desired.session);
                let authorities = authorities(&desired.session)?;
                let credentials = lendings(&desired.session, &self.host.found(&desired.session.name));
                let fields = kept::live(&before, desired);
                let Session { budget, timeout, .. } = desired.session;
                let notify = self.project.notify.clone();
                let own = Record { rules, authorities, credentials, budget, timeout, ..before.clone() };
                let after = Record { notify, fields, ..own };
                if before != after {
                    self.trust(desired)?;
                    record::write(&self.host.home, &after).map_err(file_error)?;
                }
                served.push(desired.id.clone());
            }
        }
        let mut daemon = daemon(&self.host.home).await?;
        if served.is_empty() {
            return Ok(());
        }
        daemon.watch(&served).await.map_err(daemon_error)
    }

    /// Has nobody else change the session's record, and refuses to once the manifest says something else: an edit that
    /// comes later finds the record written.
    fn hold(&self, desired: &Desired) -> Result<std::fs::File, Error> {
        let held = record::hold(&self.host.home, &desired.id).map_err(file_error)?;
        self.edited.map_or(Ok(()), Edited::unchanged)?;
        Ok(held)
    }

    /// The bundle of certificates that the container trusts, where it has been given one.
    fn trust(&self, desired: &Desired) -> Result<(), Error> {
        let path = self.host.home.session(&desired.id).ca_bundle();
        if !fs::exists(&path) {
            return Ok(());
        }
        let bundle = files::bundle(self.host, &self.trusted(&desired.session)?);
        fs::replace(&path, bundle.as_bytes(), 0o644).map_err(file_error)
    }

    /// The authorities that the container believes beside the system's.
    fn trusted(&self, session: &Session) -> Result<Vec<String>, Error> {
        let own = ca::load(&self.host.home, time::OffsetDateTime::now_utc())
            .map_err(|error| Error::failed(error.to_string()).because(error))?;
        Ok([vec![own.certificate().to_owned()], tunnelled(session)?].concat())
    }

    fn record(
        &self,
        desired: &Desired,
        checkout: &CheckoutFacts,
        conversation: u32,
    ) -> Result<Record, Error> {
        let before = record::read(&self.host.home, &desired.id).map_err(file_error)?;
        let repository = desired.session.repository.as_ref();
        Ok(Record {
            id: desired.id.clone(),
            project: self.project.name.clone(),
            root: self.project.root.clone(),
            session: desired.session.name.clone(),
            container: desired.container.clone(),
            parent: repository.map(|repository| repository.path.clone()),
            branch: repository.map(|repository| repository.branch.clone()),
            checkout: Some(self.host.home.session(&desired.id).checkout()),
            kind: checkout.kind,
            excludes: mounts::excludes(&desired.session),
            rules: rules(&desired.session),
            authorities: authorities(&desired.session)?,
            credentials: lendings(&desired.session, &self.host.found(&desired.session.name)),
            budget: desired.session.budget,
            timeout: desired.session.timeout,
            notify: self.project.notify.clone(),
            fields: kept::after(&self.host.home, before.as_ref(), desired, checkout.fresh, conversation),
            conversation,
            active: true,
        })
    }

    /// Writes down that there will be a checkout, so that `down` finds it though nobody comes to make its container.
    fn announce(&self, desired: &Desired) -> Result<(), Error> {
        let home = &self.host.home;
        let _held = self.hold(desired)?;
        if record::read(home, &desired.id).map_err(file_error)?.is_some() {
            return Ok(());
        }
        let kind = desired.session.repository.as_ref().map_or_else(Checkout::default, |it| it.checkout);
        let to_be = self.record(desired, &CheckoutFacts { kind, ..CheckoutFacts::default() }, 0)?;
        // Of what it will be begun with, nothing holds yet.
        let record = Record { fields: BTreeMap::new(), active: false, ..to_be };
        record::write(home, &record).map_err(file_error)
    }

    /// Writes the record as it is from now on.
    fn note(&self, desired: &Desired, checkout: &CheckoutFacts, conversation: u32) -> Result<(), Error> {
        let _held = self.hold(desired)?;
        let record = self.record(desired, checkout, conversation)?;
        record::write(&self.host.home, &record).map_err(file_error)
    }

    /// What the container is shown, written; nothing is written that is there already.
    fn write(&self, desired: &Desired, facts: &SessionFacts) -> Result<(), Error> {
        let (id, session) = (&desired.id, &desired.session);
        for directory in files::directories(id, session, self.host) {
            fs::create_private_dir(&directory).map_err(file_error)?;
        }
        let files = files::files(id, session, self.host, facts)
            .map_err(|error| Error::failed(error.to_string()).because(error))?;
        for file in files {
            if let Some(directory) = file.path.parent() {
                fs::create_private_dir(directory).map_err(file_error)?;
            }
            if !(file.once && fs::exists(&file.path)) {
                fs::replace(&file.path, &file.content, file.mode).map_err(file_error)?;
            }
        }
        let link = self.host.home.session(id).run().join("link");
        fs::replace(&link, LINK, 0o755).map_err(file_error)
    }

    async fn session_facts(
        &self,
        desired: &Desired,
        checkout: CheckoutFacts,
        conversation: u32,
    ) -> Result<SessionFacts, Error> {
        let image = self.images.get(&desired.image).cloned().unwrap_or_default();
        images::require_architecture(&image)?;
        let probe = {
            let _alone = self.probing.lock().await;
            let user = format!("{}:{}", self.host.uid, self.host.gid);
            let owner = owner(self.host.uid, self.host.home.path());
            let root = self.project.root.display().to_string();
            let labels = helper_labels(&self.project.name, &root, &owner);
            images::probe(self.docker, &self.host.home, &image, &user, labels).await?
        };
        remembered::keep_facts(&self.host.home, &image)?;
        images::require(&image.reference, &probe, crate::agent::program(desired.session.agent.kind))?;
        let token =
            token::load(&self.host.home.session(&desired.id).path().join("token")).map_err(file_error)?;
        let authorities = self.trusted(&desired.session)?;
        let identity = identity(&desired.session);
        Ok(SessionFacts { identity, image, probe, checkout, conversation, token, authorities })
    }
}

/// Who commits: the repository's config, which holds the user's and the system's too.
pub fn identity(session: &Session) -> GitIdentity {
    let config = match &session.repository {
        Some(repository) => git2::Repository::discover(&repository.path).and_then(|found| found.config()),
        None => git2::Config::open_default(),
    };
    let Ok(config) = config.and_then(|mut config| config.snapshot()) else { return GitIdentity::default() };
    let of = |name: &str| config.get_string(name).ok();
    GitIdentity { name: of("user.name"), email: of("user.email") }
}

/// Makes a session's checkout, or the empty directory that is its workspace.
fn make_checkout(home: &Home, desired: &Desired) -> Result<CheckoutFacts, Error> {
    let session_home = home.session(&desired.id);
    fs::create_private_dir(session_home.path()).map_err(file_error)?;
    let directory: PathBuf = session_home.checkout();
    let session = &desired.session;
    let points = mounts::mount_points(session);
    let points: Vec<&str> = points.iter().map(String::as_str).collect();
    let file: &[&str] = match session.agent.kind {
        AgentKind::Claude => &[".claude.json"],
        AgentKind::Codex => &[],
    };
    match &session.repository {
        None => {
            let fresh = !fs::exists(&directory);
            fs::create_private_dir(&directory).map_err(file_error)?;
            worktree::prepare::prepare(&directory, &points, file).map_err(|error| checkout_error(&error))?;
            Ok(CheckoutFacts { fresh, directory, ..CheckoutFacts::default() })
        }
        Some(repository) => {
            let spec = worktree::create::CheckoutSpec {
                kind: kinds::kind(repository.checkout),
                parent: repository.path.clone(),
                directory: directory.clone(),
                session: desired.id.clone(),
                base: repository.base.clone(),
                branch: repository.branch.clone(),
                copy: repository.copy.clone(),
                excludes: mounts::excludes(session),
            };
            let fresh = !worktree::checkout::Checkout::is_at(&directory);
            let made = worktree::create::create(&spec).map_err(|error| checkout_error(&error))?;
            let prepared = worktree::prepare::within(&directory, &made, &points, file);
            prepared.map_err(|error| checkout_error(&error))?;
            Ok(kinds::facts(fresh, made))
        }
    }
}

impl Ground for Local<'_> {
    fn checkout<'a>(&'a self, desired: &'a Desired) -> BoxFuture<'a, Result<CheckoutFacts, Error>> {
        async move {
            self.announce(desired)?;
            let (home, desired) = (self.host.home.clone(), desired.clone());
            let made = tokio::task::spawn_blocking(move || make_checkout(&home, &desired)).await;
            made.map_err(|error| Error::failed("a task ended early").because(error))?
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
            sources::still(&desired.session)?;
            let facts = self.session_facts(desired, checkout, conversation).await?;
            self.write(desired, &facts)?;
            self.note(desired, &facts.checkout, conversation)?;
            let ids = [desired.id.clone()];
            let mut daemon = daemon(&self.host.home).await?;
            daemon.watch(&ids).await.map_err(daemon_error)?;
            daemon.want(&ids, true).await.map_err(daemon_error)?;
            Ok(facts)
        }
        .boxed()
    }

    fn idle<'a>(&'a self, session: &'a SessionPlan) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            let Self { project, patience, alone, .. } = *self;
            let waiting =
                idle::Waiting { home: &self.host.home, project, backend: self.docker, patience, alone };
            idle::idle(&waiting, session).await?;
            // Before anything of the agent's is ended.
            self.edited.map_or(Ok(()), Edited::unchanged)
        }
        .boxed()
    }

    fn over(&self, session: &SessionPlan) {
        if let Some(alone) = self.alone {
            alone.rest(&session.id);
        }
    }

    fn ends<'a>(&'a self, id: &'a str) -> BoxFuture<'a, ()> {
        async move {
            if let Ok(mut daemon) = Client::connect(&self.host.home).await {
                // One that does not hear it says that somebody else has ended it, and starts nothing either.
                let _ = daemon.want(&[id.to_owned()], false).await;
            }
        }
        .boxed()
    }

    fn serve<'a>(&'a self, desired: &'a Desired) -> BoxFuture<'a, Result<(), Error>> {
        self.serve_all(std::slice::from_ref(desired)).boxed()
    }

    fn import<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            // The checkout stays: what could not be imported now is not lost with the container.
            if let Err(error) = import(&self.host.home, id).await {
                warn_import(&error);
            }
            Ok(())
        }
        .boxed()
    }

    fn given(&self, mark: &str) -> bool {
        remembered::given(&self.host.home, mark)
    }

    fn give<'a>(&'a self, marks: &'a [String]) -> BoxFuture<'a, Result<(), Error>> {
        async { remembered::keep_given(&self.host.home, marks) }.boxed()
    }
}
