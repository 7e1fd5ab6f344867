//! Checkouts that are part of the user's repository: `worktree` and `shared`.

use super::*;
use clauderon::worktree::prepare::within;
use clauderon::worktree::remove::remove;
use std::sync::mpsc;
use std::time::Duration;

impl World {
    fn of_kind(&self, kind: Kind) -> CheckoutSpec {
        CheckoutSpec { kind, ..self.spec() }
    }

    fn linked(&self, kind: Kind) -> Checkout {
        create(&self.of_kind(kind)).expect("a checkout")
    }

    fn remove(&self) -> Result<(), Error> {
        remove(&self.checkout(), &self.parent(), SESSION)
    }

    fn registration(&self) -> PathBuf {
        self.parent().join(format!(".git/worktrees/clauderon-{SESSION}"))
    }

    /// The agent in a shared working tree, whose container has the registration in the place of `.git`.
    fn guest(&self, arguments: &[&str]) -> String {
        let (own, tree) = (self.registration(), self.parent());
        let place = ["--git-dir", own.to_str().expect("text"), "--work-tree", tree.to_str().expect("text")];
        git(&tree, &[&place, arguments].concat())
    }

    fn stands(&self) -> (String, String, String) {
        let head = std::fs::read_to_string(self.parent().join(".git/HEAD")).expect("there");
        (head, self.user(&["status", "--porcelain"]), self.user(&["rev-parse", "main"]))
    }
}

/// What a container may do at a path of the host: nothing, or read, or write too.
fn access(checkout: &Checkout, path: &Path) -> Option<bool> {
    let above = checkout.shown.iter().filter(|shown| path.starts_with(&shown.target));
    let last = above.max_by_key(|shown| shown.target.components().count())?;
    Some(!last.read_only)
}

/// Runs something that must not wait for anybody.
fn promptly<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(what()));
    receiver.recv_timeout(Duration::from_secs(20)).expect("it waits for somebody")
}

fn pipe(path: &Path) {
    std::fs::create_dir_all(path.parent().expect("below")).expect("created");
    assert!(Command::new("mkfifo").arg(path).status().expect("runs").success());
}

#[test]
fn a_worktree_is_locked_clean_on_its_branch_and_goes_without_a_trace_but_the_branch() {
    let world = World::new();
    let stands = world.stands();
    let checkout = world.linked(Kind::Worktree);
    assert_eq!((checkout.kind, checkout.directory.clone()), (Kind::Worktree, world.checkout()));
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    assert_eq!(world.agent(&["symbolic-ref", "--short", "HEAD"]), BRANCH);
    let list = world.user(&["worktree", "list", "--porcelain"]);
    assert!(list.contains(&format!("worktree {}", world.checkout().display())), "{list}");
    assert!(list.contains("locked a session of clauderon works in it"), "{list}");
    assert_eq!(world.stands(), stands);
    assert_eq!(world.linked(Kind::Worktree), checkout, "adopted");
    assert_eq!(world.linked(Kind::Clone), checkout, "whatever the manifest says by now");
    assert_eq!(Checkout::open(&world.checkout()).expect("opens"), checkout);
    let tip = world.work("c.txt", "three\n");
    assert_eq!(world.branch(), Some(tip.clone()), "there is nothing to import");
    assert_eq!(world.lost(), vec![]);
    world.remove().expect("removed");
    assert_eq!(std::fs::read_dir(world.path("session")).expect("there").count(), 0);
    assert!(!world.parent().join(".git/worktrees").exists());
    assert_eq!(world.branch(), Some(tip.clone()));
    assert_eq!(world.stands(), stands);
    world.user(&["fsck", "--strict"]);
    world.remove().expect("nothing to do");
    let next = CheckoutSpec { session: "0194-bb".to_owned(), ..world.of_kind(Kind::Worktree) };
    assert_eq!(create(&next).expect("made").base, Some(tip), "another session goes on with the branch");
}

#[test]
fn a_container_sees_the_git_directory_and_writes_nothing_that_leads_git_elsewhere() {
    let world = World::new();
    world.user(&["worktree", "add", "-q", "../linked", "-b", "other"]);
    for kind in [Kind::Worktree, Kind::Shared] {
        let checkout = world.linked(kind);
        let git = world.parent().join(".git");
        let closed = [
            "config",
            "config.worktree",
            "commondir",
            "hooks/pre-commit",
            "info/attributes",
            "info/exclude",
            "HEAD",
            "index",
            "packed-refs",
            "refs/stash",
            "refs/clauderon/x/base",
            "objects/info/alternates",
            "worktrees/linked/commondir",
            "modules/sub/config",
            "rebase-merge/git-rebase-todo",
            "shallow",
        ];
        for name in closed {
            assert_eq!(access(&checkout, &git.join(name)), Some(false), "{name} of {kind:?}");
        }
        for name in
            ["objects/ab/cdef", "objects/pack/x", "refs/heads/a/b", "refs/tags/t", "refs/remotes/origin/x"]
        {
            assert_eq!(access(&checkout, &git.join(name)), Some(true), "{name} of {kind:?}");
        }
        let own = match kind {
            Kind::Shared => PathBuf::from(".git"),
            _ => world.registration(),
        };
        for name in ["commondir", "gitdir", "config.worktree", "locked"] {
            assert_eq!(access(&checkout, &own.join(name)), Some(false), "{name} of {kind:?}");
        }
        assert_eq!(access(&checkout, &own.join("HEAD")), Some(true));
        // Logs are written through links: those of the user's are out of reach.
        let users = world.parent().join(".git/logs");
        assert!(checkout.shown.iter().all(|shown| !shown.source.starts_with(&users)), "{kind:?}");
        for shown in &checkout.shown {
            assert!(shown.source.exists(), "{} of {kind:?}", shown.source.display());
        }
        world.remove().expect("removed");
    }
}

#[test]
fn the_config_that_a_container_sees_holds_no_credential() {
    let world = World::new();
    world.user(&["remote", "add", "origin", "https://me:secret@git.example/a/b.git"]);
    world.user(&["config", "http.extraHeader", "Authorization: secret"]);
    world.user(&["config", "core.fsmonitor", "secret-monitor"]);
    let checkout = world.linked(Kind::Worktree);
    let config = world.parent().join(".git/config");
    let shown = checkout.shown.iter().find(|shown| shown.target == config).expect("it is shown");
    let text = std::fs::read_to_string(&shown.source).expect("there");
    assert!(text.contains("https://git.example/a/b.git") && !text.contains("secret"), "{text}");
}

#[test]
fn what_only_a_worktree_holds_is_told() {
    let world = World::new();
    world.linked(Kind::Worktree);
    world.write_agent("a.txt", "changed\n");
    world.write_agent("new.txt", "new\n");
    world.write_agent("x.log", "ignored\n");
    world.write_agent("staged.txt", "staged\n");
    world.agent(&["add", "staged.txt"]);
    world.write_agent(".claude.json", "of the agent's own");
    git(&world.checkout(), &["init", "-q", "nested"]);
    let found = world.lost();
    let uncommitted = |path: &str, status| Loss::Uncommitted { path: path.to_owned(), status };
    for expected in [
        uncommitted("a.txt", "modified"),
        uncommitted("staged.txt", "added"),
        Loss::Untracked { path: "new.txt".to_owned() },
        Loss::Ignored { path: "x.log".to_owned() },
        Loss::NestedRepository { path: "nested".to_owned() },
    ] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
    assert_eq!(found.len(), 5, "{found:?}");
    std::fs::remove_dir_all(world.checkout().join("nested")).expect("removed");
    world.agent(&["checkout", "-q", "--detach"]);
    world.agent(&["add", "-f", "."]);
    world.agent(&["rm", "-q", "--cached", ".claude.json"]);
    world.agent(&["commit", "-qm", "adrift"]);
    let id = world.agent(&["rev-parse", "HEAD"]);
    let (summary, branch) = ("adrift".to_owned(), "HEAD".to_owned());
    assert_eq!(world.lost(), vec![Loss::Commit { id, summary, branch }]);
    world.agent(&["branch", "side"]);
    assert_eq!(world.lost(), vec![], "a branch of the user's repository holds it");
}

#[test]
fn a_worktree_whose_files_are_gone_comes_back_where_it_was() {
    let world = World::new();
    world.linked(Kind::Worktree);
    world.agent(&["checkout", "-q", "--detach"]);
    let adrift = world.work("adrift.txt", "adrift\n");
    std::fs::remove_dir_all(world.checkout()).expect("removed");
    assert!(matches!(&world.lost()[..], [Loss::Commit { id, .. }] if *id == adrift));
    world.linked(Kind::Worktree);
    assert_eq!(world.agent(&["rev-parse", "HEAD"]), adrift);
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    // The user's git takes the registration away as well, when it is told to twice.
    world.user(&["worktree", "remove", "-f", "-f", world.checkout().to_str().expect("text")]);
    assert_eq!(world.lost(), vec![]);
    world.linked(Kind::Worktree);
    assert_eq!(world.agent(&["symbolic-ref", "--short", "HEAD"]), BRANCH);
    world.user(&["worktree", "unlock", world.checkout().to_str().expect("text")]);
    std::fs::remove_dir_all(world.registration()).expect("removed");
    let refused = create(&world.of_kind(Kind::Worktree)).expect_err("its registration is gone");
    assert!(refused.to_string().contains("its registration"), "{refused}");
    assert!(world.lost().iter().any(|loss| matches!(loss, Loss::Tampered { .. })));
}

#[test]
fn a_branch_of_the_users_is_not_taken_for_a_worktree() {
    let world = World::new();
    world.user(&["checkout", "-qb", BRANCH]);
    let refused = create(&world.of_kind(Kind::Worktree)).expect_err("it is checked out");
    assert!(matches!(refused, Error::BranchInUse { .. }) && refused.hint().is_some(), "{refused}");
    assert!(!world.parent().join(".git/worktrees").exists() && !world.checkout().exists());
    world.write_user("mine.txt", "m\n");
    world.user(&["add", "."]);
    world.user(&["commit", "-qm", "mine"]);
    world.user(&["checkout", "-q", "main"]);
    let refused = create(&world.of_kind(Kind::Worktree)).expect_err("it holds work");
    assert!(matches!(refused, Error::BranchTaken { .. }), "{refused}");
}

#[test]
fn what_a_killed_run_left_of_a_worktree_does_not_block_and_goes() {
    let world = World::new();
    world.linked(Kind::Worktree);
    // As after a kill before the checkout came to its place, and before a registration did.
    std::fs::remove_dir_all(world.checkout()).expect("removed");
    std::fs::remove_file(world.path("session/checkout.json")).expect("removed");
    let half = world.registration().with_extension("new");
    std::fs::create_dir(&half).expect("created");
    world.linked(Kind::Worktree);
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    assert!(!half.exists());
    // As after a kill between the removal of the record and that of the registration.
    std::fs::remove_dir_all(world.checkout()).expect("removed");
    std::fs::remove_file(world.path("session/checkout.json")).expect("removed");
    world.remove().expect("removed");
    assert!(!world.parent().join(".git/worktrees").exists());
}

#[test]
fn every_kind_of_repository_has_worktrees() {
    let world = World::new();
    let source = format!("file://{}", world.parent().display());
    git(&world.path(""), &["clone", "-q", "--bare", "user", "bare"]);
    git(&world.path(""), &["clone", "-q", "--depth", "1", &source, "shallow"]);
    git(&world.path(""), &["clone", "-q", "--shared", "user", "sharing"]);
    git(&world.path(""), &["clone", "-q", &source, "sparse"]);
    git(&world.path("sparse"), &["sparse-checkout", "set", "src"]);
    git(&world.path(""), &["init", "-q", "empty"]);
    world.user(&["worktree", "add", "-q", "../linked", "-b", "other"]);
    for name in ["bare", "shallow", "sharing", "sparse", "empty", "linked"] {
        let (parent, directory) = (world.path(name), world.path(&format!("session/{name}")));
        let spec = CheckoutSpec {
            directory: directory.clone(),
            parent: parent.clone(),
            ..world.of_kind(Kind::Worktree)
        };
        let checkout = create(&spec).expect(name);
        assert_eq!(checkout.borrowed.len(), usize::from(name == "sharing"), "{name}");
        assert_eq!(git(&directory, &["status", "--porcelain"]), "", "{name}");
        assert_eq!(directory.join("a.txt").exists(), name != "empty", "{name}: a worktree is whole");
        git(&directory, &["commit", "-q", "--allow-empty", "-m", "x"]);
        assert_eq!(would_be_lost(&directory, &parent, SESSION).expect(name), vec![], "{name}");
        remove(&directory, &parent, SESSION).expect(name);
        assert_eq!(git(&parent, &["log", "-1", "--format=%s", BRANCH]), "x", "{name}");
        git(&parent, &["update-ref", "-d", &format!("refs/heads/{BRANCH}")]);
    }
}

#[test]
fn traps_in_the_users_git_directory_are_named_and_waited_for_by_nobody() {
    let world = World::new();
    let other = CheckoutSpec {
        directory: world.path("session/other"),
        session: "0194-bb".to_owned(),
        branch: "clauderon/other".to_owned(),
        ..world.spec()
    };
    create(&other).expect("a clone beside it");
    world.linked(Kind::Worktree);
    let git = world.parent().join(".git");
    // Where the user's branches are: the HEAD of the agent's own worktree is looked at for that.
    std::fs::remove_file(world.registration().join("HEAD")).expect("removed");
    pipe(&world.registration().join("HEAD"));
    let import = |world: &World| {
        let (checkout, parent) = (world.path("session/other"), world.parent());
        let (session, branch) = ("0194-bb".to_owned(), "clauderon/other".to_owned());
        promptly(move || {
            clauderon::worktree::import::import(&ImportSpec { checkout, parent, session, branch })
        })
    };
    super::git(&world.path("session/other"), &["commit", "-q", "--allow-empty", "-m", "x"]);
    assert_eq!(import(&world).expect("imported").moved.len(), 1);
    let (checkout, parent) = (world.checkout(), world.parent());
    let told = promptly(move || would_be_lost(&checkout, &parent, SESSION)).expect("a list");
    assert!(
        told.iter().any(|loss| matches!(loss, Loss::Tampered { what } if what.contains("HEAD"))),
        "{told:?}"
    );
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).expect("created");
    let link = |path: &Path| std::os::unix::fs::symlink(&elsewhere, path).expect("linked");
    let (heads, objects) = (git.join("refs/heads/deep/pipe"), git.join("objects/ff/pipe"));
    for trap in
        [&heads, &objects, &git.join("refs/heads/out"), &git.join("objects/00"), &git.join("refs/tags/out")]
    {
        let _ = std::fs::remove_dir_all(trap);
        if trap.ends_with("pipe") {
            pipe(trap);
        } else {
            link(trap);
        }
        let refused = import(&world).expect_err("a trap").to_string();
        assert!(refused.contains(trap.to_str().expect("text")), "{refused}");
        let (checkout, parent) = (world.checkout(), world.parent());
        let refused = promptly(move || remove(&checkout, &parent, SESSION)).expect_err("a trap");
        assert!(matches!(refused, Error::Trap { .. }) && refused.hint().is_some(), "{refused}");
        assert!(world.checkout().exists(), "nothing is removed");
        std::fs::remove_file(trap).expect("removed");
    }
    assert_eq!(std::fs::read_dir(&elsewhere).expect("there").count(), 0);
    world.remove().expect("removed");
}

#[test]
fn nothing_that_an_agent_leaves_in_a_worktree_runs_or_is_followed() {
    let world = World::new();
    world.linked(Kind::Worktree);
    let (canary, mark) = world.canary();
    git(&world.checkout(), &["init", "-q", "sub"]);
    let sub = world.checkout().join("sub");
    git(&sub, &["commit", "-q", "--allow-empty", "-m", "x"]);
    git(&sub, &["config", "core.fsmonitor", &canary]);
    world.write_agent(".gitattributes", "* filter=evil diff=evil\n");
    world.agent(&["add", "."]);
    world.agent(&["commit", "-qm", "plant"]);
    // What the mounts keep it from, as if it had succeeded.
    std::fs::write(
        world.registration().join("config.worktree"),
        format!(
            "[core]\n\tfsmonitor = {canary}\n[filter \"evil\"]\n\tclean = {canary}\n\tsmudge = {canary}\n"
        ),
    )
    .expect("written");
    world.user(&["config", "extensions.worktreeConfig", "true"]);
    world.write_agent("a.txt", "changed\n");
    let outside = world.path("outside");
    std::fs::create_dir(&outside).expect("created");
    std::os::unix::fs::symlink(&outside, world.checkout().join("link")).expect("linked");
    std::fs::remove_dir_all(world.registration().join("logs")).expect("removed");
    std::os::unix::fs::symlink(&outside, world.registration().join("logs")).expect("linked");
    let told = world.lost();
    assert!(told.iter().any(|loss| matches!(loss, Loss::Tampered { .. })), "{told:?}");
    world.remove().expect("removed");
    assert!(!mark.exists(), "something of the agent's ran");
    assert!(outside.exists() && std::fs::read_dir(&outside).expect("there").count() == 0);
}

#[test]
fn a_shared_working_tree_keeps_the_users_head_index_and_files() {
    let world = World::new();
    world.write_user("staged.txt", "staged\n");
    world.user(&["add", "staged.txt"]);
    world.write_user("a.txt", "the user is at it\n");
    let stands = world.stands();
    let checkout = world.linked(Kind::Shared);
    assert_eq!((checkout.kind, checkout.directory.clone()), (Kind::Shared, world.parent()));
    assert!(!world.checkout().exists() && Checkout::is_at(&world.checkout()));
    assert_eq!(world.stands(), stands);
    assert_eq!(world.guest(&["status", "--porcelain"]), stands.1, "the agent sees what the user sees");
    assert_eq!(world.guest(&["symbolic-ref", "--short", "HEAD"]), BRANCH);
    assert_eq!(world.linked(Kind::Shared), checkout, "adopted");
    assert_eq!(world.linked(Kind::Clone), checkout, "whatever the manifest says by now");
    world.write_user("c.txt", "three\n");
    world.guest(&["add", "c.txt"]);
    world.guest(&["commit", "-qm", "work"]);
    assert_eq!(world.user(&["show", "--format=%s", "--name-only", BRANCH]), "work\n\nc.txt\nstaged.txt");
    assert_eq!(world.user(&["rev-parse", "HEAD"]), stands.2, "the user's branch is where it was");
    assert_eq!(world.user(&["status", "--porcelain"]), format!("{}\n?? c.txt", stands.1));
    assert_eq!(world.lost(), vec![]);
    let tip = world.branch();
    world.remove().expect("removed");
    assert!(!world.parent().join(".git/worktrees").exists());
    assert_eq!(
        (world.branch(), world.user(&["status", "--porcelain"])),
        (tip, format!("{}\n?? c.txt", stands.1))
    );
    assert_eq!(std::fs::read_dir(world.path("session")).expect("there").count(), 0);
    // As the docs say: what the agent committed becomes the user's, whose files are these already.
    world.user(&["reset", "-q", BRANCH]);
    assert_eq!(world.user(&["status", "--porcelain"]), "M a.txt");
}

#[test]
fn of_what_is_made_for_mounts_in_a_shared_tree_nothing_empty_stays_and_nothing_of_the_users_goes() {
    let world = World::new();
    std::fs::create_dir_all(world.parent().join(".cargo/registry")).expect("created");
    let checkout = world.linked(Kind::Shared);
    let points = [
        ".cargo/registry",
        ".cargo/git",
        ".clauderon/hooks",
        ".clauderon/spool",
        ".claude/projects",
        ".cache",
    ];
    let prepare = || within(&world.checkout(), &checkout, &points, &[".claude.json"]);
    prepare().expect("made");
    prepare().expect("made again");
    world.write_user(".cache/kept", "by the agent\n");
    let outside = world.path("outside");
    std::fs::create_dir_all(outside.join("projects")).expect("created");
    std::fs::remove_dir_all(world.parent().join(".claude")).expect("removed");
    std::os::unix::fs::symlink(&outside, world.parent().join(".claude")).expect("linked");
    world.remove().expect("removed");
    let names = std::fs::read_dir(world.parent()).expect("there").flatten();
    let mut names: Vec<_> = names.map(|entry| entry.file_name().into_string().expect("text")).collect();
    names.sort();
    assert_eq!(names, [".cache", ".cargo", ".claude", ".git", ".gitignore", "a.txt", "src"]);
    assert!(world.parent().join(".cargo/registry").exists() && !world.parent().join(".cargo/git").exists());
    assert!(outside.join("projects").exists(), "a link was followed");
}

#[test]
fn a_shared_tree_may_be_a_worktree_and_may_not_be_bare() {
    let world = World::new();
    world.user(&["worktree", "add", "-q", "../linked", "-b", "other"]);
    git(&world.path(""), &["clone", "-q", "--bare", "user", "bare"]);
    let bare = CheckoutSpec { parent: world.path("bare"), ..world.of_kind(Kind::Shared) };
    let refused = create(&bare).expect_err("no files");
    assert!(matches!(refused, Error::Bare { .. }) && refused.hint().is_some(), "{refused}");
    let spec = CheckoutSpec { parent: world.path("linked"), ..world.of_kind(Kind::Shared) };
    let checkout = create(&spec).expect("made");
    assert_eq!(checkout.directory, world.path("linked"));
    let pointer = checkout.shown.iter().find(|shown| shown.target == Path::new(".git")).expect("shown");
    assert!(pointer.read_only);
    let text = std::fs::read_to_string(&pointer.source).expect("there");
    assert_eq!(text, format!("gitdir: {}\n", world.registration().display()));
    assert_eq!(git(&world.path("linked"), &["symbolic-ref", "--short", "HEAD"]), "other");
}
