//! What the removal of a checkout would lose is listed, and nothing else.

use super::*;

#[test]
fn each_kind_of_work_is_listed() {
    let world = World::new();
    world.create();
    world.write_agent("a.txt", "changed, and longer\n");
    std::fs::remove_file(world.checkout().join("src/b.txt")).expect("removed");
    world.write_agent("staged.txt", "s\n");
    world.agent(&["add", "staged.txt"]);
    world.write_agent("new/file.txt", "n\n");
    world.write_agent("debug.log", "l\n");
    world.write_agent(".claude/projects/p.jsonl", "ours\n");
    world.write_agent(".claude.json", "ours\n");
    let text = |path: &str| path.to_owned();
    assert_eq!(
        world.lost(),
        vec![
            Loss::Uncommitted { path: text("a.txt"), status: "modified" },
            Loss::Uncommitted { path: text("src/b.txt"), status: "deleted" },
            Loss::Uncommitted { path: text("staged.txt"), status: "added" },
            Loss::Untracked { path: text("new/file.txt") },
            Loss::Ignored { path: text("debug.log") },
        ]
    );
}

#[test]
fn in_an_ignored_directory_only_what_is_not_ours_is_listed() {
    let world = World::new();
    world.create();
    world.write_agent(".claude/projects/p.jsonl", "ours\n");
    std::fs::create_dir_all(world.checkout().join("ignored/empty")).expect("created");
    assert_eq!(world.lost(), vec![]);
    world.write_agent(".claude/notes.md", "the agent's\n");
    world.write_agent("ignored/x", "x\n");
    let ignored = |path: &str| Loss::Ignored { path: path.to_owned() };
    assert_eq!(world.lost(), vec![ignored(".claude/notes.md"), ignored("ignored/")]);
}

#[test]
fn commits_are_losses_until_they_are_imported() {
    let world = World::new();
    world.create();
    let tip = world.work("c.txt", "three\n");
    world.agent(&["checkout", "-q", "--detach"]);
    let detached = world.work("d.txt", "four\n");
    let commits: Vec<_> = world
        .lost()
        .into_iter()
        .map(|loss| match loss {
            Loss::Commit { id, summary, branch } => (id, summary, branch),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(commits.contains(&(tip, "write c.txt".to_owned(), BRANCH.to_owned())), "{commits:?}");
    assert!(commits.contains(&(detached, "write d.txt".to_owned(), "HEAD".to_owned())), "{commits:?}");
    assert_eq!(commits.len(), 2);
    world.import();
    assert_eq!(world.lost(), vec![]);
}

#[test]
fn stashes_and_nested_repositories_are_losses() {
    let world = World::new();
    world.create();
    world.write_agent("a.txt", "stashed, and longer\n");
    world.agent(&["stash", "-q"]);
    world.write_agent("sub/x", "x");
    git(&world.checkout().join("sub"), &["init", "-q"]);
    let nested = Loss::NestedRepository { path: "sub".to_owned() };
    assert_eq!(world.lost(), vec![Loss::Stash { entries: 1 }, nested]);
}

#[test]
fn bits_of_the_index_hide_no_change() {
    let world = World::new();
    world.create();
    world.agent(&["update-index", "--assume-unchanged", "a.txt"]);
    world.agent(&["update-index", "--skip-worktree", "src/b.txt"]);
    assert_eq!(world.lost(), vec![]);
    world.write_agent("a.txt", "hidden, and longer\n");
    world.write_agent("src/b.txt", "hidden, and longer\n");
    assert_eq!(world.agent(&["status", "--porcelain"]), "");
    let modified = |path: &str| Loss::Uncommitted { path: path.to_owned(), status: "modified" };
    assert_eq!(world.lost(), vec![modified("a.txt"), modified("src/b.txt")]);
    std::fs::remove_file(world.checkout().join("src/b.txt")).expect("removed");
    assert_eq!(world.lost(), vec![modified("a.txt")]);
}

#[test]
fn a_commit_whose_objects_are_gone_is_listed() {
    let world = World::new();
    world.create();
    let tip = world.work("c.txt", "three\n");
    std::fs::remove_file(world.checkout().join(format!(".git/objects/{}/{}", &tip[..2], &tip[2..])))
        .expect("removed");
    let lost = world.lost();
    assert!(lost.iter().any(|loss| matches!(loss, Loss::Commit { id, .. } if *id == tip)), "{lost:?}");
    let imported = world.import();
    assert_eq!((imported.conflicts.len(), imported.conflicts[0].kept.clone()), (1, None));
    assert_eq!(world.branch(), None);
}

#[test]
fn a_checkout_that_is_not_there_loses_nothing() {
    let world = World::new();
    assert_eq!(world.lost(), vec![]);
}
