//! Docker's API, which Podman's socket speaks too.

mod build;
mod convert;
mod ignore;
pub mod leftover;
pub mod line;
pub mod settings;
pub mod stream;
mod version;

use super::{Answer, Backend, Error, Ran};
use crate::manifest::project::Build;
use crate::plan::observed::{Container, Observed, Volume};
use crate::render::facts::ImageFacts;
use crate::render::spec::ContainerSpec;
use bollard::query_parameters as query;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

/// The label that every container of ours carries.
const LABEL: &str = "clauderon.id";

/// A connection to one engine.
#[derive(Clone, Debug)]
pub struct Docker {
    client: bollard::Docker,
    address: String,
}

impl Docker {
    /// Connects to the engine at an address such as `unix:///var/run/docker.sock` and asks for its API's version.
    pub async fn connect(address: &str) -> Result<Self, Error> {
        let unreachable =
            |source: version::Failure| Error::Unreachable { address: address.to_owned(), source };
        let socket = address.strip_prefix("unix://").unwrap_or(address);
        let version = version::negotiate(Path::new(socket)).await.map_err(unreachable)?;
        let client = bollard::Docker::connect_with_unix(address, 120, bollard::API_DEFAULT_VERSION)
            .map_err(|error| unreachable(Box::new(error)))?;
        let client = client.with_request_modifier(move |mut request| {
            *request.uri_mut() = version::put_back(request.uri(), version);
            request
        });
        Ok(Self { client, address: address.to_owned() })
    }

    /// The client itself, for streams.
    pub fn client(&self) -> &bollard::Docker {
        &self.client
    }

    /// Tells whenever a container of ours ends, until the engine goes away.
    pub fn ends(&self) -> BoxStream<'static, ()> {
        let filters = HashMap::from([
            ("type", vec!["container"]),
            ("label", vec![LABEL]),
            ("event", vec!["die", "destroy"]),
        ]);
        let options = query::EventsOptionsBuilder::default().filters(&filters).build();
        let events = self.client.events(Some(options));
        events.take_while(|event| std::future::ready(event.is_ok())).map(drop).boxed()
    }

    fn failed(&self, verb: &'static str, name: &str, source: bollard::errors::Error) -> Error {
        match &source {
            bollard::errors::Error::DockerResponseServerError { .. } => {
                Error::Engine { verb, name: name.to_owned(), source: Box::new(source) }
            }
            _ => Error::Unreachable { address: self.address.clone(), source: Box::new(source) },
        }
    }

    async fn wait(&self, name: &str) -> Result<i64, Error> {
        let mut ends = self.client.wait_container(name, None::<query::WaitContainerOptions>);
        match ends.next().await {
            Some(Ok(end)) => Ok(end.status_code),
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(self.failed("wait for", name, error)),
            None => Ok(0),
        }
    }

    async fn output(&self, name: &str, tail: &str) -> Result<String, Error> {
        let options = query::LogsOptionsBuilder::default().stdout(true).stderr(true).tail(tail).build();
        let mut output = String::new();
        let mut logs = self.client.logs(name, Some(options));
        while let Some(line) = logs.try_next().await.map_err(|error| self.failed("read", name, error))? {
            output.push_str(&String::from_utf8_lossy(&line.into_bytes()));
            if output.len() > 1 << 20 {
                break;
            }
        }
        Ok(output)
    }

    /// The names of the containers that mount a volume, running or not.
    async fn users(&self, volume: &str) -> Result<Vec<String>, Error> {
        let filters = HashMap::from([("volume", vec![volume])]);
        let options = query::ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let list = self.client.list_containers(Some(options)).await;
        let list = list.map_err(|error| self.failed("list", "containers", error))?;
        Ok(list.into_iter().map(|container| convert::container(container).name).collect())
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<String, Error> {
        let options = query::CreateContainerOptionsBuilder::default().name(&spec.name).build();
        match self.client.create_container(Some(options), convert::body(spec)).await {
            Ok(created) => Ok(created.id),
            Err(error) if status(&error) == Some(409) => self.same(spec).await,
            Err(error) => Err(self.failed("create", &spec.name, error)),
        }
    }

    /// The container that has the name already, where it was made from the same: by a run that ended before it heard so.
    async fn same(&self, spec: &ContainerSpec) -> Result<String, Error> {
        let found = self.client.inspect_container(&spec.name, None::<query::InspectContainerOptions>).await;
        let found = found.map_err(|error| self.failed("inspect", &spec.name, error))?;
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        // The image's own labels are among them.
        let same = spec.labels.iter().all(|(name, value)| labels.get(name) == Some(value));
        match found.id.filter(|_| same && !spec.labels.is_empty()) {
            Some(id) => Ok(id),
            None => Err(Error::NameTaken { name: spec.name.clone() }),
        }
    }

    async fn start_container(&self, name: &str) -> Result<(), Error> {
        match self.client.start_container(name, None::<query::StartContainerOptions>).await {
            Err(error) if status(&error) == Some(304) => Ok(()),
            Err(error) => Err(missing_program(&error).unwrap_or_else(|| self.failed("start", name, error))),
            Ok(()) => Ok(()),
        }
    }

    async fn rename_container(&self, name: &str, to: &str) -> Result<(), Error> {
        let options = query::RenameContainerOptionsBuilder::default().name(to).build();
        match self.client.rename_container(name, options).await {
            Err(error) if status(&error) == Some(409) => {
                // A run that ended before it heard so has done it already.
                let there = self.client.inspect_container(name, None::<query::InspectContainerOptions>).await;
                let has = |name: Option<String>| name.is_some_and(|name| name.trim_start_matches('/') == to);
                if there.is_ok_and(|there| has(there.name)) {
                    return Ok(());
                }
                Err(Error::NameTaken { name: to.to_owned() })
            }
            other => other.map_err(|error| self.failed("rename", name, error)),
        }
    }

    async fn remove_container(&self, name: &str) -> Result<(), Error> {
        let options = query::RemoveContainerOptionsBuilder::default().force(true).v(false).build();
        match self.client.remove_container(name, Some(options)).await {
            Err(error) if status(&error) == Some(404) => Ok(()),
            // Another caller is removing it at this moment.
            Err(error) if status(&error) == Some(409) => Ok(()),
            other => other.map_err(|error| self.failed("remove", name, error)),
        }
    }

    async fn once(&self, spec: &ContainerSpec, limit: Duration) -> Result<Ran, Error> {
        let id = self.create_container(spec).await?;
        let run = async {
            self.start_container(&id).await?;
            let code = self.wait(&id).await?;
            let output = self.output(&id, "all").await?;
            // The engine's init starts the program: its failure is no error of the start call.
            if code == 127 && output.contains("[FATAL tini") {
                return Err(Error::NoProgram { program: spec.argv.first().cloned().unwrap_or_default() });
            }
            Ok(Ran { code, output })
        };
        let timed_out = || Error::TimedOut { what: format!("`{}`", spec.argv.join(" ")), limit };
        let ran = tokio::time::timeout(limit, run).await.unwrap_or_else(|_| Err(timed_out()));
        self.remove_container(&id).await?;
        ran
    }
}

/// The HTTP status of an engine's refusal.
fn status(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The engine names the program that it did not find: `exec: "bash": executable file not found in $PATH`.
fn missing_program(error: &bollard::errors::Error) -> Option<Error> {
    let bollard::errors::Error::DockerResponseServerError { message, .. } = error else { return None };
    if !message.contains("executable file not found") && !message.contains("no such file or directory") {
        return None;
    }
    let program = message.split("exec: \"").nth(1)?.split('"').next()?.to_owned();
    Some(Error::NoProgram { program })
}

impl Backend for Docker {
    fn observe(&self) -> Answer<'_, Observed> {
        async {
            let filters = HashMap::from([("label", vec![LABEL])]);
            let options = query::ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
            let list = self.client.list_containers(Some(options)).await;
            let list = list.map_err(|error| self.failed("list", "containers", error))?;
            let mut containers: Vec<_> = list.into_iter().map(convert::container).collect();
            containers.sort_by(|left, right| left.name.cmp(&right.name));
            let (helpers, containers) = containers.into_iter().partition(Container::helps);
            Ok(Observed { containers, helpers, ..Observed::default() })
        }
        .boxed()
    }

    fn image<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<ImageFacts>> {
        async move {
            match self.client.inspect_image(reference).await {
                Ok(image) => Ok(Some(convert::image(reference, image))),
                Err(error) if status(&error) == Some(404) => Ok(None),
                Err(error) => Err(self.failed("inspect", reference, error)),
            }
        }
        .boxed()
    }

    fn pull<'a>(&'a self, reference: &'a str) -> Answer<'a, ()> {
        async move {
            let (name, tag) = convert::name_and_tag(reference);
            let options = query::CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
            let mut progress = self.client.create_image(Some(options), None, None);
            while let Some(step) = progress.next().await {
                step.map_err(|source| Error::Pull {
                    reference: reference.to_owned(),
                    source: Box::new(source),
                })?;
            }
            Ok(())
        }
        .boxed()
    }

    fn build<'a>(
        &'a self,
        build: &'a Build,
        reference: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Answer<'a, ()> {
        build::build(self, build, reference, labels).boxed()
    }

    fn volumes(&self) -> Answer<'_, Vec<Volume>> {
        async {
            let filters = HashMap::from([("label", vec!["clauderon.volume"])]);
            let options = query::ListVolumesOptionsBuilder::default().filters(&filters).build();
            let list = self.client.list_volumes(Some(options)).await;
            let list = list.map_err(|error| self.failed("list", "volumes", error))?;
            let mut volumes: Vec<_> =
                list.volumes.unwrap_or_default().into_iter().map(convert::volume).collect();
            volumes.sort_by(|left, right| left.name.cmp(&right.name));
            Ok(volumes)
        }
        .boxed()
    }

    fn create_volume<'a>(
        &'a self,
        name: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Answer<'a, Volume> {
        async move {
            match self.client.inspect_volume(name).await {
                Ok(volume) => return Ok(convert::volume(volume)),
                Err(error) if status(&error) == Some(404) => {}
                Err(error) => return Err(self.failed("inspect", name, error)),
            }
            let body = bollard::models::VolumeCreateRequest {
                name: Some(name.to_owned()),
                labels: Some(labels.clone().into_iter().collect()),
                ..Default::default()
            };
            let made = self.client.create_volume(body).await;
            made.map(convert::volume).map_err(|error| self.failed("create", name, error))
        }
        .boxed()
    }

    fn remove_volume<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<String>> {
        async move {
            match self.client.remove_volume(name, None::<query::RemoveVolumeOptions>).await {
                Ok(()) => Ok(Vec::new()),
                Err(error) if status(&error) == Some(404) => Ok(Vec::new()),
                Err(error) if status(&error) == Some(409) => {
                    let users = self.users(name).await?;
                    if users.is_empty() { Err(self.failed("remove", name, error)) } else { Ok(users) }
                }
                Err(error) => Err(self.failed("remove", name, error)),
            }
        }
        .boxed()
    }

    fn create<'a>(&'a self, spec: &'a ContainerSpec) -> Answer<'a, String> {
        self.create_container(spec).boxed()
    }

    fn name<'a>(&'a self, name: &'a str, to: &'a str) -> Answer<'a, ()> {
        self.rename_container(name, to).boxed()
    }

    fn start<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.start_container(name).boxed()
    }

    fn stop<'a>(&'a self, name: &'a str, grace: Duration) -> Answer<'a, ()> {
        async move {
            let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
            let options = query::StopContainerOptionsBuilder::default().t(seconds).build();
            match self.client.stop_container(name, Some(options)).await {
                Err(error) if matches!(status(&error), Some(304 | 404)) => Ok(()),
                other => other.map_err(|error| self.failed("stop", name, error)),
            }
        }
        .boxed()
    }

    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.remove_container(name).boxed()
    }

    fn run_once<'a>(&'a self, spec: &'a ContainerSpec, limit: Duration) -> Answer<'a, Ran> {
        self.once(spec, limit).boxed()
    }

    fn tail<'a>(&'a self, name: &'a str, lines: usize) -> Answer<'a, String> {
        async move { self.output(name, &lines.to_string()).await }.boxed()
    }
}
