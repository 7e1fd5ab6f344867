//! Work trees made to lead the host out of them, to hold it up, or to hide what is in them: judged, measured and removed.

use super::*;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clauderon::worktree::lost::alone;
use clauderon::worktree::remove::{remove, remove_directory};
use clauderon::worktree::size::usage;
use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, openat};

/// Longer than anything here takes, and shorter than for ever.
const SOON: Duration = Duration::from_secs(60);

/// Runs something that is to come to its end.
#[track_caller]
fn ends<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(act()));
    receiver.recv_timeout(SOON).unwrap_or_else(|_| panic!("{what} does not end"))
}

/// Judges, measures, imports and removes; answers what would have been lost. All that lies outside is as it was.
#[track_caller]
fn judge_and_remove(world: World) -> Vec<Loss> {
    let outside = world.path("outside");
    let before = everything(&outside);
    ends("the handling of a hostile work tree", move || {
        let lost = world.lost();
        let _ = world.try_import();
        assert!(usage(&world.checkout()).bytes < 1 << 30, "something outside was measured");
        remove(&world.checkout(), &world.parent(), SESSION).expect("removed");
        assert!(!world.checkout().exists());
        assert_eq!(everything(&world.path("outside")), before);
        let left = std::fs::read_dir(world.path("session")).expect("there").count();
        assert_eq!(left, 0, "something is left beside the checkout");
        world.user(&["fsck", "--strict"]);
        lost
    })
}

/// Every path below a directory with its mode and content.
fn everything(directory: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let content = if metadata.is_file() { std::fs::read(&path).expect("read") } else { Vec::new() };
        if metadata.is_dir() {
            pending.extend(std::fs::read_dir(&path).expect("listed").flatten().map(|entry| entry.path()));
        }
        found.insert(path, (metadata.permissions().mode(), content));
    }
    found
}

/// A world with a checkout, and beside it a directory that nothing may touch.
fn world() -> World {
    let world = World::new();
    world.create();
    write(&world.path("outside/secret"), "secret\n");
    write(&world.path("outside/b.txt"), "two\n");
    world
}

fn modified(path: &str, status: &'static str) -> Loss {
    Loss::Uncommitted { path: path.to_owned(), status }
}

#[test]
fn links_in_the_place_of_files_and_directories_are_changes_and_lead_nowhere() {
    let world = world();
    let (checkout, outside) = (world.checkout(), world.path("outside"));
    // A directory whose files look as if nothing had changed, and a file whose target has the same content.
    std::fs::remove_dir_all(checkout.join("src")).expect("removed");
    symlink(&outside, checkout.join("src")).expect("linked");
    std::fs::copy(checkout.join("a.txt"), outside.join("a.txt")).expect("copied");
    std::fs::remove_file(checkout.join("a.txt")).expect("removed");
    symlink(outside.join("a.txt"), checkout.join("a.txt")).expect("linked");
    for (name, target) in
        [("zero", "/dev/zero"), ("root", "/"), ("loop", "loop"), ("proc", "/proc/self/fd/0")]
    {
        symlink(target, checkout.join(name)).expect("linked");
    }
    symlink(&outside, checkout.join("ignored")).expect("linked");
    let lost = judge_and_remove(world);
    for loss in [modified("a.txt", "type changed"), modified("src/b.txt", "deleted")] {
        assert!(lost.contains(&loss), "{loss:?} is not in {lost:?}");
    }
    for path in ["zero", "root", "loop", "proc", "src"] {
        let found = lost.iter().any(|loss| matches!(loss, Loss::Untracked { path: found } if found == path));
        assert!(found, "`{path}` is not in {lost:?}");
    }
    assert!(!lost.iter().any(|loss| format!("{loss:?}").contains("secret")), "{lost:?}");
}

#[test]
fn a_git_directory_that_leads_elsewhere_is_removed_and_its_target_is_not() {
    for link in [true, false] {
        let world = world();
        let (git, moved) = (world.checkout().join(".git"), world.path("outside/git"));
        std::fs::rename(&git, &moved).expect("moved");
        if link {
            symlink(&moved, &git).expect("linked");
        } else {
            write(&git, &format!("gitdir: {}\n", moved.display()));
        }
        let lost = judge_and_remove(world);
        assert!(lost.iter().any(|loss| matches!(loss, Loss::Tampered { .. })), "{lost:?}");
    }
}

#[test]
fn nested_repositories_that_point_at_the_host_are_listed_and_not_opened() {
    let world = world();
    let (script, mark) = world.canary();
    let outside = world.path("outside");
    git(&outside, &["init", "-q"]);
    let nested = |name: &str, config: &str| {
        let sub = world.checkout().join(name);
        write(&sub.join("x"), "x\n");
        git(&sub, &["init", "-q"]);
        git(&sub, &["add", "."]);
        git(&sub, &["commit", "-qm", "x"]);
        let path = sub.join(".git/config");
        write(&path, &format!("{}{config}", std::fs::read_to_string(&path).expect("read")));
        sub
    };
    nested("fsmonitor", &format!("[core]\n\tfsmonitor = {script}\n"));
    let hooks = nested("hooks", &format!("[core]\n\thooksPath = {}\n", world.path("").display()));
    std::fs::copy(&script, hooks.join(".git/hooks/post-checkout")).expect("copied");
    let filters = nested("filters", &format!("[filter \"x\"]\n\tclean = {script}\n\tprocess = {script}\n"));
    write(&filters.join(".gitattributes"), "* filter=x\n");
    nested("worktree", &format!("[core]\n\tworktree = {}\n", outside.display()));
    let borrowing = nested("alternates", "");
    let objects = format!("{}\n", outside.join(".git/objects").display());
    write(&borrowing.join(".git/objects/info/alternates"), &objects);
    write(&world.checkout().join("pointing/.git"), &format!("gitdir: {}/.git\n", outside.display()));
    symlink(outside.join(".git"), world.checkout().join("deep.git")).expect("linked");
    std::fs::create_dir(world.checkout().join("linking")).expect("created");
    symlink(outside.join(".git"), world.checkout().join("linking/.git")).expect("linked");
    // A committed gitlink has git itself look into it.
    world.agent(&["-c", "advice.addEmbeddedRepo=false", "add", "fsmonitor", "filters"]);
    world.agent(&["commit", "-qm", "gitlinks"]);
    for name in ["fsmonitor", "filters"] {
        world.write_agent(&format!("{name}/x"), "changed\n");
    }
    let lost = judge_and_remove(world);
    for name in ["fsmonitor", "hooks", "filters", "worktree", "alternates", "pointing", "linking"] {
        assert!(lost.contains(&Loss::NestedRepository { path: name.to_owned() }), "{name}: {lost:?}");
    }
    assert!(!mark.exists(), "the canary ran");
}

#[test]
fn pipes_sockets_and_devices_hold_nobody_up_and_are_removed() {
    let world = world();
    let at = |name: &str| world.checkout().join(name);
    let pipe = |path: PathBuf| mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
    std::fs::remove_file(at("a.txt")).expect("removed");
    pipe(at("a.txt"));
    pipe(at("pipe"));
    std::fs::create_dir(at("ignored")).expect("created");
    pipe(at("ignored/pipe"));
    pipe(at(".git/objects/pack/pack-1.pack"));
    let _listener = std::os::unix::net::UnixListener::bind(at("socket")).expect("bound");
    // Only root makes devices: 1:5 is an endless stream of zeros, 1:1 is the memory.
    let device = |name: &str, minor| {
        let made =
            mknodat(CWD, at(name), FileType::CharacterDevice, Mode::RWXU, rustix::fs::makedev(1, minor));
        assert!(made.is_ok() || !rustix::process::getuid().is_root() || made == Err(rustix::io::Errno::PERM));
    };
    device("zero", 5);
    device("memory", 1);
    let lost = judge_and_remove(world);
    assert!(
        lost.iter().any(|loss| matches!(loss, Loss::Uncommitted { path, .. } if path == "a.txt")),
        "{lost:?}"
    );
}

#[test]
fn thirty_thousand_files_are_judged_measured_and_removed_in_seconds() {
    let world = world();
    for directory in 0..300 {
        let directory = world.checkout().join(format!("many/{directory}"));
        std::fs::create_dir_all(&directory).expect("created");
        for file in 0..100 {
            std::fs::File::create(directory.join(format!("{file}"))).expect("created");
        }
    }
    assert_eq!(usage(&world.checkout().join("many")).entries, 30_300);
    let begun = Instant::now();
    let lost = judge_and_remove(world);
    assert_eq!(lost.iter().filter(|loss| matches!(loss, Loss::Untracked { .. })).count(), 30_000);
    assert!(begun.elapsed() < Duration::from_secs(30), "it took {:?}", begun.elapsed());
}

/// Makes directories within each other, by descriptors: the path is longer than any that the kernel takes.
fn dig(top: &Path, depth: usize) {
    std::fs::create_dir_all(top).expect("created");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = rustix::fs::open(top, flags, Mode::empty()).expect("opened");
    for _ in 0..depth {
        mkdirat(&here, "d", Mode::RWXU).expect("made");
        here = openat(&here, "d", flags, Mode::empty()).expect("opened");
    }
    let made = openat(&here, "work", OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RWXU);
    made.expect("made");
}

#[test]
fn what_lies_deeper_than_a_path_can_say_is_no_nothing_and_is_removed() {
    // libgit2 goes 100 levels deep, and a path of the kernel's has 4096 bytes.
    for (depth, place) in
        [(90, "deep"), (1_000, "deep"), (1_000, "ignored"), (5_000, "deep"), (5_000, "ignored")]
    {
        let world = world();
        dig(&world.checkout().join(place), depth);
        let lost = judge_and_remove(world);
        let told = match (depth, place) {
            (90, _) => {
                lost.iter().any(|loss| matches!(loss, Loss::Untracked { path } if path.ends_with("/work")))
            }
            (1_000, "ignored") => lost == [Loss::Ignored { path: "ignored/".to_owned() }],
            _ => lost.iter().any(|loss| matches!(loss, Loss::Tampered { .. })),
        };
        assert!(told, "{depth} below `{place}`: {:.300}", format!("{lost:?}"));
    }
}

#[test]
fn names_that_are_no_text_or_drive_a_terminal_are_listed_each_for_itself() {
    let world = world();
    let names: [&[u8]; 5] =
        [b"a\xff", b"a\xfe", b"two\nlines", b"\x1b]0;title\x07\x1b[2J", "r\u{202e}txt".as_bytes()];
    for name in names {
        std::fs::write(world.checkout().join(OsStr::from_bytes(name)), "x").expect("written");
    }
    // An ignored directory that is no text was once taken for an empty one.
    let ignored = world.checkout().join(OsStr::from_bytes(b"\xffdirectory.log"));
    std::fs::create_dir(&ignored).expect("created");
    std::fs::write(ignored.join(OsStr::from_bytes(b"\xfework")), "x").expect("written");
    let lost = judge_and_remove(world);
    let untracked = |path: &str| Loss::Untracked { path: path.to_owned() };
    let mut expected =
        vec![untracked("\u{1b}]0;title\u{7}\u{1b}[2J"), untracked("a\\xfe"), untracked("a\\xff")];
    expected.extend([untracked("r\u{202e}txt"), untracked("two\nlines")]);
    expected.push(Loss::Ignored { path: "\\xffdirectory.log/".to_owned() });
    assert_eq!(lost, expected);
}

#[test]
fn what_is_swapped_for_a_link_at_every_moment_leads_nowhere() {
    static DONE: AtomicBool = AtomicBool::new(false);
    let world = world();
    let (checkout, outside) = (world.checkout(), world.path("outside"));
    for number in 0..200 {
        write(&checkout.join(format!("swapped/{number}/b.txt")), "two\n");
    }
    // Closed directories have the deletion change their modes: of these and of no others.
    let closed = std::fs::Permissions::from_mode(0o500);
    std::fs::set_permissions(checkout.join("swapped/7"), closed).expect("set");
    let before = everything(&outside);
    let at = |name: &str| checkout.join(name);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !DONE.load(Ordering::Relaxed) {
                for (name, aside) in [("swapped", "aside"), ("src", "src-aside"), ("a.txt", "a-aside")] {
                    let (place, aside) = (at(name), at(aside));
                    // Each may be gone by now.
                    let _ = std::fs::rename(&place, &aside);
                    let _ = symlink(&outside, &place);
                    let _ = std::fs::remove_file(&place);
                    let _ = std::fs::rename(&aside, &place);
                }
            }
        });
        for _ in 0..30 {
            let _ = would_be_lost(&checkout, &world.parent(), SESSION);
            let _ = usage(&checkout);
        }
        // The swapping goes on within the directory while it is deleted.
        let _ = remove_directory(&checkout);
        DONE.store(true, Ordering::Relaxed);
    });
    assert_eq!(everything(&outside), before);
    remove(&checkout, &world.parent(), SESSION).expect("removed");
    assert!(!checkout.exists());
    assert_eq!(everything(&outside), before);
}

#[test]
fn a_workspace_without_a_repository_loses_all_that_is_not_ours() {
    let world = World::new();
    let workspace = world.path("session/checkout");
    write(&workspace.join(".claude.json"), "ours");
    write(&workspace.join(".claude.json.backup"), "ours");
    write(&workspace.join(".claude/projects/p.jsonl"), "ours");
    std::fs::create_dir_all(workspace.join("empty/empty")).expect("created");
    let excludes = ["/.claude/projects/", "/.claude.json", "/.claude.json.*"].map(String::from);
    assert_eq!(alone(&workspace, &excludes).expect("judged"), vec![]);
    assert_eq!(alone(&world.path("session/none"), &excludes).expect("judged"), vec![]);
    write(&workspace.join(".claude/notes.md"), "work");
    write(&workspace.join("new/note"), "work");
    dig(&workspace.join("deep"), 2);
    let alone_at = |path: &str| Loss::Alone { path: path.to_owned() };
    let expected = vec![alone_at(".claude/notes.md"), alone_at("deep/"), alone_at("new/")];
    assert_eq!(alone(&workspace, &excludes).expect("judged"), expected);
    let link = world.path("session/link");
    symlink(&workspace, &link).expect("linked");
    assert!(alone(&link, &excludes).is_err(), "a link is no workspace");
    dig(&workspace.join("deeper"), 5_000);
    assert!(alone(&workspace, &excludes).is_err(), "what cannot be read is not taken for nothing");
    remove_directory(&workspace).expect("removed");
    assert_eq!(std::fs::read_dir(world.path("session")).expect("there").count(), 1);
}

#[test]
fn a_checkout_whose_repository_is_gone_loses_all_that_it_holds() {
    let world = world();
    world.work("c.txt", "three\n");
    std::fs::remove_dir_all(world.parent()).expect("removed");
    let lost = world.lost();
    assert!(lost.iter().any(|loss| matches!(loss, Loss::Orphaned { .. })), "{lost:?}");
    remove(&world.checkout(), &world.parent(), SESSION).expect("removed");
    assert!(!world.checkout().exists());
}

/// A project may lie in a linked worktree, which goes while its repository stays.
#[test]
fn a_checkout_of_a_linked_worktree_that_is_gone_is_judged_by_its_repository() {
    let world = World::new();
    world.user(&["worktree", "add", "-q", "../linked", "-b", "linked"]);
    let linked = world.path("linked");
    create(&CheckoutSpec { parent: linked.clone(), ..world.spec() }).expect("a checkout");
    world.work("c.txt", "three\n");
    world.import();
    std::fs::remove_dir_all(&linked).expect("removed");
    assert_eq!(would_be_lost(&world.checkout(), &linked, SESSION).expect("judged"), vec![]);
    world.write_agent("a.txt", "changed, and longer\n");
    let lost = would_be_lost(&world.checkout(), &linked, SESSION).expect("judged");
    assert_eq!(lost, vec![modified("a.txt", "modified")]);
    remove(&world.checkout(), &linked, SESSION).expect("removed");
    assert_eq!(world.at(&format!("refs/clauderon/{SESSION}/base")), None, "its refs are cleaned up there");
}
