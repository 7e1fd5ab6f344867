//! What a writer of refs leaves that was killed: its lock. Nobody holds it, and it holds up nobody for long.

use super::*;
use clauderon::worktree::remove::remove;

/// The lock that libgit2 leaves beside a ref.
fn leave_lock(world: &World, name: &str) -> PathBuf {
    let lock = world.parent().join(format!(".git/refs/{name}.lock"));
    std::fs::create_dir_all(lock.parent().expect("below")).expect("created");
    std::fs::write(&lock, "").expect("written");
    lock
}

#[test]
fn a_lock_that_was_left_on_a_ref_of_ours_is_removed() {
    let world = World::new();
    let base = leave_lock(&world, &format!("clauderon/{SESSION}/base"));
    world.create();
    assert!(!base.exists());
    world.write_agent("a.txt", "changed by the agent\n");
    world.agent(&["commit", "-qam", "work"]);
    let kept = leave_lock(&world, &format!("clauderon/{SESSION}/heads/{BRANCH}"));
    let imported = world.import();
    assert_eq!((imported.moved.len(), imported.conflicts.len()), (1, 0), "{imported:?}");
    assert!(!kept.exists());
    leave_lock(&world, &format!("clauderon/{SESSION}/base"));
    remove(&world.checkout(), &world.parent(), SESSION).expect("removed");
    let left = world.user(&["for-each-ref", "--format=%(refname)", "refs/clauderon"]);
    assert_eq!(
        left,
        format!("refs/clauderon/{SESSION}/published/{BRANCH}"),
        "which says whose the branch is"
    );
    assert_eq!(world.user(&["log", "-1", "--format=%s", BRANCH]), "work");
}

#[test]
fn a_lock_on_the_users_branch_is_the_users() {
    let world = World::new();
    world.create();
    world.write_agent("a.txt", "changed by the agent\n");
    world.agent(&["commit", "-qam", "work"]);
    let lock = leave_lock(&world, &format!("heads/{BRANCH}"));
    let imported = world.import();
    assert!(imported.conflicts[0].kept.is_some() && lock.exists(), "{imported:?}");
    std::fs::remove_file(lock).expect("removed");
    assert_eq!(world.import().conflicts, []);
    assert_eq!(world.user(&["log", "-1", "--format=%s", BRANCH]), "work");
}

/// libgit2 moves a ref by a link, and removes the lock after that.
#[test]
fn a_lock_beside_a_ref_that_has_moved_already_is_removed() {
    let world = World::new();
    let made = world.create();
    let base = leave_lock(&world, &format!("clauderon/{SESSION}/base"));
    assert_eq!(world.create(), made);
    assert!(!base.exists());
    let base = leave_lock(&world, &format!("clauderon/{SESSION}/base"));
    remove(&world.checkout(), &world.parent(), SESSION).expect("removed");
    assert!(!base.exists());
}

/// The mark of one who was killed while he moved the branch.
#[test]
fn a_lock_on_the_users_branch_that_an_import_has_left_is_removed() {
    let world = World::new();
    world.create();
    let mark = world.checkout().with_file_name("checkout.moving");
    for removal in [false, true] {
        world.write_agent("a.txt", &format!("changed by the agent, {removal}\n"));
        world.agent(&["commit", "-qam", "work"]);
        assert_eq!(world.import().conflicts, []);
        assert!(!mark.exists());
        let lock = leave_lock(&world, &format!("heads/{BRANCH}"));
        std::fs::write(&mark, format!("refs/heads/{BRANCH}")).expect("written");
        if removal {
            remove(&world.checkout(), &world.parent(), SESSION).expect("removed");
        } else {
            assert_eq!(world.import().conflicts, []);
        }
        assert!(!lock.exists() && !mark.exists());
    }
    // A mark that names something else is no reason to remove anything.
    let world = World::new();
    world.create();
    let mark = world.checkout().with_file_name("checkout.moving");
    let lock = leave_lock(&world, "tags/mine");
    for name in ["refs/tags/mine", "refs/heads/../tags/mine", "HEAD"] {
        std::fs::write(&mark, name).expect("written");
        world.import();
    }
    assert!(lock.exists());
}

/// Where the last that it did was to move the checkout to its place.
#[test]
fn what_a_checkout_was_made_in_is_swept_when_it_is_adopted() {
    let world = World::new();
    let made = world.create();
    let scratch = world.checkout().with_file_name(".checkout.scratch-killed");
    std::fs::create_dir_all(scratch.join("tree")).expect("created");
    assert_eq!(world.create(), made);
    assert!(!scratch.exists());
}
