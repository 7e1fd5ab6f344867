//! Checkouts that are part of the user's repository, in real containers: git works, and nothing leads out.

use crate::support::world::{World, committing, docker, eventually, inspect};
use serde_json::json;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn world(checkout: &str) -> World {
    let world = World::with_model(&committing());
    world.manifest(&format!("repository: {{checkout: {checkout}}}\nsessions: {{a: Greet the world}}\n"));
    world.git(&["add", "."]);
    world.git(&["commit", "--quiet", "--message", "A manifest"]);
    world
}

/// Runs a script as the agent and answers its exit code and output.
fn inside(world: &World, script: &str) -> (i32, String) {
    let answer = world.run(&["exec", "-T", "a", "--", "bash", "-c", script]);
    (answer.code, answer.stdout + &answer.stderr)
}

fn up(world: &World) {
    world.run(&["up", "--wait", "--yes"]).ok();
    // What is up is left alone, and nothing is missed of it.
    world.run(&["plan", "--exit-code"]).ok();
    let told: serde_json::Value = serde_json::from_str(&world.run(&["ps", "--format", "json"]).ok()).unwrap();
    assert!(told[0]["error"].is_null(), "{told}");
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    eventually("the agent commits", LONG, || {
        !world.git(&["log", "--format=%s", "clauderon/a", "--not", "main"]).is_empty()
    });
}

fn fails_and_works(world: &World, own: &str) {
    let git = world.root().canonicalize().unwrap().join(".git");
    let git = git.display();
    for attempt in [
        format!("echo x >> {git}/config"),
        format!("rm {git}/config"),
        "git config core.fsmonitor /tmp/evil".to_owned(),
        format!("echo x > {git}/hooks/pre-commit"),
        format!("mv {git}/hooks {git}/hooks2"),
        format!("echo '* filter=x' > {git}/info/attributes"),
        format!("echo /elsewhere > {git}/commondir"),
        format!("echo x > {git}/config.worktree"),
        format!("echo x > {git}/HEAD"),
        format!("echo x > {git}/packed-refs"),
        format!("mkdir {git}/rebase-merge"),
        format!("echo x > {git}/objects/info/alternates"),
        format!("mv {git}/objects/info {git}/objects/info2"),
        format!("rm -rf {git}/refs/clauderon; test ! -e {git}/refs/clauderon"),
        format!("mkdir {git}/refs/clauderon/x"),
        format!("ln -s /etc {git}/refs/x"),
        format!("mkdir {git}/worktrees/x"),
        format!("mv {git} {git}2"),
        format!("echo /elsewhere > {own}/commondir"),
        format!("rm {own}/commondir"),
        format!("echo /elsewhere > {own}/gitdir"),
        format!("echo x > {own}/config.worktree"),
        format!("rm {own}/locked"),
        format!("mv {own}/logs {own}/logs2"),
        "mv /workspace/.git /workspace/.git2".to_owned(),
        "echo x >> greeting.txt; git stash; code=$?; git checkout -q greeting.txt; exit $code".to_owned(),
        "git gc".to_owned(),
    ] {
        let (code, said) = inside(world, &attempt);
        assert_ne!(code, 0, "`{attempt}` succeeded: {said}");
    }
    for work in [
        "git commit -q --allow-empty -m work && git commit -q --amend --allow-empty -m better",
        "echo x > file && git add file && git commit -q -m file",
        "git checkout -q -b side && git commit -q --allow-empty -m side && git checkout -q - && git merge -q side",
        "git rebase -q main && git tag t && git notes add -m note && git cherry-pick --allow-empty side || git cherry-pick --abort",
        "git reset -q --hard HEAD && git worktree prune && git reflog > /dev/null && git fsck",
        "test -z \"$(git status --porcelain)\"",
    ] {
        let (code, said) = inside(world, work);
        assert_eq!(code, 0, "`{work}` failed: {said}");
    }
    // What the agent does to logs is nobody's but its own.
    let (code, said) = inside(world, &format!("rm -rf {git}/logs/refs; ln -s /etc {git}/logs/refs"));
    assert_eq!(code, 0, "{said}");
    assert!(world.root().join(".git/logs/refs/heads/main").exists());
}

#[test]
fn a_worktree_is_worked_in_and_leaves_the_branch_alone_behind() {
    let world = world("worktree");
    let refusal = world.run(&["up", "--wait"]).fails(3);
    assert!(refusal.contains("a: the history in") && refusal.contains("worktree"), "{refusal}");
    assert!(!world.root().join(".git/worktrees").exists(), "nothing is made before the yes");
    up(&world);
    let head = world.git(&["rev-parse", "main"]);
    assert_eq!(world.git(&["show", "clauderon/a:greeting.txt"]), "hello\n");
    assert_eq!(world.git(&["log", "-1", "--format=%an", "clauderon/a"]), "Grace Hopper\n");
    let pulled = world.run(&["pull"]).ok();
    assert_eq!(
        pulled,
        "a: nothing to import: its agent commits to `clauderon/a` in your repository itself\n"
    );
    let checkout = world.checkout("a");
    assert!(world.git(&["worktree", "list"]).contains(&format!("{}", checkout.display())));
    assert_eq!(inside(&world, "git status --porcelain"), (0, String::new()), "what is ours is hidden");
    let own = world
        .root()
        .canonicalize()
        .unwrap()
        .join(format!(".git/worktrees/clauderon-{}", world.ps()[0]["id"].as_str().unwrap()));
    fails_and_works(&world, own.to_str().unwrap());

    std::fs::write(checkout.join("unsaved.txt"), "work in progress").unwrap();
    world.run(&["stop", "a"]).ok();
    world.run(&["start", "a"]).ok();
    let first = inspect(&world.container("a"))["Id"].clone();
    let manifest = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    world.write("clauderon.yaml", &format!("environment: {{COLOUR: green}}\n{manifest}"));
    world.run(&["up", "--wait", "--yes"]).ok();
    assert_ne!(inspect(&world.container("a"))["Id"], first);
    assert_eq!(
        inside(&world, "cat unsaved.txt; git log --oneline > /dev/null; echo $COLOUR").1,
        "work in progressgreen\n"
    );
    world.run(&["down"]).ok();
    let refusal = world.run(&["down", "--checkouts"]).fails(3);
    assert!(refusal.contains("`unsaved.txt` (untracked)"), "{refusal}");
    assert!(checkout.join("unsaved.txt").exists());
    world.run(&["up", "-d", "--yes"]).ok();
    world.run(&["down"]).ok();
    std::fs::remove_file(checkout.join("unsaved.txt")).unwrap();
    let tip = world.git(&["rev-parse", "clauderon/a"]);
    world.run(&["down", "--checkouts"]).ok();
    assert!(!checkout.exists() && !world.root().join(".git/worktrees").exists());
    assert_eq!((world.git(&["rev-parse", "clauderon/a"]), world.git(&["rev-parse", "HEAD"])), (tip, head));
    world.git(&["fsck", "--strict"]);
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", world.container("a"))]), "");
    // The session is made again on its branch.
    world.run(&["up", "-d", "--yes"]).ok();
    assert_eq!(inside(&world, "cat greeting.txt").1, "hello\n");
}

#[test]
fn a_shared_working_tree_is_worked_in_and_stays_the_users() {
    let world = world("shared");
    world.write("mine.txt", "the user's\n");
    let refusal = world.run(&["up", "--wait"]).fails(3);
    for taken in ["a: the history in", "a: your own files in", "a: the manifest as it reads now"] {
        assert!(refusal.contains(taken), "{taken} is not asked about: {refusal}");
    }
    up(&world);
    let head = world.git(&["rev-parse", "main"]);
    assert_eq!(std::fs::read_to_string(world.root().join("greeting.txt")).unwrap(), "hello\n");
    assert_eq!(world.git(&["show", "clauderon/a:greeting.txt"]), "hello\n");
    assert_eq!(world.git(&["symbolic-ref", "HEAD"]), "refs/heads/main\n");
    assert!(world.git(&["status", "--porcelain"]).contains("?? greeting.txt"), "not the user's commit");
    assert_eq!(world.checkout("a"), world.root());
    assert!(world.run(&["pull"]).ok().contains("nothing to import"));
    assert_eq!(inside(&world, "git status --porcelain"), (0, "?? mine.txt\n".to_owned()));
    inside(&world, "git add mine.txt && git commit -q -m mine");
    fails_and_works(&world, "/workspace/.git");

    world.run(&["stop", "a"]).ok();
    world.run(&["start", "a"]).ok();
    world.run(&["restart", "a"]).ok();
    // What the agent can write is asked about each time that it reads otherwise.
    let manifest = world.root().join("clauderon.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let (code, said) = inside(&world, "sed -i 's/a: Greet/b: Greet/' clauderon.yaml");
    assert_eq!(code, 0, "{said}");
    let refusal = world.run(&["up", "-d"]).fails(3);
    assert!(refusal.contains("the manifest as it reads now"), "{refusal}");
    std::fs::write(&manifest, text).unwrap();
    world.run(&["up", "-d"]).ok();

    world.run(&["down"]).ok();
    let down = world.run(&["down", "--checkouts"]);
    assert_eq!(down.code, 0, "{down:?}");
    assert!(down.stderr.contains("your working tree stays"), "{down:?}");
    assert_eq!(std::fs::read_to_string(world.root().join("mine.txt")).unwrap(), "the user's\n");
    assert_eq!(
        (world.git(&["rev-parse", "HEAD"]), world.git(&["symbolic-ref", "HEAD"])),
        (head, "refs/heads/main\n".to_owned())
    );
    assert!(!world.root().join(".git/worktrees").exists());
    assert!(!world.root().join(".claude.json").exists() && !world.root().join(".clauderon").exists());
    world.git(&["fsck", "--strict"]);
    world.git(&["reset", "--quiet", "clauderon/a"]);
    assert_eq!(world.git(&["status", "--porcelain", "--untracked-files=no"]), "");
}

#[test]
fn what_a_hostile_agent_plants_through_a_worktree_makes_the_host_run_and_follow_nothing() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    world.manifest("sessions: {a: {prompt: hello, repository: {checkout: worktree}}, b: hello}\n");
    world.git(&["config", "extensions.worktreeConfig", "true"]);
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "idle", "--timeout", "60s"]).ok();
    let canary = world.path("canary");
    let outside = world.path("outside");
    std::fs::create_dir(&outside).unwrap();
    let git = world.root().canonicalize().unwrap().join(".git");
    let script = format!(
        "cd /workspace
         printf '#!/bin/sh\\ntouch {canary}\\n' > evil.sh; chmod +x evil.sh
         git init -q sub; git -C sub -c user.name=x -c user.email=x commit -q --allow-empty -m x
         git -C sub config core.fsmonitor /workspace/evil.sh
         git -c advice.addEmbeddedRepo=false add . && git commit -q -m plant
         own=$(git rev-parse --git-dir)
         rm $own/HEAD; mkfifo $own/HEAD $own/index.lock
         ln -s {outside}/log {git}/logs/HEAD
         mkdir -p {git}/logs/refs/heads; ln -s {outside}/log {git}/logs/refs/heads/main
         ln -s {outside}/log $own/logs/HEAD2
         mkfifo {git}/refs/heads/clauderon/b
         ln -s {outside} {git}/refs/heads/deep",
        canary = canary.display(),
        outside = outside.display(),
        git = git.display(),
    );
    let (_, said) = inside(&world, &script);
    let status = std::fs::metadata(git.join("refs/heads/clauderon/b"));
    assert!(status.is_ok(), "nothing was planted: {said}");
    // The clone beside it: its import says what is in the way, and waits for nobody.
    let (code, said) = {
        let answer =
            world.run(&["exec", "-T", "b", "--", "bash", "-c", "git commit -q --allow-empty -m work"]);
        (answer.code, answer.stderr)
    };
    assert_eq!(code, 0, "{said}");
    let pulled = world.run(&["pull", "b"]).fails(1);
    assert!(
        pulled.contains("refs/heads/clauderon/b` is a pipe")
            || pulled.contains("refs/heads/deep` is a symbolic link"),
        "{pulled}"
    );
    world.run(&["ps"]).ok();
    world.run(&["down"]).ok();
    let refusal = world.run(&["down", "--checkouts"]).fails(1);
    assert!(refusal.contains("refs/heads/"), "{refusal}");
    for planted in ["refs/heads/clauderon/b", "refs/heads/deep"] {
        std::fs::remove_file(git.join(planted)).unwrap();
    }
    let refusal = world.run(&["down", "--checkouts"]).fails(3);
    assert!(refusal.contains("sub") && refusal.contains("HEAD"), "{refusal}");
    // The user's own git, in the user's own working tree.
    world.git(&["commit", "--quiet", "--allow-empty", "--message", "the user's own"]);
    world.git(&["status"]);
    world.run(&["down", "--checkouts", "--force"]).ok();
    world.git(&["branch", "--list"]);
    world.git(&["gc", "--quiet", "--prune=now"]);
    assert!(!canary.exists(), "something of the agent's ran on the host");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "a link was followed");
}

#[test]
fn what_a_shared_working_tree_would_give_beyond_itself_is_refused() {
    let world = World::new();
    std::fs::create_dir(world.root().join("data")).unwrap();
    world.manifest("repository: {checkout: shared}\nvolumes: [\"./data:/d:ro\"]\nsessions: {a: }\n");
    let said = world.run(&["up", "-d", "--yes"]).fails(3);
    assert!(said.contains("could put a link in its place"), "{said}");
    world.manifest("repository: {checkout: shared}\nsessions: {a: }\n");
    let state = world.root().join("state");
    let said = world.run_as("CLAUDERON_HOME", state.to_str().unwrap(), &["up", "-d", "--yes"]).fails(3);
    assert!(said.contains("the working tree") && said.contains("clauderon's own state"), "{said}");
}
