//! Checkouts on real repositories: what works, what is lost, and what a hostile agent does not reach.

mod attacks;
mod clones;
mod good;
mod hostile;
mod killed;
mod linked;
mod losses;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clauderon::worktree::checkout::{Checkout, Kind};
use clauderon::worktree::create::{CheckoutSpec, create};
use clauderon::worktree::error::Error;
use clauderon::worktree::import::{ImportSpec, Imported, import};
use clauderon::worktree::lost::{Loss, would_be_lost};
use tempfile::TempDir;

const BRANCH: &str = "clauderon/login";
const SESSION: &str = "0193-aa";

/// A user's repository with two commits, and room for a session's checkout.
struct World {
    directory: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self::empty();
        world.write_user("a.txt", "one\n");
        world.write_user("src/b.txt", "two\n");
        world.write_user(".gitignore", "*.log\n.claude/\nignored/\n");
        world.user(&["add", "."]);
        world.user(&["commit", "-qm", "first"]);
        world.write_user("a.txt", "one more\n");
        world.user(&["commit", "-qam", "second"]);
        world
    }

    /// A user's repository without a commit.
    fn empty() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(directory.path().join("user")).expect("created");
        std::fs::create_dir_all(directory.path().join("session")).expect("created");
        let world = Self { directory };
        world.user(&["init", "-q", "-b", "main"]);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().expect("there").join(name)
    }

    fn parent(&self) -> PathBuf {
        self.path("user")
    }

    fn checkout(&self) -> PathBuf {
        self.path("session/checkout")
    }

    fn user(&self, arguments: &[&str]) -> String {
        git(&self.parent(), arguments)
    }

    fn agent(&self, arguments: &[&str]) -> String {
        git(&self.checkout(), arguments)
    }

    fn write_user(&self, name: &str, content: &str) {
        write(&self.parent().join(name), content);
    }

    fn write_agent(&self, name: &str, content: &str) {
        write(&self.checkout().join(name), content);
    }

    /// The agent writes a file and commits it.
    fn work(&self, name: &str, content: &str) -> String {
        self.write_agent(name, content);
        self.agent(&["add", "."]);
        self.agent(&["commit", "-qm", &format!("write {name}")]);
        self.agent(&["rev-parse", "HEAD"])
    }

    fn spec(&self) -> CheckoutSpec {
        CheckoutSpec {
            kind: Kind::Clone,
            parent: self.parent(),
            directory: self.checkout(),
            session: SESSION.to_owned(),
            base: None,
            branch: BRANCH.to_owned(),
            copy: vec![],
            excludes: vec!["/.claude/projects/".to_owned(), "/.claude.json".to_owned()],
        }
    }

    fn create(&self) -> Checkout {
        create(&self.spec()).expect("a checkout")
    }

    fn try_import(&self) -> Result<Imported, Error> {
        import(&ImportSpec {
            checkout: self.checkout(),
            parent: self.parent(),
            session: SESSION.to_owned(),
            branch: BRANCH.to_owned(),
        })
    }

    fn import(&self) -> Imported {
        let imported = self.try_import().expect("an import");
        self.user(&["fsck", "--strict", "--connectivity-only"]);
        imported
    }

    fn lost(&self) -> Vec<Loss> {
        would_be_lost(&self.checkout(), &self.parent(), SESSION).expect("a list")
    }

    /// What a ref of the user's is at.
    fn at(&self, name: &str) -> Option<String> {
        let output =
            command(&self.parent(), &["rev-parse", "-q", "--verify", name]).output().expect("git runs");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn branch(&self) -> Option<String> {
        self.at(&format!("refs/heads/{BRANCH}"))
    }

    /// A script that leaves a mark when it runs, and the mark.
    fn canary(&self) -> (String, PathBuf) {
        let (script, mark) = (self.path("canary.sh"), self.path("canary-ran"));
        write(&script, &format!("#!/bin/sh\ntouch '{}'\ncat\n", mark.display()));
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("set");
        (script.display().to_string(), mark)
    }
}

fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
    std::fs::write(path, content).expect("written");
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(directory).args(arguments);
    for (name, value) in [("NAME", "a"), ("EMAIL", "a@b.example")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = command(directory, arguments).output().expect("git runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}
