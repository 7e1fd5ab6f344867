//! What an honest agent and an honest user do.

use super::*;
use clauderon::worktree::remove::remove;

#[test]
fn a_new_checkout_is_clean_on_its_branch_and_changes_nothing_of_the_users() {
    let world = World::new();
    let status = world.user(&["status", "--porcelain"]);
    let checkout = world.create();
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    assert_eq!(world.agent(&["symbolic-ref", "--short", "HEAD"]), BRANCH);
    assert_eq!(checkout.base.as_deref(), Some(world.user(&["rev-parse", "main"]).as_str()));
    assert_eq!(checkout.borrowed, vec![world.parent().join(".git/objects")]);
    for path in checkout.pinned.iter().chain(&checkout.read_only) {
        assert!(path.exists(), "{}", path.display());
    }
    assert_eq!(std::fs::read_dir(world.checkout().join(".git/objects/pack")).expect("there").count(), 0);
    assert_eq!(world.branch(), None);
    assert_eq!(world.user(&["status", "--porcelain"]), status);
    assert_eq!(Checkout::open(&world.checkout()).expect("opens"), checkout);
    assert_eq!(world.lost(), vec![]);
    assert_eq!(world.import(), Imported::default());
}

#[test]
fn libgit2_too_is_at_home_in_a_checkout() {
    let world = World::new();
    world.create();
    let repository = git2::Repository::open(world.checkout()).expect("opens");
    assert_eq!(repository.statuses(None).expect("compared").len(), 0);
    assert!(repository.head().expect("there").peel_to_commit().is_ok());
}

#[test]
fn an_existing_checkout_is_adopted_untouched_and_a_foreign_directory_refused() {
    let world = World::new();
    let first = world.create();
    world.write_agent("a.txt", "changed by the agent\n");
    assert_eq!(world.create(), first);
    assert_eq!(
        std::fs::read_to_string(world.checkout().join("a.txt")).expect("there"),
        "changed by the agent\n"
    );
    let other = CheckoutSpec { session: "other".to_owned(), ..world.spec() };
    assert!(matches!(create(&other), Err(Error::Foreign { .. })));
    std::fs::remove_file(world.path("session/checkout.json")).expect("removed");
    assert!(matches!(create(&world.spec()), Err(Error::Foreign { .. })));
}

#[test]
fn what_a_killed_run_left_does_not_block() {
    let world = World::new();
    write(&world.path("session/.checkout.scratch-abc/tree/.git/HEAD"), "half");
    write(&world.path("session/checkout.json"), "{}");
    std::fs::create_dir_all(world.checkout()).expect("created");
    world.create();
    let names = std::fs::read_dir(world.path("session")).expect("there").flatten();
    let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    names.sort();
    assert_eq!(names, ["checkout", "checkout.json", "checkout.lock"]);
}

#[test]
fn commits_arrive_by_fast_forward_and_a_second_import_does_nothing() {
    let world = World::new();
    world.create();
    world.work("c.txt", "three\n");
    let tip = world.work("d.txt", "four\n");
    let imported = world.import();
    assert_eq!(imported.conflicts, vec![]);
    assert_eq!(imported.moved.len(), 1);
    assert_eq!((imported.moved[0].commits, imported.moved[0].old.as_deref()), (2, None));
    assert_eq!(world.branch(), Some(tip.clone()));
    assert_eq!(world.import(), Imported::default());
    let next = world.work("e.txt", "five\n");
    let imported = world.import();
    assert_eq!((imported.moved[0].commits, imported.moved[0].old.clone()), (1, Some(tip)));
    assert_eq!(world.branch(), Some(next));
    assert_eq!(world.user(&["status", "--porcelain"]), "");
    assert_eq!(world.lost(), vec![]);
}

#[test]
fn an_amended_commit_replaces_exactly_what_was_published() {
    let world = World::new();
    world.create();
    world.work("c.txt", "three\n");
    world.import();
    world.agent(&["commit", "-q", "--amend", "-m", "better"]);
    let imported = world.import();
    assert_eq!(imported.conflicts, vec![]);
    assert_eq!(world.branch(), Some(world.agent(&["rev-parse", "HEAD"])));
}

#[test]
fn the_users_own_commits_are_never_overwritten() {
    let world = World::new();
    world.create();
    world.work("c.txt", "three\n");
    world.import();
    world.user(&["checkout", "-q", BRANCH]);
    world.write_user("mine.txt", "mine\n");
    world.user(&["add", "."]);
    world.user(&["commit", "-qm", "mine"]);
    world.user(&["checkout", "-q", "main"]);
    let mine = world.branch();
    assert_eq!(world.import(), Imported::default());
    let tip = world.work("d.txt", "four\n");
    let imported = world.import();
    assert_eq!(imported.moved, vec![]);
    assert_eq!(imported.conflicts.len(), 1);
    let kept = imported.conflicts[0].kept.clone().expect("kept");
    assert_eq!((world.branch(), world.at(&kept)), (mine, Some(tip)));
    assert_eq!(world.lost(), vec![]);
}

#[test]
fn a_branch_that_the_user_has_checked_out_stays_until_it_is_free() {
    let world = World::new();
    world.create();
    let first = world.work("c.txt", "three\n");
    world.import();
    world.user(&["worktree", "add", "-q", "../linked", BRANCH]);
    let tip = world.work("d.txt", "four\n");
    let imported = world.import();
    assert!(imported.conflicts[0].reason.contains("checked out"), "{imported:?}");
    assert_eq!(world.branch(), Some(first));
    world.user(&["worktree", "remove", "../linked"]);
    assert_eq!(world.import().conflicts, vec![]);
    assert_eq!(world.branch(), Some(tip));
}

#[test]
fn a_branch_that_the_user_deleted_comes_back_only_with_new_commits() {
    let world = World::new();
    world.create();
    world.work("c.txt", "three\n");
    world.import();
    world.user(&["branch", "-qD", BRANCH]);
    assert_eq!(world.import(), Imported::default());
    assert_eq!(world.branch(), None);
    let tip = world.work("d.txt", "four\n");
    world.import();
    assert_eq!(world.branch(), Some(tip));
}

#[test]
fn other_branches_merges_and_a_detached_head_are_kept_in_the_namespace() {
    let world = World::new();
    world.create();
    world.agent(&["checkout", "-qb", "side"]);
    let side = world.work("side.txt", "s\n");
    world.agent(&["checkout", "-q", BRANCH]);
    world.work("c.txt", "three\n");
    world.agent(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let merged = world.agent(&["rev-parse", "HEAD"]);
    world.agent(&["checkout", "-q", "--detach"]);
    let detached = world.work("x.txt", "x\n");
    world.import();
    assert_eq!(world.branch(), Some(merged));
    assert_eq!(world.at(&format!("refs/clauderon/{SESSION}/heads/side")), Some(side));
    assert_eq!(world.at(&format!("refs/clauderon/{SESSION}/detached")), Some(detached));
    assert_eq!(world.at("refs/heads/side"), None);
    assert_eq!(world.lost(), vec![]);
}

#[test]
fn a_branch_in_the_place_of_another_is_kept_by_its_id() {
    let world = World::new();
    world.create();
    world.agent(&["checkout", "-qb", "side"]);
    world.work("side.txt", "s\n");
    world.import();
    world.agent(&["branch", "-qm", "side/deeper"]);
    let deeper = world.work("deeper.txt", "d\n");
    world.import();
    assert_eq!(world.at(&format!("refs/clauderon/{SESSION}/kept/{deeper}")), Some(deeper));
    assert_eq!(world.lost(), vec![]);
}

#[test]
fn packed_objects_and_refs_arrive() {
    let world = World::new();
    world.create();
    for number in 0..30 {
        world.work("c.txt", &format!("{number}\n").repeat(number));
    }
    world.agent(&["gc", "-q"]);
    assert!(!world.checkout().join(".git/refs/heads/clauderon/login").exists());
    assert_eq!(world.import().moved[0].commits, 30);
    assert_eq!(world.branch(), Some(world.agent(&["rev-parse", "HEAD"])));
}

#[test]
fn a_thousand_commits_arrive() {
    let world = World::new();
    world.create();
    let mut stream = String::new();
    let base = world.agent(&["rev-parse", "HEAD"]);
    for number in 0..1000 {
        let from = if number == 0 { format!("from {base}\n") } else { String::new() };
        let commit =
            format!("commit refs/heads/{BRANCH}\ncommitter a <a@b> {number} +0000\ndata 1\nx\n{from}");
        let file = format!("M 644 inline n/{number}\ndata 4\n{number:04}\n");
        stream.extend([commit, file]);
    }
    let mut child = command(&world.checkout(), &["fast-import", "--quiet"]);
    let mut child = child.stdin(std::process::Stdio::piped()).spawn().expect("runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), stream.as_bytes()).expect("written");
    assert!(child.wait().expect("ended").success());
    assert_eq!(world.import().moved[0].commits, 1000);
}

#[test]
fn removal_leaves_nothing_but_the_branch_and_a_new_session_goes_on_with_it() {
    let world = World::new();
    world.create();
    let tip = world.work("c.txt", "three\n");
    world.import();
    std::os::unix::fs::symlink(world.path("user"), world.checkout().join("link")).expect("linked");
    remove(&world.checkout(), &world.parent(), SESSION).expect("removed");
    assert_eq!(std::fs::read_dir(world.path("session")).expect("there").count(), 0);
    assert!(world.parent().join("a.txt").exists());
    assert_eq!(world.branch(), Some(tip.clone()));
    assert_eq!(
        world.user(&["for-each-ref", "--format=%(refname)", "refs/clauderon"]),
        format!("refs/clauderon/{SESSION}/published/{BRANCH}")
    );
    let next = CheckoutSpec { session: "0194-bb".to_owned(), ..world.spec() };
    assert_eq!(create(&next).expect("made").base, Some(tip));
    remove(&world.checkout(), &world.parent(), "0194-bb").expect("removed");
    world.user(&["branch", "-qD", BRANCH]);
    remove(&world.checkout(), &world.parent(), "0194-bb").expect("nothing to do");
    assert_eq!(world.user(&["for-each-ref", "refs/clauderon"]), "");
}

#[test]
fn removal_keeps_what_no_branch_holds() {
    let world = World::new();
    world.create();
    world.agent(&["checkout", "-qb", "side"]);
    let side = world.work("side.txt", "s\n");
    world.import();
    remove(&world.checkout(), &world.parent(), SESSION).expect("removed");
    assert_eq!(world.at(&format!("refs/clauderon/{SESSION}/heads/side")), Some(side));
}

#[test]
fn a_branch_with_other_work_is_refused() {
    let world = World::new();
    world.user(&["checkout", "-qb", BRANCH]);
    world.write_user("mine.txt", "m\n");
    world.user(&["add", "."]);
    world.user(&["commit", "-qm", "mine"]);
    world.user(&["checkout", "-q", "main"]);
    let refused = create(&world.spec()).expect_err("taken");
    assert!(matches!(refused, Error::BranchTaken { .. }) && refused.hint().is_some());
    assert!(!world.checkout().exists());
}

#[test]
fn a_base_and_its_absence() {
    let world = World::new();
    let base = |base: &str| CheckoutSpec { base: Some(base.to_owned()), ..world.spec() };
    assert!(matches!(create(&base("nowhere")), Err(Error::BaseNotFound { .. })));
    let first = world.user(&["rev-parse", "main~1"]);
    assert_eq!(create(&base("main~1")).expect("made").base, Some(first));
    assert_eq!(std::fs::read_to_string(world.checkout().join("a.txt")).expect("there"), "one\n");
}

#[test]
fn a_repository_without_commits_takes_the_agents_first() {
    let world = World::empty();
    assert_eq!(world.create().base, None);
    assert_eq!(world.lost(), vec![]);
    assert_eq!(world.import(), Imported::default());
    let tip = world.work("a.txt", "first\n");
    assert_eq!(world.import().moved[0].commits, 1);
    assert_eq!(world.branch(), Some(tip));
}

#[test]
fn bare_linked_shallow_and_borrowing_parents_work() {
    let world = World::new();
    let source = format!("file://{}", world.parent().display());
    git(&world.path(""), &["clone", "-q", "--bare", "user", "bare"]);
    git(&world.path(""), &["clone", "-q", "--depth", "1", &source, "shallow"]);
    git(&world.path(""), &["clone", "-q", "--shared", "user", "sharing"]);
    world.user(&["worktree", "add", "-q", "../linked", "-b", "other"]);
    for (name, borrowed) in [("bare", 1), ("shallow", 1), ("sharing", 2), ("linked", 1)] {
        let directory = world.path(&format!("session/{name}"));
        let parent = world.path(name);
        let spec = CheckoutSpec { parent: parent.clone(), directory: directory.clone(), ..world.spec() };
        let checkout = create(&spec).expect(name);
        assert_eq!(checkout.borrowed.len(), borrowed, "{name}");
        assert_eq!(git(&directory, &["status", "--porcelain"]), "");
        git(&directory, &["log", "--oneline"]);
        git(&directory, &["commit", "-q", "--allow-empty", "-m", "x"]);
        let (session, branch) = (SESSION.to_owned(), BRANCH.to_owned());
        let spec = ImportSpec { checkout: directory.clone(), parent: parent.clone(), session, branch };
        assert_eq!(import(&spec).expect(name).moved.len(), 1, "{name}");
        assert_eq!(would_be_lost(&directory, &parent, SESSION).expect(name), vec![]);
        remove(&directory, &parent, SESSION).expect(name);
        git(&parent, &["update-ref", "-d", &format!("refs/heads/{BRANCH}")]);
    }
}

#[test]
fn what_is_not_supported_says_so() {
    let world = World::new();
    git(&world.path(""), &["init", "-q", "--object-format=sha256", "sha256"]);
    std::fs::create_dir(world.path("plain")).expect("created");
    let parent = |name: &str| CheckoutSpec { parent: world.path(name), ..world.spec() };
    let refused = create(&parent("sha256")).expect_err("not read by libgit2");
    assert!(matches!(refused, Error::Unsupported { .. }) && refused.hint().is_some(), "{refused:?}");
    let refused = create(&parent("plain")).expect_err("no repository");
    assert!(matches!(refused, Error::NotARepository { .. }), "{refused:?}");
    let refused = create(&CheckoutSpec { branch: "a..b".to_owned(), ..world.spec() });
    assert!(matches!(refused, Err(Error::BranchName { .. })));
}

#[test]
fn ignored_files_come_along_and_none_from_outside() {
    let world = World::new();
    world.write_user("ignored/deep/x", "x");
    world.write_user("secret.log", "s");
    std::os::unix::fs::symlink("/etc", world.parent().join("ignored/etc")).expect("linked");
    let with = |path: &str| CheckoutSpec { copy: vec![PathBuf::from(path)], ..world.spec() };
    for path in ["../session", "ignored/etc/passwd", "ignored/etc", "missing", ".git/config", "/etc/passwd"] {
        assert!(matches!(create(&with(path)), Err(Error::Copy { .. })), "{path}");
        assert!(!world.checkout().exists());
    }
    create(&CheckoutSpec {
        copy: vec!["ignored".into(), "secret.log".into(), "a.txt".into()],
        ..world.spec()
    })
    .expect("made");
    assert_eq!(std::fs::read_to_string(world.checkout().join("ignored/deep/x")).expect("there"), "x");
    assert!(!world.checkout().join("ignored/etc").exists());
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
}

#[test]
fn the_users_filters_run_and_the_config_holds_no_credential() {
    let world = World::new();
    world.write_user(".gitattributes", "*.up filter=up\n");
    world.write_user("x.up", "quiet\n");
    world.user(&["add", "."]);
    world.user(&["commit", "-qm", "filter"]);
    world.user(&["config", "filter.up.smudge", "tr a-z A-Z"]);
    world.user(&["config", "filter.up.clean", "tr A-Z a-z"]);
    world.user(&["remote", "add", "origin", "https://me:secret@git.example/a/b.git"]);
    world.create();
    assert_eq!(std::fs::read_to_string(world.checkout().join("x.up")).expect("there"), "QUIET\n");
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    assert_eq!(world.agent(&["remote", "get-url", "origin"]), "https://git.example/a/b.git");
    assert!(
        !std::fs::read_to_string(world.checkout().join(".git/config")).expect("there").contains("secret")
    );
    assert_eq!(world.lost(), vec![]);
}
