//! Clones of the odd repositories that people have.

use super::*;

impl World {
    /// Every object that is on no ref and in no log goes.
    fn collect(&self) {
        self.user(&["reflog", "expire", "--expire=now", "--all"]);
        self.user(&["gc", "-q", "--prune=now"]);
    }
}

#[test]
fn a_base_that_moved_changes_nothing_for_the_session() {
    let world = World::new();
    let base = world.create().base;
    world.user(&["commit", "-q", "--amend", "-m", "second, said better"]);
    world.write_user("later.txt", "later\n");
    world.user(&["add", "."]);
    world.user(&["commit", "-qm", "later"]);
    world.collect();
    let tip = world.work("c.txt", "three\n");
    assert_eq!(world.create().base, base, "adopted as it is");
    let imported = world.import();
    assert_eq!((imported.moved[0].commits, imported.conflicts.len()), (1, 0), "{imported:?}");
    assert_eq!(world.branch(), Some(tip));
    assert_eq!(world.user(&["merge-base", "main", BRANCH]), world.user(&["rev-parse", "main~2"]));
}

#[test]
fn neither_collection_nor_the_loss_of_a_branch_takes_what_is_borrowed() {
    let world = World::new();
    world.user(&["checkout", "-qb", "topic"]);
    world.write_user("topic.txt", "topic\n");
    world.user(&["add", "."]);
    world.user(&["commit", "-qm", "topic"]);
    world.create();
    world.user(&["checkout", "-q", "main"]);
    world.user(&["branch", "-qD", "topic"]);
    world.collect();
    world.agent(&["fsck", "--full"]);
    assert_eq!(world.agent(&["show", "HEAD:topic.txt"]), "topic");
    // What was imported is dropped from the clone by its own collection, and borrowed from then on.
    let first = world.work("c.txt", "three\n");
    world.agent(&["branch", "side"]);
    world.import();
    world.agent(&["gc", "-q"]);
    world.user(&["branch", "-qD", BRANCH]);
    world.collect();
    world.agent(&["fsck", "--full"]);
    assert_eq!(world.agent(&["rev-parse", "side"]), first);
}

#[test]
fn what_was_imported_and_replaced_can_still_be_borrowed() {
    let world = World::new();
    world.create();
    let first = world.work("c.txt", "three\n");
    world.agent(&["tag", "before"]);
    world.import();
    world.agent(&["commit", "-q", "--amend", "-m", "better"]);
    world.agent(&["gc", "-q"]);
    world.import();
    world.collect();
    world.agent(&["fsck", "--full"]);
    assert_eq!(world.agent(&["rev-parse", "before"]), first);
    clauderon::worktree::remove::remove(&world.checkout(), &world.parent(), SESSION).expect("removed");
    let left = world.user(&["for-each-ref", "--format=%(refname)", "refs/clauderon"]);
    assert_eq!(left, format!("refs/clauderon/{SESSION}/published/{BRANCH}"), "what was replaced goes");
}

#[test]
fn a_detached_head_is_a_base() {
    let world = World::new();
    let first = world.user(&["rev-parse", "main~1"]);
    world.user(&["checkout", "-q", "--detach", "main~1"]);
    assert_eq!(world.create().base, Some(first.clone()));
    world.work("c.txt", "three\n");
    assert_eq!(world.import().conflicts, vec![]);
    assert_eq!(world.user(&["rev-parse", "HEAD"]), first);
    assert_eq!(world.user(&["status", "--porcelain"]), "");
}

#[test]
fn a_branch_that_is_there_and_holds_nothing_is_taken_and_one_checked_out_is_left() {
    let world = World::new();
    world.user(&["checkout", "-qb", BRANCH]);
    let before = world.create().base;
    let tip = world.work("c.txt", "three\n");
    let imported = world.import();
    assert_eq!(imported.moved, vec![], "{imported:?}");
    let conflict = &imported.conflicts[0];
    assert!(conflict.reason.contains("checked out"), "{imported:?}");
    assert_eq!(world.at(conflict.kept.as_deref().expect("kept")), Some(tip.clone()));
    assert_eq!((world.branch(), world.user(&["status", "--porcelain"])), (before, String::new()));
    world.user(&["checkout", "-q", "main"]);
    assert_eq!(world.import().conflicts, vec![]);
    assert_eq!(world.branch(), Some(tip));
}

#[test]
fn a_submodule_is_a_link_until_the_agent_fetches_it() {
    let world = World::new();
    git(&world.path(""), &["init", "-q", "-b", "main", "library"]);
    git(&world.path("library"), &["commit", "-q", "--allow-empty", "-m", "one"]);
    let library = world.path("library").display().to_string();
    let allowed = ["-c", "protocol.file.allow=always"];
    world.user(&[&allowed[..], &["submodule", "--quiet", "add", &library, "library"]].concat());
    world.user(&["commit", "-qm", "a submodule"]);
    world.create();
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    assert_eq!(world.lost(), vec![]);
    world.work("c.txt", "three\n");
    assert_eq!(world.import().conflicts, vec![]);
    world.agent(&[&allowed[..], &["submodule", "--quiet", "update", "--init"]].concat());
    git(&world.checkout().join("library"), &["commit", "-q", "--allow-empty", "-m", "two"]);
    world.agent(&["commit", "-qam", "a newer library"]);
    let imported = world.import();
    assert_eq!((imported.moved.len(), imported.conflicts.len()), (1, 0), "{imported:?}");
    let nested = Loss::NestedRepository { path: "library".to_owned() };
    assert!(world.lost().contains(&nested), "its commits are there alone: {:?}", world.lost());
}

#[test]
fn large_files_stay_pointers_and_no_filter_of_theirs_runs_on_the_host_again() {
    let pointer = |word: &str| {
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 4\n", word.repeat(64))
    };
    let world = World::new();
    world.write_user(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    world.write_user("a.bin", &pointer("a"));
    world.user(&["add", "."]);
    world.user(&["commit", "-qm", "large"]);
    world.create();
    let found = |name: &str| std::fs::read_to_string(world.checkout().join(name)).expect("there");
    assert_eq!(found("a.bin"), pointer("a"), "without the filter the pointer is the file");
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    // The user's filter is there from now on, and would show itself.
    let (canary, mark) = world.canary();
    for name in ["clean", "smudge"] {
        world.user(&["config", &format!("filter.lfs.{name}"), &canary]);
    }
    world.work("b.bin", &pointer("b"));
    world.write_agent("a.bin", &pointer("c"));
    assert_eq!(world.import().moved.len(), 1);
    let changed = Loss::Uncommitted { path: "a.bin".to_owned(), status: "modified" };
    assert_eq!(world.lost(), vec![changed]);
    assert!(!mark.exists(), "a filter ran");
    assert_eq!(world.user(&["show", &format!("{BRANCH}:b.bin")]), pointer("b").trim_end());
}

#[test]
fn a_filter_that_fails_is_told_with_what_it_said() {
    let world = World::new();
    world.write_user(".gitattributes", "*.bin filter=lfs\n");
    world.write_user("a.bin", "pointer\n");
    world.user(&["add", "."]);
    world.user(&["commit", "-qm", "large"]);
    world.user(&["config", "filter.lfs.smudge", "echo the store is away >&2; exit 3"]);
    world.user(&["config", "filter.lfs.required", "true"]);
    let refused = create(&world.spec()).expect_err("the file cannot be written");
    assert!(matches!(refused, Error::CheckOut { .. }) && refused.hint().is_some(), "{refused}");
    assert!(refused.to_string().contains("a.bin"), "{refused}");
    assert!(!world.checkout().exists());
}

#[test]
fn a_clone_of_a_sparse_repository_is_whole() {
    let world = World::new();
    world.user(&["sparse-checkout", "set", "--no-cone", "src/"]);
    assert!(!world.parent().join("a.txt").exists(), "it is left out there");
    world.create();
    assert_eq!(std::fs::read_to_string(world.checkout().join("src/b.txt")).expect("there"), "two\n");
    assert_eq!(std::fs::read_to_string(world.checkout().join("a.txt")).expect("there"), "one more\n");
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    world.work("c.txt", "three\n");
    assert_eq!(world.import().moved.len(), 1);
    assert_eq!((world.lost(), world.user(&["status", "--porcelain"])), (vec![], String::new()));
}

#[test]
fn what_is_below_a_shallow_history_is_missed_by_nobody() {
    let world = World::new();
    let source = format!("file://{}", world.parent().display());
    git(&world.path(""), &["clone", "-q", "--depth", "1", &source, "shallow"]);
    let spec = CheckoutSpec { parent: world.path("shallow"), ..world.spec() };
    create(&spec).expect("made");
    assert_eq!(world.agent(&["rev-list", "--count", "HEAD"]), "1");
    world.agent(&["commit", "-q", "--amend", "--allow-empty", "-m", "a root of its own"]);
    world.work("c.txt", "three\n");
    let (session, branch) = (SESSION.to_owned(), BRANCH.to_owned());
    let spec = ImportSpec { checkout: world.checkout(), parent: world.path("shallow"), session, branch };
    let imported = import(&spec).expect("imported");
    assert_eq!((imported.moved.len(), imported.conflicts.len()), (1, 0), "{imported:?}");
    git(&world.path("shallow"), &["fsck", "--strict"]);
}

#[test]
fn what_a_partial_clone_left_away_is_fetched_for_the_files_and_told_where_it_cannot_be() {
    let world = World::new();
    world.user(&["config", "uploadpack.allowFilter", "true"]);
    let source = format!("file://{}", world.parent().display());
    let (partial, first) = (world.path("partial"), world.user(&["rev-parse", "main~1"]));
    git(&world.path(""), &["clone", "-q", "--filter=blob:none", "--no-checkout", &source, "partial"]);
    let missing =
        || git(&partial, &["rev-list", "--objects", "--missing=print", "--all"]).matches('?').count();
    assert_eq!(missing(), 4, "every file");
    let spec = CheckoutSpec { parent: partial.clone(), base: Some(first), ..world.spec() };
    create(&spec).expect("made");
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    assert_eq!(std::fs::read_to_string(world.checkout().join("a.txt")).expect("there"), "one\n");
    assert_eq!(missing(), 1, "the newer a.txt is nobody's yet");
    world.work("c.txt", "three\n");
    let (session, branch) = (SESSION.to_owned(), BRANCH.to_owned());
    let import_spec = ImportSpec { checkout: world.checkout(), parent: partial.clone(), session, branch };
    let imported = import(&import_spec).expect("imported");
    assert_eq!((imported.moved.len(), imported.conflicts.len()), (1, 0), "{imported:?}");
    // As when the network is away.
    std::fs::rename(world.parent(), world.path("away")).expect("moved");
    for (kind, session) in [(Kind::Clone, "0194-bb"), (Kind::Worktree, "0194-cc")] {
        let (directory, branch) = (world.path(session), format!("agents/{session}"));
        let base = Some("origin/main".to_owned());
        let spec =
            CheckoutSpec { kind, directory, session: session.to_owned(), branch, base, ..spec.clone() };
        let refused = create(&spec).expect_err("a file is missing");
        assert!(matches!(refused, Error::CheckOut { .. }) && refused.hint().is_some(), "{refused}");
        assert!(!spec.directory.exists());
    }
}

#[test]
fn names_that_differ_by_case_are_two_names() {
    let world = World::new();
    world.write_user("A.txt", "large\n");
    world.user(&["add", "."]);
    world.user(&["commit", "-qm", "two names"]);
    // As a repository says that came from a file system which takes them for one.
    world.user(&["config", "core.ignorecase", "true"]);
    world.create();
    let found = |name: &str| std::fs::read_to_string(world.checkout().join(name)).expect("there");
    assert_eq!((found("A.txt"), found("a.txt")), ("large\n".to_owned(), "one more\n".to_owned()));
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    world.work("SRC/B.txt", "another\n");
    world.agent(&["branch", "Clauderon/Login"]);
    assert_eq!(world.import().conflicts, vec![]);
    let names = world.user(&["ls-tree", "-r", "--name-only", BRANCH]);
    assert_eq!(names, ".gitignore\nA.txt\nSRC/B.txt\na.txt\nsrc/b.txt");
    assert!(world.at(&format!("refs/clauderon/{SESSION}/heads/Clauderon/Login")).is_some());
    let other = CheckoutSpec {
        directory: world.path("session/other"),
        session: "0194-bb".to_owned(),
        branch: "clauderon/LOGIN".to_owned(),
        ..world.spec()
    };
    create(&other).expect("another branch");
}

#[test]
fn nothing_is_brought_along_from_a_bare_repository() {
    let world = World::new();
    git(&world.path(""), &["clone", "-q", "--bare", "user", "bare"]);
    let spec = CheckoutSpec { parent: world.path("bare"), copy: vec!["x".into()], ..world.spec() };
    let refused = create(&spec).expect_err("no working tree");
    assert!(refused.to_string().contains("bare") && refused.hint().is_some(), "{refused}");
}

#[test]
fn a_repository_without_commits_takes_files_along_and_an_import_beside_the_users_own_first() {
    let world = World::empty();
    world.write_user("local.env", "x\n");
    create(&CheckoutSpec { copy: vec!["local.env".into()], ..world.spec() }).expect("made");
    assert!(world.checkout().join("local.env").exists());
    let tip = world.work("a.txt", "the agent's first\n");
    world.write_user("b.txt", "the user's first\n");
    world.user(&["add", "b.txt"]);
    world.user(&["commit", "-qm", "mine"]);
    world.user(&["branch", BRANCH]);
    let imported = world.import();
    let kept = imported.conflicts[0].kept.clone().expect("kept");
    assert_eq!((world.at(&kept), world.branch()), (Some(tip), world.at("main")));
}
