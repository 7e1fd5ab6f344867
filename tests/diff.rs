//! What a session has changed: against git itself where the checkout is honest, and within bounds where it is not.

use crate::support::pty::Terminal;
use crate::support::world::{World, committing, eventually};
use serde_json::{Value, json};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A world with files of several sorts, and a session that has committed and is down.
fn down(rest: &str) -> (World, PathBuf) {
    let world = World::with_model(&committing());
    world.write("src/deep/code.rs", "fn one() {}\nfn two() {}\nfn three() {}\n");
    world.write("gone.txt", "to be deleted\n");
    world.write("script.sh", "#!/bin/sh\n");
    world.write("same.bin", "\0\u{1}\u{2}");
    world.write("node_modules/tracked.js", "tracked though ignored\n");
    world.write(".gitignore", "model-ca.pem\nclauderon.yaml\nnode_modules/\n*.log\n");
    world.git(&["add", "--force", "."]);
    world.git(&["reset", "--quiet", "model-ca.pem"]);
    world.git(&["commit", "--quiet", "--message", "Files"]);
    world.manifest(&format!("{rest}sessions: {{a: {{mode: batch, prompt: hello}}}}\n"));
    world.run(&["up", "--wait", "--yes"]).ok();
    world.run(&["wait", "a", "--for", "exited", "--timeout", "60s"]).ok();
    let checkout = world.checkout("a");
    world.run(&["down"]).ok();
    (world, checkout)
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn files(world: &World) -> Vec<(String, String)> {
    let told: Value = serde_json::from_str(&world.run(&["diff", "--format", "json"]).ok()).unwrap();
    let one = |file: &Value| {
        (file["path"].as_str().unwrap().to_owned(), file["status"].as_str().unwrap().to_owned())
    };
    told["files"].as_array().unwrap().iter().map(one).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, status)| ((*path).to_owned(), (*status).to_owned())).collect()
}

fn change(checkout: &Path) {
    write(&checkout.join("src/deep/code.rs"), b"fn one() {}\nfn 2() {}\nfn three() {}\nfn four() {}");
    write(&checkout.join("new/fi le.txt"), "a\nünïcode\n".as_bytes());
    write(&checkout.join("odd\nname\".txt"), b"odd\r\n");
    write(&checkout.join("node_modules/other.js"), b"ignored\n");
    write(&checkout.join("x.log"), b"ignored\n");
    write(&checkout.join("empty"), b"");
    std::fs::remove_file(checkout.join("gone.txt")).unwrap();
    std::fs::set_permissions(checkout.join("script.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("../elsewhere", checkout.join("link")).unwrap();
}

const CHANGED: [(&str, &str); 8] = [
    ("empty", "untracked"),
    ("gone.txt", "deleted"),
    ("greeting.txt", "added"),
    ("link", "untracked"),
    ("new/fi le.txt", "untracked"),
    ("odd\nname\".txt", "untracked"),
    ("script.sh", "modified"),
    ("src/deep/code.rs", "modified"),
];

#[test]
fn a_diff_is_a_patch_that_git_applies_to_the_base() {
    for kind in ["", "repository: {checkout: worktree}\n"] {
        let (world, checkout) = down(kind);
        assert_eq!(files(&world), pairs(&[("greeting.txt", "added")]), "{kind}");
        change(&checkout);
        assert_eq!(files(&world), pairs(&CHANGED), "{kind}");
        let patch = world.run(&["diff", "a"]).ok();
        assert!(no_terminal(&patch), "{patch:?}");
        let other = world.path("other");
        assert!(
            Command::new("git")
                .args(["clone", "--quiet"])
                .args([world.root(), other.clone()])
                .status()
                .unwrap()
                .success()
        );
        let mut apply = Command::new("git");
        apply
            .args(["apply", "--index", "--whitespace=nowarn", "-"])
            .current_dir(&other)
            .stdin(Stdio::piped());
        let mut apply = apply.spawn().unwrap();
        std::io::Write::write_all(&mut apply.stdin.take().unwrap(), patch.as_bytes()).unwrap();
        assert!(apply.wait().unwrap().success(), "{patch}");
        for (path, status) in CHANGED {
            let (here, there) = (checkout.join(path), other.join(path));
            let found = |path: &Path| {
                let about = path.symlink_metadata().ok()?;
                let content = if about.is_symlink() {
                    std::fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec()
                } else {
                    std::fs::read(path).unwrap()
                };
                Some((content, about.permissions().mode() & 0o100))
            };
            assert_eq!(found(&here), found(&there), "{path}");
            assert_eq!(found(&here).is_none(), status == "deleted");
        }
        let git = |args: &[&str]| {
            let output = Command::new("git").args(args).current_dir(&other).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let told: Value = serde_json::from_str(&world.run(&["diff", "--format", "json"]).ok()).unwrap();
        let numbers = git(&["diff", "--cached", "--numstat", "-z"]);
        let sum = |column: usize| {
            let lines = numbers.split_terminator('\0');
            lines.map(|line| line.split('\t').nth(column).unwrap().parse::<u64>().unwrap()).sum::<u64>()
        };
        assert_eq!((&told["insertions"], &told["deletions"]), (&json!(sum(0)), &json!(sum(1))), "{numbers}");
        let names = world.run(&["diff", "--name-only"]).ok();
        assert_eq!(names, git(&["-c", "core.quotepath=off", "diff", "--cached", "--name-only"]));
        let stat = world.run(&["diff", "--stat"]).ok();
        assert!(
            stat.ends_with(&format!(" 8 files changed, {} insertions(+), {} deletions(-)\n", sum(0), sum(1))),
            "{stat}"
        );
        assert!(stat.contains(" src/deep/code.rs  |      3 ++-\n"), "{stat}");
    }
}

fn no_terminal(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
}

#[test]
fn a_shared_working_tree_and_sessions_without_one_are_told_apart() {
    let (world, checkout) = down("repository: {checkout: shared}\n");
    assert_eq!(checkout.canonicalize().unwrap(), world.root().canonicalize().unwrap());
    world.write("README.md", "# Changed\n");
    assert_eq!(files(&world), pairs(&[("README.md", "modified"), ("greeting.txt", "added")]));

    world.manifest("sessions: {a: hello, n: {repository: false}, never: hello}\n");
    let said = world.run(&["diff"]).fails(2);
    assert!(said.contains("name one of `a`, `n`, `never`"), "{said}");
    let said = world.run(&["diff", "nevr"]).fails(2);
    assert!(said.contains("did you mean `never`"), "{said}");
    let said = world.run(&["diff", "never"]).fails(1);
    assert!(said.contains("has no checkout") && said.contains("clauderon up never"), "{said}");
    world.run(&["up", "-d", "--yes", "n"]).ok();
    assert!(world.run(&["diff", "n"]).fails(1).contains("has no repository"));
}

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

#[test]
fn what_an_agent_plants_is_neither_followed_nor_run_nor_waited_for_nor_hidden() {
    let (world, checkout) = down("");
    let secret = world.path("secret");
    write(&secret.join("code.rs"), b"the canary\n");
    // In the place of a directory that is compared, a link to one of the host's.
    std::fs::remove_dir_all(checkout.join("src/deep")).unwrap();
    symlink(&secret, checkout.join("src/deep")).unwrap();
    std::fs::remove_file(checkout.join("README.md")).unwrap();
    symlink(secret.join("code.rs"), checkout.join("README.md")).unwrap();
    // Pipes where files are read.
    std::fs::remove_file(checkout.join(".gitignore")).unwrap();
    fifo(&checkout.join(".gitignore"));
    fifo(&checkout.join("pipe"));
    std::fs::remove_file(checkout.join("same.bin")).unwrap();
    fifo(&checkout.join("same.bin"));
    let large = std::fs::File::create(checkout.join("zeros")).unwrap();
    large.set_len(1 << 30).unwrap();
    // A change under a repository that is made over it, and behind an index that denies it.
    let git = |args: &[&str]| {
        assert!(Command::new("git").args(args).current_dir(&checkout).status().unwrap().success());
    };
    git(&["init", "--quiet", "node_modules"]);
    write(&checkout.join("node_modules/tracked.js"), b"changed all the same\n");
    git(&["update-index", "--assume-unchanged", "script.sh"]);
    write(&checkout.join("script.sh"), b"#!/bin/no\n");
    git(&["init", "--quiet", "own"]);
    write(&checkout.join("own/file"), b"x\n");
    let ran = world.path("ran");
    write(&checkout.join(".gitattributes"), b"* filter=evil diff=evil\n");
    for (key, value) in
        [("core.fsmonitor", "touch"), ("filter.evil.clean", "touch"), ("diff.evil.textconv", "touch")]
    {
        let value = format!("{value} {}", ran.display());
        assert!(
            Command::new("git")
                .args(["-C"])
                .arg(checkout.join("node_modules"))
                .args(["config", key, &value])
                .status()
                .unwrap()
                .success()
        );
    }
    let name = "esc\x1b]0;title\x07\u{202e}";
    write(&checkout.join(name), "a\x1b[2J\u{9b}2J\x1b]52;c;aGk=\x07\u{202e}\nb".as_bytes());

    let begun = Instant::now();
    let measured = world.run(&["diff", "a"]);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(!measured.stdout.contains("the canary"), "{measured:?}");
    for words in ["`own` is a repository of its own", "`.gitignore` below the checkout is"] {
        assert!(measured.stderr.contains(words), "{words}: {}", measured.stderr);
    }
    let found = files(&world);
    for expected in [
        (".gitignore", "deleted"),
        ("README.md", "modified"),
        ("node_modules/tracked.js", "modified"),
        ("same.bin", "deleted"),
        ("script.sh", "modified"),
        ("src/deep", "untracked"),
        ("src/deep/code.rs", "deleted"),
        ("zeros", "untracked"),
        (name, "untracked"),
    ] {
        assert!(found.contains(&(expected.0.to_owned(), expected.1.to_owned())), "{expected:?} in {found:?}");
    }
    assert!(measured.ok().contains("+\x1b[2J") || !ran.exists());
    for line in ["diff a", "diff a --stat", "diff a --name-only", "diff a --format json"] {
        let terminal = Terminal::of(&world, &format!("NO_COLOR=1 clauderon {line}; echo left with $?"));
        eventually("it ends", Duration::from_secs(20), || terminal.shows("left with 0"));
        assert!(no_terminal(&terminal.text()), "{line}: {:?}", terminal.text());
    }
    let terminal = Terminal::of(&world, "clauderon diff a; echo left with $?");
    eventually("it ends", Duration::from_secs(20), || terminal.shows("left with 0"));
    let text = terminal.text();
    assert!(text.contains("\x1b[32m+a\\u{1b}[2J\\u{9b}2J\\u{1b}]52;c;aGk=\\u{7}\\u{202e}\x1b[m"), "{text:?}");
    assert!(!ran.exists(), "nothing of the agent's was run");
}
