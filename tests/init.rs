//! `init` in made-up repositories: what it writes is valid, says what was found, and nobody's text gets out of its quotes.

use crate::support::world::World;
use clauderon::init::found::found;
use clauderon::init::text::{Choice, text};
use clauderon::init::{Repository, WANTED};
use clauderon::manifest::parse;
use clauderon::manifest::project::{AgentKind, Image, Project};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

/// A repository of these files; a name that ends in `/` is a directory.
fn repository(directory: &str, names: &[&str], devcontainer: Option<&str>) -> Repository {
    let mut made = Repository { directory: directory.to_owned(), ..Repository::default() };
    for name in names {
        match name.strip_suffix('/') {
            Some(name) => made.directories.insert(name.to_owned()),
            None => made.files.insert((*name).to_owned()),
        };
    }
    made.texts.extend(devcontainer.map(|text| (WANTED[0].to_owned(), text.to_owned())));
    made
}

fn read(directory: &str, text: &str) -> Project {
    let file = Path::new("/home/me").join(directory.replace('/', "_")).join("clauderon.yaml");
    parse(&file, text, &|_| Err("none".to_owned()))
        .unwrap_or_else(|error| panic!("{}\n{text}", error.render(false)))
}

/// What is written with the best choice, its suggestions as they are and taken.
fn written(repository: &Repository) -> (String, Project, Project) {
    let found = found(repository);
    let choice = Choice { agent: found.agent.0, image: found.image.is_some() };
    let text = text(&found, choice, "./clauderon.schema.json");
    let project = read(&repository.directory, &text);
    let taken = read(&repository.directory, &with_suggestions(&text));
    (text, project, taken)
}

/// Every line whose `#` has no space after it, without the sign.
fn with_suggestions(text: &str) -> String {
    let take = |line: &str| match line.trim_start().strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => line.replacen('#', "", 1),
        _ => line.to_owned(),
    };
    text.lines().map(|line| take(line) + "\n").collect()
}

#[test]
fn every_kind_of_repository_gets_a_valid_manifest_and_every_suggestion_holds() {
    let image = r#"{"image": "a/b:1" /* c */, }"#;
    let build =
        r#"{"build": {"dockerfile": "D", "context": "..", "target": "dev", "args": {"A": "x y: {#"}}}"#;
    for (directory, names, devcontainer) in [
        ("empty", &[][..], None),
        ("rust", &["Cargo.toml", "CLAUDE.md"], None),
        ("web", &["package.json", "pnpm-lock.yaml", ".env", "AGENTS.md"], None),
        ("npm", &["package.json", ".npmrc", ".claude/"], None),
        ("py", &["pyproject.toml", "uv.lock", "Dockerfile"], None),
        (
            "all",
            &["Cargo.toml", "package.json", "go.mod", "pom.xml", "Gemfile", "setup.py", "deno.json"],
            None,
        ),
        ("My Shop (2)", &["go.mod", ".codex/"], Some(image)),
        ("été", &["agent.Dockerfile", "Dockerfile"], Some(build)),
        ("compose", &["Containerfile"], Some(r#"{"dockerComposeFile": "x.yaml"}"#)),
    ] {
        let (text, project, taken) = written(&repository(directory, names, devcontainer));
        assert!(text.starts_with("# yaml-language-server: $schema=./clauderon.schema.json\n"));
        assert_eq!(project.sessions.len(), 1, "{directory}");
        assert_eq!(taken.sessions.len(), 3, "every suggestion was taken:\n{text}");
        assert_ne!(taken.sessions[2].agent.kind, project.sessions[0].agent.kind);
        let found = found(&repository(directory, names, devcontainer));
        let without = Choice { agent: AgentKind::Codex, image: false };
        let refused = clauderon::init::text::text(&found, without, "x");
        read(directory, &refused);
        read(directory, &with_suggestions(&refused));
    }
}

#[test]
fn what_was_found_is_what_the_sessions_have() {
    let (text, project, taken) =
        written(&repository("py", &["uv.lock", "go.mod", "Dockerfile", "AGENTS.md", ".env"], None));
    let session = &project.sessions[0];
    assert_eq!(session.agent.kind, AgentKind::Codex, "{text}");
    let caches: Vec<&str> = session.caches.iter().map(|cache| cache.name.as_str()).collect();
    assert_eq!(caches, ["cargo", "go-build", "go-modules", "sccache", "uv"]);
    let Image::Build(build) = &session.image else { panic!("no build: {text}") };
    assert_eq!(
        (build.dockerfile.as_str(), build.context.as_path()),
        ("Dockerfile", Path::new("/home/me/py"))
    );
    assert_eq!(taken.sessions[0].repository.as_ref().unwrap().copy, [Path::new(".env")]);
    let build =
        r#"{"build": {"dockerfile": "D", "context": "..", "target": "dev", "args": {"A": "x y: {#"}}}"#;
    let (text, project, _) = written(&repository("x", &["Dockerfile"], Some(build)));
    let Image::Build(build) = &project.sessions[0].image else { panic!("no build: {text}") };
    assert_eq!((build.dockerfile.as_str(), build.target.as_deref()), (".devcontainer/D", Some("dev")));
    assert_eq!(build.args["A"], "x y: {#");
}

proptest! {
    #[test]
    fn no_text_of_a_repository_leaves_its_place(
        directory in "[^/\0]{1,80}",
        texts in proptest::collection::vec("[^\0]{0,60}|[\"\\\\'{}\\[\\],:#&*!|>%@`\n\r -]{0,40}", 6),
    ) {
        let [image, dockerfile, context, target, name, value] = texts.as_slice() else { unreachable!() };
        let args: Value = json!({name.as_str(): value});
        let build = json!({"build": {"dockerfile": dockerfile, "context": context, "target": target, "args": args}});
        let valid = json!({"build": {"dockerfile": "D", "target": target, "args": {"A": value}}});
        for devcontainer in [json!({"image": image}), build, valid] {
            let repository = repository(&directory, &["Cargo.toml"], Some(&devcontainer.to_string()));
            let found = found(&repository);
            let choice = Choice { agent: AgentKind::Claude, image: true };
            let text = text(&found, choice, "./clauderon.schema.json");
            let project = parse(Path::new("/p/clauderon.yaml"), &text, &|_| Err(String::new()));
            let project = project.map_err(|error| TestCaseError::fail(error.render(false)))?;
            prop_assert_eq!(project.sessions.len(), 1);
            let session = &project.sessions[0];
            prop_assert!(session.volumes.is_empty() && session.hosts.is_empty() && session.environment.is_empty());
            prop_assert!(session.prompt.is_none());
        }
    }
}

#[test]
fn init_asks_nothing_on_a_pipe_and_overwrites_nothing() {
    let world = World::new();
    world.write("Cargo.toml", "[package]\n");
    world.write("CLAUDE.md", "# Rules\n");
    world.write("deep/er/file", "");
    let mut command = world.command(&["init"]);
    let output = command.current_dir(world.root().join("deep/er")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(output.stdout.is_empty());
    for expected in ["Rust (`Cargo.toml`)", "claude (`CLAUDE.md`)", "clauderon up", "clauderon.yaml`"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let manifest = world.root().join("clauderon.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    world.run(&["validate"]).ok();
    let schema = std::fs::read_to_string(world.root().join("clauderon.schema.json")).unwrap();
    assert_eq!(schema, world.run(&["schema"]).ok());

    let mine = text.replace("main: {}", "mine: {}");
    std::fs::write(&manifest, &mine).unwrap();
    let refused = world.run(&["init"]).fails(3);
    assert!(refused.contains("is there already") && refused.contains("--force"), "{refused}");
    assert_eq!(std::fs::read_to_string(&manifest).unwrap(), mine);
    world.run(&["init", "--force"]).ok();
    assert_eq!(std::fs::read_to_string(&manifest).unwrap(), text);
    std::fs::rename(&manifest, world.root().join("clauderon.yml")).unwrap();
    world.run(&["init"]).fails(3);
    assert!(!manifest.exists() && !world.home().exists());
    world.run(&["-f", "other.yaml", "init"]).ok();
    world.run(&["-f", "other.yaml", "validate"]).ok();
}

#[test]
fn a_link_or_a_pipe_in_the_repository_is_not_read() {
    let world = World::new();
    world.write("aside.json", "{\"image\": \"elsewhere:1\"}");
    std::os::unix::fs::symlink(world.root().join("aside.json"), world.root().join(".devcontainer.json"))
        .unwrap();
    std::fs::create_dir(world.root().join(".devcontainer")).unwrap();
    let pipe = world.root().join(".devcontainer/devcontainer.json");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    world.run(&["init"]).ok();
    let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    assert!(!text.contains("elsewhere"), "{text}");
}

#[test]
fn on_a_terminal_it_asks_and_takes_the_answers() {
    let world = World::new();
    world.write("Dockerfile", "FROM debian\n");
    let line = format!("{} init", env!("CARGO_BIN_EXE_clauderon"));
    let mut command = std::process::Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).current_dir(world.root()).env("CLAUDERON_HOME", world.home());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"codex\nn\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(screen.contains("Agent, claude or codex? [claude]") && screen.contains("[Y/n]"), "{screen}");
    let resolved = world.run(&["config", "--format", "json"]).ok();
    assert!(resolved.contains("codex") && !resolved.contains("Dockerfile"), "{resolved}");
}
