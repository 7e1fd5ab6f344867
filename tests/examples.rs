//! Every example: read, resolved, rendered, and brought up on the real engine with a scripted model.

use crate::support::project::host;
use crate::support::world::{IMAGE, World, docker};
use clauderon::fs;
use clauderon::manifest::project::{Project, Session};
use clauderon::manifest::source;
use clauderon::render::desired::{container, desired};
use clauderon::render::facts::SessionFacts;
use clauderon::render::{files, script};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The names of all examples.
pub fn all() -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

fn manifest(name: &str) -> PathBuf {
    directory().join(name).join("clauderon.yaml")
}

fn project(name: &str) -> Project {
    source::load(&manifest(name)).unwrap_or_else(|wrong| match wrong {
        source::LoadError::Invalid(diagnostics) => panic!("{}", diagnostics.render(false)),
        source::LoadError::Unread(unread) => panic!("{unread}"),
    })
}

/// Renders a session as `up` does, with facts of a host and an image that are made up.
fn rendered(project: &Project, session: &Session) {
    let facts = SessionFacts {
        identity: Default::default(),
        image: Default::default(),
        probe: Default::default(),
        checkout: Default::default(),
        conversation: 1,
        token: "token".to_owned(),
        authorities: session
            .hosts
            .values()
            .filter_map(|host| host.ca.as_ref())
            .map(|_| "CA".to_owned())
            .collect(),
    };
    let desired = desired(project, session, &host(), ("agents:1", "sha256:1"));
    let spec = container(project, &desired, &host(), &facts);
    assert_eq!(spec.name, format!("clauderon-{}-{}", project.name, session.name));
    assert_eq!(spec.environment["HOME"], "/workspace");
    for volume in &session.volumes {
        assert!(spec.mounts.iter().any(|mount| mount.target == volume.target), "{}", volume.target);
    }
    let entry = script::entry(session).unwrap();
    assert!(entry.starts_with("#!"), "{entry}");
    assert!(!files::files(&desired.id, session, &host(), &facts).unwrap().is_empty());
}

#[test]
fn every_example_is_valid_and_renders() {
    assert!(all().len() >= 9, "{:?}", all());
    for name in all() {
        let project = project(&name);
        for session in &project.sessions {
            rendered(&project, session);
        }
    }
}

#[test]
fn every_example_names_its_schema_explains_itself_and_stands_in_the_table() {
    let table = fs::read_to_string(&directory().join("README.md")).unwrap();
    for name in all() {
        let text = fs::read_to_string(&manifest(&name)).unwrap();
        let mut lines = text.lines();
        let modeline = lines.next().unwrap_or_default();
        let (_, schema) = modeline.split_once("# yaml-language-server: $schema=").expect("the schema");
        assert!(directory().join(&name).join(schema).is_file(), "{name}: {schema}");
        assert!(lines.next().is_some_and(|line| line.starts_with("# ")), "{name} says nothing of itself");
        assert!(table.contains(&format!("[{name}]({name}/")), "examples/README.md lacks {name}");
    }
}

/// Puts an example into the world's repository. Its manifest stays as it is, but for the project's name, so that no
/// two tests meet, and for the addresses of the models, which are the scripted one's.
fn place(name: &str, world: &World) {
    let copied =
        Command::new("cp").arg("-r").arg(directory().join(name).join(".")).arg(world.root()).status();
    assert!(copied.unwrap().success());
    let text = fs::read_to_string(&manifest(name)).unwrap();
    let named = text.lines().filter(|line| !line.starts_with("name: ")).map(|line| format!("{line}\n"));
    let mut text: String = named.collect();
    let address = fs::read_to_string(&world.path("address")).unwrap();
    let host = |name| format!("    {name}: {{address: \"{}\", ca: model-ca.pem}}\n", address.trim());
    let hosts = ["api.anthropic.com", "api.openai.com", "chatgpt.com"].map(host).concat();
    if text.contains("proxy:\n  hosts:\n") {
        text = text.replace("proxy:\n  hosts:\n", &format!("proxy:\n  hosts:\n{hosts}"));
    } else if !text.contains("egress: open") {
        text.push_str(&format!("proxy:\n  hosts:\n{hosts}"));
    }
    world.write("clauderon.yaml", &format!("name: {}\n{text}", world.project));
}

/// What an example takes as given: packages of the net are not fetched in a test, files that git ignores are made,
/// and so are the repositories beside each other.
fn provide(name: &str, world: &World) {
    match name {
        "rust" | "node" => world.write("Dockerfile", &format!("FROM {IMAGE}\n")),
        "several-repositories" => {
            for repository in ["web", "api"] {
                std::fs::create_dir(world.root().join(repository)).unwrap();
                world.git(&["-C", repository, "init", "--quiet", "--initial-branch", "main"]);
                world.git(&[
                    "-C",
                    repository,
                    "-c",
                    "user.name=Ada",
                    "-c",
                    "user.email=ada@example.org",
                    "commit",
                    "--quiet",
                    "--allow-empty",
                    "--message",
                    "Begin",
                ]);
            }
        }
        _ => {}
    }
    if name == "node" {
        world.write(".env.test", "PORT=1\n");
    }
}

/// Brings an example up, looks at it, and takes it down.
fn goes_up_and_down(name: &str) {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "Done."}]}]}));
    place(name, &world);
    provide(name, &world);
    let declared: Vec<String> = project(name).sessions.into_iter().map(|session| session.name).collect();
    world.run(&["up", "--wait", "--yes"]).ok();
    let mut up: Vec<String> = Vec::new();
    for status in world.ps() {
        let is_up = status["state"] == "running" || status["exit_code"] == 0;
        assert!(is_up, "{name}: {status}");
        up.push(status["session"].as_str().unwrap().to_owned());
    }
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(up), sorted(declared));
    looks_right(name, &world);
    world.run(&["down", "--checkouts", "--volumes", "--force"]).ok();
    let filter = format!("label=clauderon.project={}", world.project);
    assert_eq!(docker(&["ps", "-aq", "--filter", &filter]), "");
    // By its name: what was built of one line alone is the same image as its base, which stays.
    let built = format!("clauderon-build/{}", world.project);
    for image in docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", &built]).lines() {
        docker(&["rmi", image]);
    }
}

/// What the example is for is there.
fn looks_right(name: &str, world: &World) {
    let inside =
        |session: &str, command: &str| world.run(&["exec", "-T", session, "--", "sh", "-c", command]).ok();
    match name {
        "custom-image" => assert_eq!(inside("check", "greet"), "hello\n"),
        "no-repository" => {
            assert!(
                inside("numbers", "cat /fixtures/numbers.csv; touch /results/made").contains("2026-01,120")
            );
        }
        "node" => assert_eq!(inside("upgrade", "cat .env.test; touch .next/cache/made"), "PORT=1\n"),
        "rust" => assert_eq!(inside("speed", "touch target/made && echo $CARGO_INCREMENTAL"), "0\n"),
        "many-sessions" => assert_eq!(inside("search", "echo $NODE_ENV $SEARCH_INDEX"), "test small\n"),
        "several-repositories" => {
            assert_eq!(inside("api", "git branch --show-current"), "features/delivery-date\n");
            assert_eq!(inside("web", "git branch --show-current"), "clauderon/web\n");
        }
        "strict-allowlist" => {
            let said = inside("triage", "curl -s -m 10 https://example.org/");
            assert!(said.contains("proxy.hosts.\"*\"") && said.contains("clauderon.yaml:"), "{said}");
        }
        "batch-review" => {
            world.run(&["wait", "review", "--for", "exited", "--timeout", "60s"]).ok();
        }
        _ => {}
    }
}

macro_rules! goes_up_and_down {
    ($($test:ident $name:literal)*) => {
        $(#[test]
        fn $test() {
            goes_up_and_down($name);
        })*

        #[test]
        fn every_example_but_the_quickstart_goes_up() {
            // `examples/quickstart/run` brings that one up, its model included.
            let tested = [$($name,)* "quickstart"];
            for name in all() {
                assert!(tested.contains(&name.as_str()), "{name} is brought up by no test");
            }
        }
    };
}

goes_up_and_down! {
    batch_review_goes_up "batch-review"
    codex_goes_up "codex"
    custom_image_goes_up "custom-image"
    many_sessions_go_up "many-sessions"
    no_repository_goes_up "no-repository"
    node_goes_up "node"
    one_session_goes_up "one-session"
    open_network_goes_up "open-network"
    private_host_goes_up "private-host"
    rust_goes_up "rust"
    several_repositories_go_up "several-repositories"
    strict_allowlist_goes_up "strict-allowlist"
}
