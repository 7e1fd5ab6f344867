//! One contract for every backend: the fake passes what Docker passes.

use clauderon::backend::{Backend, Error, docker::Docker, fake::Fake};
use clauderon::plan::observed::ContainerState;
use clauderon::render::spec::ContainerSpec;
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
    assert!(matches!(backend.create(&spec).await, Err(Error::NameTaken { .. })));
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
    assert!(backend.create_volume(&volume).await.unwrap());
    assert!(!backend.create_volume(&volume).await.unwrap());
    backend.remove_volume(&volume).await.unwrap();
    backend.remove_volume(&volume).await.unwrap();

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
    contract(&Docker::connect("unix:///var/run/docker.sock").unwrap()).await;
}

#[tokio::test]
async fn docker_names_the_program_that_an_image_lacks() {
    let docker = Docker::connect("unix:///var/run/docker.sock").unwrap();
    let name = format!("clauderon-contract-{}", uuid::Uuid::now_v7());
    let spec = ContainerSpec { argv: vec!["no-such-program".to_owned()], ..spec(&name) };
    let error = docker.run_once(&spec, Duration::from_secs(20)).await.unwrap_err();
    assert!(matches!(&error, Error::NoProgram { program } if program == "no-such-program"), "{error:?}");
    assert_eq!(state(&docker, &name).await, None);
}

#[tokio::test]
async fn a_one_shot_that_hangs_is_ended_and_removed() {
    let docker = Docker::connect("unix:///var/run/docker.sock").unwrap();
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
    let answer = match Docker::connect(&format!("unix://{}", socket.display())) {
        Ok(docker) => docker.observe().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(matches!(answer, Err(Error::Unreachable { .. })), "{answer:?}");
}
