//! A manifest that someone else wrote, and an agent with a directory of the host: neither comes to more of the host than a
//! person agreed to.

use crate::support::world::{World, docker, eventually, inspect};
use std::os::unix::fs::symlink;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// A world with a secret of the user's beside the repository.
fn world() -> World {
    let world = World::new();
    std::fs::create_dir_all(world.path("private")).unwrap();
    std::fs::write(world.path("private/key"), "canary of the host").unwrap();
    std::fs::create_dir_all(world.root().join("data/below")).unwrap();
    world
}

#[test]
fn no_agent_may_write_what_runs_on_the_host() {
    let world = world();
    world.git(&["init", "--quiet", "--bare", "bare.git"]);
    for source in [".git", ".", ".git/hooks", "./clauderon.yaml", "./bare.git"] {
        world.manifest(&format!("volumes: [\"{source}:/g\"]\nsessions: {{a: }}\n"));
        let said = world.run(&["up", "-d", "--yes"]).fails(3);
        assert!(said.contains("would let its agent write"), "{source}: {said}");
    }
    // A link that came with the repository is the same.
    symlink(".git", world.root().join("innocent")).unwrap();
    world.manifest("volumes: [\"./innocent:/g\"]\nsessions: {a: }\n");
    assert!(world.run(&["up", "-d", "--yes"]).fails(3).contains("would let its agent write"));
    // For reading alone, a person may agree.
    world.manifest("volumes: [\".git:/g:ro\"]\nsessions: {a: }\n");
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(said.contains("/.git`, mounted read-only at `/g`"), "{said}");
}

#[test]
fn no_agent_chooses_what_is_mounted() {
    let world = world();
    world.manifest("volumes: [\"./data:/d\", \"./data/below:/b\"]\nsessions: {a: }\n");
    let said = world.run(&["up", "-d", "--yes"]).fails(3);
    assert!(said.contains("could put a link in its place"), "{said}");
    world.manifest("sessions: {a: {volumes: [\"./data:/d\"]}, b: {volumes: [\"./data/below:/b:ro\"]}}\n");
    let said = world.run(&["up", "-d", "--yes"]).fails(3);
    assert!(said.contains("session `b`") && said.contains("session `a` may write"), "{said}");
    for state in [world.home(), world.home().join("ca"), world.path("")] {
        std::fs::create_dir_all(&state).unwrap();
        world.manifest(&format!("volumes: [\"{}:/s:ro\"]\nsessions: {{a: }}\n", state.display()));
        let said = world.run(&["up", "-d", "--yes"]).fails(3);
        assert!(said.contains("clauderon's own state"), "{said}");
    }
}

#[test]
fn a_directory_that_becomes_a_link_is_not_mounted_again() {
    let world = world();
    world.manifest("restart: always\nrepository: false\nvolumes: [\"./data:/d\"]\nsessions: {a: hello}\n");
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(said.contains("/data`, mounted read-write at `/d`"), "asked though it is in the project: {said}");
    world.run(&["up", "--wait", "--yes"]).ok();
    let container = inspect(&world.container("a"));
    assert_eq!(container["HostConfig"]["RestartPolicy"]["Name"], "no", "the engine looks at no link");
    std::fs::remove_dir_all(world.root().join("data")).unwrap();
    symlink(world.path("private"), world.root().join("data")).unwrap();
    for verb in ["restart", "start"] {
        let said = world.run(&[verb]).fails(3);
        assert!(said.contains("now leads to") && said.contains("private"), "{verb}: {said}");
    }
    eventually("it is stopped", LONG, || world.ps()[0]["state"] != "running");
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(said.contains("/private`, mounted read-write"), "where it leads is asked: {said}");
    docker(&["rm", "-f", &world.container("a")]);
}

#[test]
fn a_link_to_the_engines_socket_is_refused() {
    let world = world();
    symlink("/var/run", world.root().join("run")).unwrap();
    world.manifest("volumes: [\"./run:/r:ro\"]\nsessions: {a: }\n");
    let said = world.run(&["up", "-d", "--yes"]).fails(3);
    assert!(said.contains("holds the engine's socket"), "{said}");
}

#[test]
fn a_repository_above_the_project_and_what_git_does_not_hold_are_asked_about() {
    let world = world();
    // The user's home is a repository, and the stranger's clone lies in it.
    world.git(&["init", "--quiet", ".."]);
    world.manifest("repository: {path: .., copy: [private/key]}\nsessions: {a: }\n");
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(
        said.contains("a: the repository `") && said.contains("private/key`, which git does not hold"),
        "{said}"
    );
    world.write(".env", "TOKEN=canary\n");
    world.manifest("repository: {copy: [.env]}\nsessions: {a: }\n");
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(said.contains("/.env`, which git does not hold") && !said.contains("the repository"), "{said}");
}

#[test]
fn a_prompt_that_git_does_not_hold_is_asked_about_and_gits_own_is_refused() {
    let world = world();
    world.write(".env", "TOKEN=canary\n");
    world.write(".gitignore", "*.local\n");
    world.write("words.local", "canary");
    world.write("words.md", "Say hello");
    for (file, asked) in [(".env", true), ("words.local", true), ("words.md", false)] {
        world.manifest(&format!("volumes: [\"./data:/d\"]\nsessions: {{a: {{prompt: {{file: {file}}}}}}}\n"));
        let said = world.run(&["up", "-d"]).fails(3);
        assert_eq!(said.contains(&format!("/{file}`, which git does not hold")), asked, "{file}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
    world.manifest("sessions: {a: {prompt: {file: .git/config}}}\n");
    let said = world.run(&["up", "-d", "--yes"]).fails(2);
    assert!(said.contains("is git's own"), "{said}");
}

#[test]
fn an_image_of_the_repositorys_own_is_built_after_a_yes_and_without_what_git_and_variables_hide() {
    let world = world();
    world.write(".env", "TOKEN=canary\n");
    world.write("Dockerfile", "FROM clauderon-agents:latest\nCOPY . /ctx\nRUN find /ctx -name .env -o -path '*/.git/config' | tee /found\n");
    world.manifest("sessions: {a: {build: {context: .}, prompt: hello}}\n");
    let said = world.run(&["up", "-d"]).fails(3);
    assert!(said.contains("an image is built from `") && said.contains("the engine's own network"), "{said}");
    world.run(&["up", "--wait", "--yes"]).ok();
    assert_eq!(world.run(&["exec", "-T", "a", "--", "cat", "/found"]).ok(), "");
    let image = inspect(&world.container("a"))["Config"]["Image"].as_str().unwrap().to_owned();
    world.run(&["down"]).ok();
    docker(&["rmi", "--no-prune", &image]);
}
