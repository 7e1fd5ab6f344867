//! Plans as text: what is done, to which session, and why. The fake stands for the engine.

mod crash;
mod effects;
mod histories;
mod model;
mod mortal;
mod properties;
mod real;
mod released;
mod walk;

use crate::support::project::{host, project, session};
use clauderon::backend::{Backend, fake::Fake};
use clauderon::manifest::project::{Mode, Project};
use clauderon::plan::observed::{ContainerState, Known, Observed};
use clauderon::plan::up::{Options, Refusal, down, up};
use clauderon::render::desired::{Desired, container, desired};
use clauderon::render::facts::SessionFacts;

fn all(project: &Project, image: &str) -> Vec<Desired> {
    project.sessions.iter().map(|session| desired(project, session, &host(), ("agents:1", image))).collect()
}

fn facts() -> SessionFacts {
    SessionFacts {
        identity: Default::default(),
        image: Default::default(),
        probe: Default::default(),
        checkout: Default::default(),
        conversation: 1,
        token: "token".to_owned(),
        authorities: Vec::new(),
    }
}

/// What is there once `up` has brought this project up, as the next plan sees it.
async fn after_up(project: &Project) -> Observed {
    let fake = Fake::default();
    bring_up(&fake, project, "sha256:1").await;
    let known = |desired: Desired| {
        let known = Known { kept: desired.kept, conversation: 1, working: false, ..Known::default() };
        (desired.id, known)
    };
    let known = all(project, "sha256:1").into_iter().map(known).collect();
    Observed { known, ..fake.observe().await.unwrap() }
}

/// This engine, and the records of a project that is up.
async fn with_known(project: &Project, seen: Observed) -> Observed {
    Observed { known: after_up(project).await.known, ..seen }
}

/// Makes and starts what is desired, so that the next plan sees it.
async fn bring_up(fake: &Fake, project: &Project, image: &str) {
    for desired in all(project, image) {
        fake.create(&container(project, &desired, &host(), &facts())).await.unwrap();
        fake.start(&desired.container).await.unwrap();
    }
}

fn text(project: &Project, image: &str, observed: &Observed) -> String {
    up(&all(project, image), observed, Options::default()).unwrap().to_string()
}

#[tokio::test]
async fn what_is_not_there_is_created_and_what_is_there_is_left_alone() {
    let shop = project(vec![session("a"), session("b")]);
    let fake = Fake::default();
    assert_eq!(
        text(&shop, "sha256:1", &fake.observe().await.unwrap()),
        "create a: not there\ncreate b: not there\n"
    );
    bring_up(&fake, &shop, "sha256:1").await;
    assert_eq!(text(&shop, "sha256:1", &fake.observe().await.unwrap()), "");
}

#[tokio::test]
async fn a_changed_field_recreates_that_session_alone_and_says_which() {
    let mut shop = project(vec![session("a"), session("b")]);
    let observed = after_up(&shop).await;
    shop.sessions[1].environment.insert("RUST_LOG".to_owned(), "debug".to_owned());
    shop.sessions[1].agent.model = Some("opus".to_owned());
    assert_eq!(
        text(&shop, "sha256:1", &observed),
        "recreate b: agent.model: (none) → opus [restart], environment.RUST_LOG added: (hidden) [recreate]\n"
    );
    assert_eq!(
        text(&project(vec![session("a")]), "sha256:2", &observed),
        "recreate a: image: sha256:1 → sha256:2 [recreate]\nnote: `clauderon-shop-b` is not in the manifest any more: `clauderon down b` removes it\n"
    );
}

#[tokio::test]
async fn another_name_of_the_same_image_recreates_nothing_but_changes_the_hash() {
    use clauderon::render::fields::spec_hash;
    let shop = project(vec![session("a")]);
    let fake = Fake::default();
    bring_up(&fake, &shop, "sha256:1").await;
    let renamed = vec![desired(&shop, &shop.sessions[0], &host(), ("agents:2", "sha256:1"))];
    let plan = up(&renamed, &fake.observe().await.unwrap(), Options::default()).unwrap();
    assert_eq!(plan.to_string(), "");
    let fields = &renamed[0].fields;
    assert_ne!(spec_hash(fields, "agents:1"), spec_hash(fields, "agents:2"));
}

#[tokio::test]
async fn a_changed_volume_recreates_that_session_alone() {
    use clauderon::manifest::project::{Volume, VolumeSource};
    let mut shop = project(vec![session("a"), session("b")]);
    let fake = Fake::default();
    bring_up(&fake, &shop, "sha256:1").await;
    let source = VolumeSource::Named("data".to_owned());
    shop.sessions[0].volumes.push(Volume { source, target: "/data".to_owned(), read_only: true });
    let observed = fake.observe().await.unwrap();
    assert_eq!(text(&shop, "sha256:1", &observed), "recreate a: volumes./data added: data:ro [recreate]\n");
}

#[tokio::test]
async fn an_ended_batch_session_has_done_its_work_and_an_ended_interactive_one_is_started() {
    let mut batch = session("batch");
    batch.mode = Mode::Batch;
    let shop = project(vec![session("a"), batch]);
    let fake = Fake::default();
    bring_up(&fake, &shop, "sha256:1").await;
    fake.set_state("clauderon-shop-a", ContainerState::Exited(143));
    fake.set_state("clauderon-shop-batch", ContainerState::Exited(0));
    assert_eq!(text(&shop, "sha256:1", &fake.observe().await.unwrap()), "start a: exited with code 143\n");
    fake.set_state("clauderon-shop-batch", ContainerState::Exited(1));
    let plan = text(&shop, "sha256:1", &fake.observe().await.unwrap());
    assert!(plan.contains("start batch: exited with code 1"), "{plan}");
}

#[tokio::test]
async fn a_batch_session_that_has_done_its_work_is_not_begun_again_for_a_change() {
    let mut batch = session("a");
    batch.mode = Mode::Batch;
    let shop = project(vec![batch.clone()]);
    let fake = Fake::default();
    bring_up(&fake, &shop, "sha256:1").await;
    fake.set_state("clauderon-shop-a", ContainerState::Exited(0));
    batch.resources.pids = 9;
    let after = project(vec![batch.clone()]);
    let observed = fake.observe().await.unwrap();
    let kept = "keep a: resources.pids: 1024 → 9 [recreate]: it has done its work, and \
                `clauderon up --renew a` has it done again\n";
    assert_eq!(text(&after, "sha256:1", &observed), kept);
    // What is said of hosts holds all the same.
    batch.access = clauderon::manifest::project::Access::ReadOnly;
    let live = project(vec![batch.clone()]);
    let told = text(&live, "sha256:1", &with_known(&shop, observed.clone()).await);
    assert_eq!(told, format!("live a: proxy.access: read-write → read-only [live]\n{kept}"));
    // Asked for, it is; and one that failed is begun again anyway.
    let again = Options { renew: true, ..Options::default() };
    let plan = up(&all(&after, "sha256:1"), &observed, again).unwrap().to_string();
    assert!(plan.starts_with("recreate a: a new conversation was asked for"), "{plan}");
    fake.set_state("clauderon-shop-a", ContainerState::Exited(1));
    let plan = text(&after, "sha256:1", &fake.observe().await.unwrap());
    assert_eq!(plan, "recreate a: resources.pids: 1024 → 9 [recreate]\n");
    // One that was interactive, and is to be a batch session, has not done that work.
    let was = project(vec![session("a")]);
    let fake = Fake::default();
    bring_up(&fake, &was, "sha256:1").await;
    fake.set_state("clauderon-shop-a", ContainerState::Exited(0));
    let plan = text(&after, "sha256:1", &fake.observe().await.unwrap());
    assert!(plan.starts_with("recreate a: mode: interactive → batch"), "{plan}");
}

#[tokio::test]
async fn what_somebody_did_to_a_container_is_undone_and_it_is_said_what() {
    let shop = project(vec![session("a")]);
    let fake = Fake::default();
    bring_up(&fake, &shop, "sha256:1").await;
    let mut observed = with_known(&shop, fake.observe().await.unwrap()).await;
    let id = all(&shop, "sha256:1")[0].id.clone();
    let known = observed.known.get_mut(&id).unwrap();
    known.touched.insert("resources.pids".to_owned(), "7".to_owned());
    known.touched.insert("network".to_owned(), "bridge".to_owned());
    known.lost = true;
    let told = "recreate a: network: bridge → none [recreate], resources.pids: 7 → 1024 [recreate], \
                its checkout is gone [recreate]\n";
    assert_eq!(text(&shop, "sha256:1", &observed), told);
}

#[tokio::test]
async fn a_name_that_another_root_holds_is_refused() {
    let shop = project(vec![session("a")]);
    let fake = Fake::default();
    bring_up(&fake, &shop, "sha256:1").await;
    let elsewhere = Project { root: "/projects/other".into(), ..shop };
    let refusal = up(&all(&elsewhere, "sha256:1"), &fake.observe().await.unwrap(), Options::default());
    assert!(matches!(refusal, Err(Refusal::Foreign { name, holder })
        if name == "clauderon-shop-a" && holder.contains("/projects/shop")));
}

#[tokio::test]
async fn a_newer_set_of_fields_recreates_nothing_by_itself() {
    let shop = project(vec![session("a")]);
    let fake = Fake::default();
    bring_up(&fake, &shop, "sha256:1").await;
    let mut observed = fake.observe().await.unwrap();
    let labels = &mut observed.containers[0].labels;
    labels.insert("clauderon.spec".to_owned(), "v0:0123".to_owned());
    let mut fields: serde_json::Value = serde_json::from_str(&labels["clauderon.fields"]).unwrap();
    fields.as_object_mut().unwrap().remove("permissions");
    labels.insert("clauderon.fields".to_owned(), fields.to_string());
    assert_eq!(text(&shop, "sha256:1", &observed), "");
    assert_eq!(text(&shop, "sha256:2", &observed), "recreate a: image: sha256:1 → sha256:2 [recreate]\n");
}

#[tokio::test]
async fn down_stops_imports_and_only_then_removes() {
    use clauderon::plan::action::Step;
    let shop = project(vec![session("a")]);
    let fake = Fake::default();
    bring_up(&fake, &shop, "sha256:1").await;
    let observed = fake.observe().await.unwrap();
    let plan = down(&observed.containers.iter().collect::<Vec<_>>());
    let name = "clauderon-shop-a".to_owned();
    assert_eq!(plan.sessions[0].steps, [Step::Stop(name.clone()), Step::Import, Step::Remove(name)]);
}

#[test]
fn a_dry_run_names_the_images_that_would_be_got() {
    use clauderon::manifest::project::{Build, Image, PullPolicy};
    use clauderon::plan::images::fetches;
    let told = |image: Image, policy, present: bool| {
        let mut sessions = [session("a"), session("b")];
        for session in &mut sessions {
            (session.image, session.pull_policy) = (image.clone(), policy);
        }
        let shop = project(sessions.into());
        let (fetches, notes) = fetches(&all(&shop, ""), |_| present);
        assert!(fetches.iter().all(|fetch| fetch.sessions == ["a", "b"]), "{fetches:?}");
        let lines = fetches.iter().map(ToString::to_string).chain(notes);
        lines.collect::<Vec<_>>().join("; ")
    };
    let named = || Image::Reference("agents:1".to_owned());
    let built = || {
        Image::Build(Build {
            context: "/projects/shop".into(),
            dockerfile: "Dockerfile".to_owned(),
            target: None,
            args: Default::default(),
        })
    };
    for (image, policy, present, wanted) in [
        (named(), PullPolicy::Missing, false, "pull agents:1: the engine does not have it"),
        (named(), PullPolicy::Missing, true, ""),
        (named(), PullPolicy::Always, true, "pull agents:1: `pull_policy: always`"),
        (named(), PullPolicy::Never, true, ""),
        (
            named(),
            PullPolicy::Never,
            false,
            "the engine has no image `agents:1`, and `pull_policy: never` keeps it so: `up` fails",
        ),
        (built(), PullPolicy::Missing, false, "build agents:1: the engine does not have it"),
        (built(), PullPolicy::Never, false, "build agents:1: the engine does not have it"),
        (built(), PullPolicy::Missing, true, ""),
        (built(), PullPolicy::Always, true, "build agents:1: `pull_policy: always`"),
    ] {
        assert_eq!(told(image.clone(), policy, present), wanted, "{image:?} {policy:?} {present}");
    }
}

#[test]
fn down_removes_the_volumes_of_its_own_project_whatever_their_names() {
    use clauderon::manifest::project::CacheScope;
    use clauderon::plan::{observed::Volume, volumes::removable};
    let volume = |name: &str, session: &str, project: &Project, scope| {
        let one = &all(project, "sha256:1")[0];
        let mut spec = container(project, one, &host(), &facts());
        spec.labels.insert("clauderon.session".to_owned(), session.to_owned());
        Volume { name: name.to_owned(), labels: spec.volume_labels(scope) }
    };
    // The name of this project makes its volumes look like those that all projects share.
    let cargo = Project { name: "cargo".to_owned(), ..project(vec![session("a")]) };
    let twin = Project { root: "/elsewhere".into(), ..cargo.clone() };
    let volumes = [
        volume("clauderon-cargo-registry", "a", &cargo, CacheScope::Shared),
        volume("clauderon-cargo-data", "a", &cargo, CacheScope::Project),
        volume("clauderon-cargo-a-next", "a", &cargo, CacheScope::Session),
        volume("clauderon-cargo-gone-next", "gone", &cargo, CacheScope::Session),
        volume("clauderon-cargo-web", "a", &twin, CacheScope::Project),
        Volume { name: "clauderon-cargo-mine".to_owned(), ..Volume::default() },
    ];
    let owner = clauderon::render::identity::owner(1000, host().home.path());
    let names = |owner: &str, sessions: &[&str]| {
        let sessions: Vec<String> = sessions.iter().map(ToString::to_string).collect();
        let found = removable(&volumes, &cargo, owner, &sessions);
        found.into_iter().map(|volume| volume.name.clone()).collect::<Vec<_>>()
    };
    let all = ["clauderon-cargo-data", "clauderon-cargo-a-next", "clauderon-cargo-gone-next"];
    assert_eq!(names(&owner, &[]), all);
    assert_eq!(names(&owner, &["a"]), ["clauderon-cargo-a-next"]);
    assert!(names("1001:/state/clauderon", &[]).is_empty(), "another user's");
}
