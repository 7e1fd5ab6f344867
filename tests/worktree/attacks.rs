//! What a hostile agent does to its checkout, and what of it reaches the host: nothing.

use super::*;
use std::os::unix::fs::symlink;

use clauderon::worktree::prepare::prepare;
use git2::{ObjectType, Oid};

/// Puts an object into the agent's repository without any check, and returns its id.
fn plant(world: &World, kind: ObjectType, content: &[u8]) -> String {
    let repository = git2::Repository::open(world.checkout()).expect("opens");
    repository.odb().expect("objects").write(kind, content).expect("written").to_string()
}

fn plant_commit(world: &World, tree: &str) -> String {
    let base = world.agent(&["rev-parse", "HEAD"]);
    let text = format!("tree {tree}\nparent {base}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nevil\n");
    let id = plant(world, ObjectType::Commit, text.as_bytes());
    world.write_agent(&format!(".git/refs/heads/{BRANCH}"), &format!("{id}\n"));
    id
}

fn plant_tree(world: &World, mode: &str, name: &[u8], id: &str) -> String {
    let id = Oid::from_str(id).expect("an id");
    plant(world, ObjectType::Tree, &[mode.as_bytes(), b" ", name, b"\0", id.as_bytes()].concat())
}

fn loose(world: &World, id: &str) -> PathBuf {
    world.checkout().join(format!(".git/objects/{}/{}", &id[..2], &id[2..]))
}

/// The import brings nothing: refused as a whole, or as a conflict that keeps nothing.
fn assert_not_imported(world: &World) {
    let before = world.user(&["for-each-ref"]);
    match world.try_import() {
        Ok(imported) => {
            assert_eq!(imported.moved, vec![]);
            assert!(imported.conflicts.iter().all(|conflict| conflict.kept.is_none()), "{imported:?}");
        }
        Err(Error::Planted { .. } | Error::TooLarge { .. }) => {}
        Err(error) => panic!("{error:?}"),
    }
    assert_eq!(world.user(&["for-each-ref"]), before);
    world.user(&["fsck", "--strict"]);
}

fn is_tampered(world: &World) -> bool {
    world.lost().iter().any(|loss| matches!(loss, Loss::Tampered { .. }))
}

#[test]
fn links_in_the_place_of_refs_head_and_packed_refs_are_not_followed() {
    let cases = [".git/refs/heads/clauderon/login", ".git/refs/heads", ".git/HEAD", ".git/packed-refs"];
    for case in cases {
        let world = World::new();
        world.create();
        let tip = world.work("c.txt", "three\n");
        let outside = world.path("outside");
        write(&outside.join("clauderon/login"), &format!("{tip}\n"));
        write(&world.path("file"), &format!("{tip}\n"));
        let path = world.checkout().join(case);
        let target = if case.ends_with("heads") { outside } else { world.path("file") };
        if path.is_dir() {
            std::fs::remove_dir_all(&path).expect("removed");
        } else {
            let _ = std::fs::remove_file(&path);
        }
        symlink(target, &path).expect("linked");
        assert_not_imported(&world);
        assert!(is_tampered(&world), "{case}");
    }
}

#[test]
fn links_in_the_place_of_objects_are_not_followed() {
    for whole in [true, false] {
        let world = World::new();
        world.create();
        let tip = world.work("c.txt", "three\n");
        let path = if whole { world.checkout().join(".git/objects") } else { loose(&world, &tip) };
        let moved = world.path("elsewhere");
        std::fs::rename(&path, &moved).expect("moved");
        symlink(&moved, &path).expect("linked");
        assert_not_imported(&world);
        assert!(is_tampered(&world));
    }
}

#[test]
fn a_git_directory_replaced_by_a_file_or_link_is_not_followed() {
    let world = World::new();
    world.create();
    world.work("c.txt", "three\n");
    let git_directory = world.checkout().join(".git");
    std::fs::rename(&git_directory, world.path("evil")).expect("moved");
    write(&git_directory, &format!("gitdir: {}\n", world.path("evil").display()));
    assert_not_imported(&world);
    assert!(is_tampered(&world));
    std::fs::remove_file(&git_directory).expect("removed");
    symlink(world.path("evil"), &git_directory).expect("linked");
    assert_not_imported(&world);
    assert!(is_tampered(&world));
}

#[test]
fn an_evil_config_commondir_hook_or_alternates_runs_nothing_and_is_noticed() {
    let world = World::new();
    world.create();
    let (script, mark) = world.canary();
    world.work("c.txt", "three\n");
    let evil = format!(
        "[core]\n\tfsmonitor = {script}\n\thooksPath = {0}\n\tsshCommand = {script}\n\tworktree = /\n\
         [filter \"x\"]\n\tclean = {script}\n\tsmudge = {script}\n[diff \"x\"]\n\ttextconv = {script}\n",
        world.path("").display()
    );
    world.write_agent(".gitattributes", "* filter=x diff=x\n");
    world.write_agent(".git/evil/config", &evil);
    let files = [
        (".git/config", evil.clone()),
        (".git/commondir", "evil\n".to_owned()),
        (".git/objects/info/alternates", "/elsewhere\n".to_owned()),
        (".git/info/exclude", "*\n".to_owned()),
        (".git/hooks/post-checkout", "#!/bin/sh\n".to_owned()),
    ];
    for (file, content) in files {
        let path = world.checkout().join(file);
        let old = std::fs::read(&path).ok();
        write(&path, &content);
        world.try_import().expect("an import");
        assert!(is_tampered(&world), "{file}");
        match old {
            Some(old) => std::fs::write(&path, old).expect("restored"),
            None => std::fs::remove_file(&path).expect("removed"),
        }
    }
    assert!(!is_tampered(&world));
    assert!(!mark.exists(), "the canary ran");
}

#[test]
fn a_record_of_another_place_is_what_the_borrowed_directories_come_from() {
    let world = World::new();
    let made = world.create();
    world.write_agent(".git/objects/info/alternates", "/etc\n");
    assert_eq!(Checkout::open(&world.checkout()).expect("opens").borrowed, made.borrowed);
}

#[test]
fn a_nested_repository_with_a_file_monitor_runs_nothing() {
    let world = World::new();
    world.create();
    let (script, mark) = world.canary();
    let sub = world.checkout().join("sub");
    write(&sub.join("x"), "x\n");
    git(&sub, &["init", "-q"]);
    git(&sub, &["add", "."]);
    git(&sub, &["commit", "-qm", "x"]);
    world.agent(&["add", "sub"]);
    world.agent(&["commit", "-qm", "a gitlink"]);
    git(&sub, &["config", "core.fsmonitor", &script]);
    git(&sub, &["config", "filter.x.clean", &script]);
    write(&sub.join(".gitattributes"), "* filter=x\n");
    write(&sub.join("x"), "changed\n");
    assert_eq!(world.import().moved.len(), 1);
    let lost = world.lost();
    assert!(lost.contains(&Loss::NestedRepository { path: "sub".to_owned() }), "{lost:?}");
    assert!(!mark.exists(), "the canary ran");
}

#[test]
fn trees_that_would_be_written_into_a_git_directory_are_refused() {
    for (mode, name) in
        [("40000", ".git"), ("40000", ".GIT"), ("100644", "git~1"), ("100644", "../x"), ("40000", "..")]
    {
        let world = World::new();
        world.create();
        let blob = plant(&world, ObjectType::Blob, b"[core]\n\tfsmonitor = evil\n");
        let inner = plant_tree(&world, "100644", b"config", &blob);
        let id = if mode == "40000" { inner } else { blob };
        let deep = plant_tree(&world, mode, name.as_bytes(), &id);
        let tree = plant_tree(&world, "40000", b"dir", &deep);
        plant_commit(&world, &tree);
        assert_not_imported(&world);
    }
}

#[test]
fn objects_of_a_wrong_kind_are_refused() {
    let world = World::new();
    world.create();
    let blob = world.user(&["rev-parse", "main:a.txt"]);
    plant_commit(&world, &blob);
    assert_not_imported(&world);
    let commit = world.user(&["rev-parse", "main"]);
    let tree = plant_tree(&world, "40000", b"dir", &commit);
    plant_commit(&world, &tree);
    assert_not_imported(&world);
    world.write_agent(&format!(".git/refs/heads/{BRANCH}"), &format!("{blob}\n"));
    assert_not_imported(&world);
}

#[test]
fn a_loose_object_whose_hash_lies_is_refused() {
    let world = World::new();
    world.create();
    world.work("c.txt", "harmless\n");
    let good = world.agent(&["rev-parse", "HEAD:c.txt"]);
    let evil = plant(&world, ObjectType::Blob, b"evil\n");
    std::fs::remove_file(loose(&world, &good)).expect("removed");
    std::fs::copy(loose(&world, &evil), loose(&world, &good)).expect("copied");
    assert_not_imported(&world);
}

#[test]
fn the_index_of_a_pack_is_not_believed() {
    let world = World::new();
    world.create();
    world.work("c.txt", "harmless\n");
    let good = world.agent(&["rev-parse", "HEAD:c.txt"]);
    world.work("d.txt", "evil\n");
    let evil = world.agent(&["rev-parse", "HEAD:d.txt"]);
    world.agent(&["gc", "-q"]);
    let packs = world.checkout().join(".git/objects/pack");
    let index = std::fs::read_dir(&packs).expect("there").flatten().map(|entry| entry.path());
    let index = index.into_iter().find(|path| path.extension().is_some_and(|end| end == "idx")).expect("one");
    let mut bytes = std::fs::read(&index).expect("read");
    let raw = |id: &str| Oid::from_str(id).expect("an id").as_bytes().to_vec();
    let place = |bytes: &[u8], id: &[u8]| bytes.windows(20).position(|window| window == id).expect("there");
    let (a, b) = (place(&bytes, &raw(&good)), place(&bytes, &raw(&evil)));
    bytes[a..a + 20].copy_from_slice(&raw(&evil));
    bytes[b..b + 20].copy_from_slice(&raw(&good));
    std::fs::remove_file(&index).expect("removed");
    std::fs::write(&index, bytes).expect("written");
    world.import();
    assert_eq!(world.user(&["cat-file", "blob", &good]), "harmless");
    assert_eq!(world.user(&["cat-file", "blob", &evil]), "evil");
}

#[test]
fn a_broken_pack_is_left_out() {
    let world = World::new();
    world.create();
    world.work("c.txt", "three\n");
    world.agent(&["gc", "-q"]);
    let packs = std::fs::read_dir(world.checkout().join(".git/objects/pack")).expect("there").flatten();
    for path in
        packs.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "pack"))
    {
        let mut bytes = std::fs::read(&path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, bytes).expect("written");
    }
    assert_not_imported(&world);
}

#[test]
fn names_of_refs_that_leave_their_place_are_no_refs() {
    let world = World::new();
    world.create();
    let tip = world.work("c.txt", "three\n");
    let lines =
        ["refs/heads/../../../../evil", "refs/heads/a..b", "refs/heads/x.lock", "../evil", "refs/heads/"];
    let packed: Vec<String> = lines.iter().map(|name| format!("{tip} {name}\n")).collect();
    world.write_agent(".git/packed-refs", &packed.concat());
    world.write_agent(".git/refs/heads/bad..name", &format!("{tip}\n"));
    world.write_agent(".git/refs/heads/loop", "ref: refs/heads/loop\n");
    world.write_agent(".git/refs/heads/garbage", "\0\u{fffd}not an id");
    world.import();
    let refs = world.user(&["for-each-ref", "--format=%(refname)"]);
    let mut expected = vec![
        format!("refs/clauderon/{SESSION}/base"),
        format!("refs/clauderon/{SESSION}/heads/{BRANCH}"),
        format!("refs/clauderon/{SESSION}/published/{BRANCH}"),
        format!("refs/heads/{BRANCH}"),
        "refs/heads/main".to_owned(),
    ];
    expected.sort();
    assert_eq!(refs.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_branch_named_as_one_of_the_users_moves_nothing_of_the_users() {
    let world = World::new();
    world.create();
    let main = world.at("refs/heads/main");
    world.agent(&["checkout", "-qb", "main"]);
    let tip = world.work("c.txt", "three\n");
    world.import();
    assert_eq!(world.at("refs/heads/main"), main);
    assert_eq!(world.at(&format!("refs/clauderon/{SESSION}/heads/main")), Some(tip));
}

#[test]
fn pipes_hold_nobody_up() {
    for path in [
        ".git/HEAD",
        ".git/refs/heads/pipe",
        ".git/packed-refs",
        ".git/index",
        ".gitignore",
        "sub/.gitattributes",
    ] {
        let world = World::new();
        world.create();
        let pipe = world.checkout().join(path);
        let _ = std::fs::remove_file(&pipe);
        std::fs::create_dir_all(pipe.parent().expect("a parent")).expect("created");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("runs").success());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _ = world.try_import();
            sender.send((world.lost(), path)).expect("sent");
        });
        let (lost, path) = receiver.recv_timeout(std::time::Duration::from_secs(20)).expect("an end");
        assert!(path.contains("pipe") || !lost.is_empty(), "{path}");
    }
}

#[test]
fn giant_files_are_refused_and_not_read() {
    for path in [".git/HEAD", ".git/packed-refs", ".git/refs/heads/big", ".git/index"] {
        let world = World::new();
        world.create();
        let file = std::fs::File::create(world.checkout().join(path)).expect("created");
        file.set_len(1 << 40).expect("sparse");
        assert_not_imported(&world);
        assert!(is_tampered(&world), "{path}");
    }
    let world = World::new();
    world.create();
    let tip = world.work("c.txt", "three\n");
    std::fs::remove_file(loose(&world, &tip)).expect("removed");
    std::fs::File::create(loose(&world, &tip)).expect("created").set_len(1 << 40).expect("sparse");
    assert_not_imported(&world);
}

#[test]
fn a_tracked_file_grown_beyond_reason_is_listed_and_not_read() {
    let world = World::new();
    world.create();
    let file = std::fs::File::options().write(true).open(world.checkout().join("a.txt")).expect("opened");
    file.set_len(9 + (1 << 40)).expect("sparse");
    let started = std::time::Instant::now();
    assert!(!world.lost().is_empty());
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn a_link_in_the_place_of_a_mount_point_is_named_and_not_followed() {
    let world = World::new();
    world.create();
    let outside = world.path("outside");
    std::fs::create_dir(&outside).expect("created");
    symlink(&outside, world.checkout().join(".cargo")).expect("linked");
    let refused = prepare(&world.checkout(), &[".cargo/registry"], &[]).expect_err("a link");
    assert!(matches!(&refused, Error::Planted { path, .. } if path == Path::new(".cargo")), "{refused:?}");
    symlink(outside.join("file"), world.checkout().join(".claude.json")).expect("linked");
    assert!(matches!(prepare(&world.checkout(), &[], &[".claude.json"]), Err(Error::Planted { .. })));
    assert!(matches!(prepare(&world.checkout(), &["../x"], &[]), Err(Error::Planted { .. })));
    assert_eq!(std::fs::read_dir(&outside).expect("there").count(), 0);
    for _ in 0..2 {
        prepare(&world.checkout(), &[".clauderon/hooks", ".clauderon/spool"], &[".codex/config.toml"])
            .expect("made");
    }
    assert!(
        world.checkout().join(".clauderon/hooks").is_dir()
            && world.checkout().join(".codex/config.toml").is_file()
    );
}

#[test]
fn directories_that_the_agent_closed_can_be_removed() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.create();
    let closed = world.checkout().join("closed");
    write(&closed.join("x"), "x");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).expect("set");
    clauderon::worktree::remove::remove(&world.checkout(), &world.parent(), SESSION).expect("removed");
    assert!(!world.checkout().exists());
}
