//! One contract for every backend: the fake passes what Docker passes. What goes over Docker's socket besides.

use crate::support::engine::Relay;
use crate::support::world::docker;
use clauderon::backend::docker::stream::Exec;
use clauderon::backend::{Backend, Error, docker::Docker, fake::Fake};
use clauderon::manifest::project::{Build, CacheScope};
use clauderon::plan::observed::ContainerState;
use clauderon::render::spec::{ContainerSpec, Mount, MountSource};
use std::collections::BTreeMap;
use std::time::Duration;

const IMAGE: &str = "debian:bookworm-slim";

fn spec(name: &str) -> ContainerSpec {
    ContainerSpec {
        name: name.to_owned(),
        image: IMAGE.to_owned(),
        argv: vec!["sleep".to_owned(), "60".to_owned()],
        user: "1000:1000".to_owned(),
        labels: BTreeMap::from([
            ("clauderon.id".to_owned(), name.to_owned()),
            ("clauderon.owner".to_owned(), "contract".to_owned()),
        ]),
        sealed: true,
        pids: 64,
        ..ContainerSpec::default()
    }
}

async fn state(backend: &dyn Backend, id: &str) -> Option<ContainerState> {
    backend.observe().await.unwrap().session(id).map(|container| container.state)
}

async fn contract(backend: &dyn Backend) {
    let name = format!("clauderon-contract-{}", uuid::Uuid::now_v7());
    let spec = spec(&name);
    let facts = backend.image(IMAGE).await.unwrap().expect("the image is there");
    assert!(facts.id.starts_with("sha256:"), "{facts:?}");
    assert_eq!(backend.image("clauderon-no-such-image:1").await.unwrap(), None);

    assert_eq!(state(backend, &name).await, None);
    backend.create(&spec).await.unwrap();
    assert_eq!(state(backend, &name).await, Some(ContainerState::Created));
    backend.create(&spec).await.unwrap();
    let labels = BTreeMap::from([("clauderon.id".to_owned(), "another".to_owned())]);
    let other = ContainerSpec { labels, ..spec.clone() };
    assert!(matches!(backend.create(&other).await, Err(Error::NameTaken { .. })));
    let renamed = format!("{name}-renamed");
    backend.name(&name, &renamed).await.unwrap();
    assert_eq!(backend.observe().await.unwrap().session(&name).unwrap().name, renamed);
    backend.name(&renamed, &name).await.unwrap();
    assert!(matches!(backend.name(&renamed, &name).await, Err(Error::Engine { .. })));
    backend.start(&name).await.unwrap();
    backend.start(&name).await.unwrap();
    assert_eq!(state(backend, &name).await, Some(ContainerState::Running));
    backend.stop(&name, Duration::from_secs(5)).await.unwrap();
    backend.stop(&name, Duration::from_secs(5)).await.unwrap();
    assert_eq!(state(backend, &name).await, Some(ContainerState::Exited(143)));
    backend.start(&name).await.unwrap();
    assert_eq!(state(backend, &name).await, Some(ContainerState::Running));
    backend.remove(&name).await.unwrap();
    backend.remove(&name).await.unwrap();
    backend.stop(&name, Duration::from_secs(5)).await.unwrap();
    assert_eq!(state(backend, &name).await, None);
    assert!(matches!(backend.start(&name).await, Err(Error::Engine { .. })));

    let volume = format!("{name}-volume");
    let labels = BTreeMap::from([("clauderon.volume".to_owned(), "project".to_owned())]);
    for asked in [&labels, &BTreeMap::new()] {
        let there = backend.create_volume(&volume, asked).await.unwrap();
        assert_eq!((&there.name, &there.labels), (&volume, &labels));
    }
    let source = MountSource::Volume { name: volume.clone(), scope: CacheScope::Project };
    let mount = Mount { source, target: "/data".to_owned(), read_only: false };
    backend.create(&ContainerSpec { mounts: vec![mount], ..spec.clone() }).await.unwrap();
    assert_eq!(backend.remove_volume(&volume).await.unwrap(), std::slice::from_ref(&name), "it is in use");
    let listed = backend.volumes().await.unwrap().into_iter().find(|listed| listed.name == volume);
    assert_eq!(listed.map(|listed| listed.labels), Some(labels));
    backend.remove(&name).await.unwrap();
    assert!(backend.remove_volume(&volume).await.unwrap().is_empty());
    assert!(backend.remove_volume(&volume).await.unwrap().is_empty());
    assert!(backend.volumes().await.unwrap().iter().all(|listed| listed.name != volume));

    let once = ContainerSpec { argv: vec!["true".to_owned()], ..spec };
    assert_eq!(backend.run_once(&once, Duration::from_secs(20)).await.unwrap().code, 0);
    assert_eq!(state(backend, &name).await, None);
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    contract(&Fake::with_image(IMAGE, "sha256:1")).await;
}

#[tokio::test]
async fn docker_keeps_the_contract() {
    contract(&Docker::connect("unix:///var/run/docker.sock").await.unwrap()).await;
}

#[tokio::test]
async fn docker_names_the_program_that_an_image_lacks() {
    let docker = Docker::connect("unix:///var/run/docker.sock").await.unwrap();
    let name = format!("clauderon-contract-{}", uuid::Uuid::now_v7());
    let spec = ContainerSpec { argv: vec!["no-such-program".to_owned()], ..spec(&name) };
    let error = docker.run_once(&spec, Duration::from_secs(20)).await.unwrap_err();
    assert!(matches!(&error, Error::NoProgram { program } if program == "no-such-program"), "{error:?}");
    assert_eq!(state(&docker, &name).await, None);
}

#[tokio::test]
async fn a_one_shot_that_hangs_is_ended_and_removed() {
    let docker = Docker::connect("unix:///var/run/docker.sock").await.unwrap();
    let name = format!("clauderon-contract-{}", uuid::Uuid::now_v7());
    let error = docker.run_once(&spec(&name), Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert_eq!(state(&docker, &name).await, None);
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_unreachable_and_not_empty() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let answer = match Docker::connect(&format!("unix://{}", socket.display())).await {
        Ok(docker) => docker.observe().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(matches!(answer, Err(Error::Unreachable { .. })), "{answer:?}");
}

/// The requests but the first, which asks for the version, each with the version before its path.
fn versioned(relay: &Relay, version: &str) -> Vec<String> {
    let requests = relay.requests();
    assert_eq!(requests[0], "GET /_ping");
    let prefix = format!("/v{version}/");
    for request in &requests[1..] {
        let path = request.split(' ').nth(1).unwrap();
        assert!(path.starts_with(&prefix) && !path[1..].contains("/v1."), "{request}");
    }
    requests[1..].to_vec()
}

#[tokio::test]
async fn every_request_names_the_version_of_the_api() {
    let relay = Relay::new();
    let engine = Docker::connect(&relay.address()).await.unwrap();
    contract(&engine).await;
    let name = format!("clauderon-contract-{}", uuid::Uuid::now_v7());
    let spec = ContainerSpec { terminal: true, ..spec(&name) };
    engine.create(&spec).await.unwrap();
    engine.start(&name).await.unwrap();
    let attached = engine.attach(&name, None).await.unwrap();
    engine.resize(&name, 40, 90).await.unwrap();
    let exec = Exec { argv: vec!["true".to_owned()], ..Exec::default() };
    let (id, mut session) = engine.exec(&name, exec).await.unwrap();
    while futures_util::StreamExt::next(&mut session.output).await.is_some() {}
    assert_eq!(engine.exec_code(&id).await.unwrap(), 0);
    engine.tail(&name, 1).await.unwrap();
    drop(attached);
    engine.remove(&name).await.unwrap();
    let told = docker(&["version", "--format", "{{.Server.APIVersion}}"]);
    let requests = versioned(&relay, told.trim());
    for part in
        ["/containers/json", "/containers/create", "/attach?", "/resize?", "/exec/", "/logs?", "/volumes/"]
    {
        assert!(requests.iter().any(|request| request.contains(part)), "no {part} in {requests:#?}");
    }
}

#[tokio::test]
async fn an_engine_newer_than_we_know_is_spoken_to_as_the_newest_that_we_know() {
    let relay = Relay::answering("Api-Version: 1.9999\r\n");
    let engine = Docker::connect(&relay.address()).await.unwrap();
    engine.observe().await.unwrap();
    let newest = bollard::API_DEFAULT_VERSION;
    let requests = versioned(&relay, &format!("{}.{}", newest.major_version, newest.minor_version));
    assert_eq!(requests.len(), 1, "{requests:?}");
    let older = Relay::answering("Api-Version: 1.30\r\n");
    Docker::connect(&older.address()).await.unwrap().observe().await.unwrap();
    assert_eq!(versioned(&older, "1.30").len(), 1);
}

#[tokio::test]
async fn what_does_not_tell_its_version_is_no_engine() {
    let relay = Relay::answering("");
    let error = Docker::connect(&relay.address()).await.unwrap_err();
    let Error::Unreachable { source, .. } = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("version of its API"), "{source}");
}

#[tokio::test]
async fn a_build_does_not_get_what_is_ignored() {
    let context = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(context.path().join(name), text).unwrap();
    write("agent.Dockerfile", &format!("FROM {IMAGE}\nCOPY . /context\n"));
    write(".dockerignore", "# all\n*.key\n!public.key\n");
    write("secret.key", "words that stay at home");
    write("public.key", "");
    std::os::unix::fs::symlink("/etc/hostname", context.path().join("link")).unwrap();
    let relay = Relay::new();
    let engine = Docker::connect(&relay.address()).await.unwrap();
    let build = Build {
        context: context.path().to_owned(),
        dockerfile: "agent.Dockerfile".to_owned(),
        target: None,
        args: BTreeMap::new(),
    };
    let reference = format!("clauderon-contract/{}:1", uuid::Uuid::now_v7());
    let labels = clauderon::render::spec::image_labels("shop", "/projects/shop", "contract");
    engine.build(&build, &reference, &labels).await.unwrap();
    let built = engine.built().await.unwrap();
    let built =
        built.iter().find(|image| image.names == [reference.clone()]).expect("it is found by its label");
    assert_eq!((built.label("owner"), built.label("root")), ("contract", "/projects/shop"));
    assert!(built.bytes > 0);
    let list = ContainerSpec {
        image: reference.clone(),
        argv: ["sh", "-c", "ls -A /context; readlink /context/link"].map(String::from).into(),
        ..spec(&format!("clauderon-contract-{}", uuid::Uuid::now_v7()))
    };
    let ran = engine.run_once(&list, Duration::from_secs(20)).await;
    assert!(engine.remove_image(&built.id).await.unwrap(), "nothing uses it");
    assert!(engine.remove_image(&built.id).await.unwrap(), "one that is gone is no error");
    let output = ran.unwrap().output.replace('\r', "");
    assert_eq!(output, ".dockerignore\nagent.Dockerfile\nlink\npublic.key\n/etc/hostname\n");
    assert!(!relay.said("words that stay at home"), "it went over the socket");
}
