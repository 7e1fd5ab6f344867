//! Checkouts of a real repository, made by the real code, and agents who work in them.

use clauderon::render::desired::Desired;
use clauderon::render::facts::CheckoutFacts;
use clauderon::worktree::checkout::Kind;
use clauderon::worktree::create::{CheckoutSpec, create};
use clauderon::worktree::import::{ImportSpec, import};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// A repository of one commit, and a home.
#[derive(Clone)]
pub struct Real {
    directory: Arc<tempfile::TempDir>,
}

#[track_caller]
fn git(directory: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "gc.auto=0"];
    let output = Command::new("git").args(identity).args(args).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Real {
    pub fn new() -> Self {
        let real = Self { directory: Arc::new(tempfile::tempdir().unwrap()) };
        std::fs::create_dir(real.parent()).unwrap();
        git(&real.parent(), &["init", "--quiet", "--initial-branch", "main"]);
        std::fs::write(real.parent().join("README.md"), "# A repository\n").unwrap();
        git(&real.parent(), &["add", "."]);
        git(&real.parent(), &["commit", "--quiet", "--message", "Begin"]);
        real
    }

    fn parent(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    /// The directory of a session, by its branch.
    fn session(&self, branch: &str) -> PathBuf {
        self.directory.path().join("sessions").join(branch.replace('/', "-"))
    }

    /// Makes a session's checkout.
    pub fn checkout(&self, desired: &Desired) -> CheckoutFacts {
        let branch = desired.session.repository.as_ref().unwrap().branch.clone();
        let directory = self.session(&branch).join("checkout");
        let fresh = !directory.exists();
        let (copy, excludes, base) = (Vec::new(), Vec::new(), None);
        let session = desired.id.clone();
        let (kind, parent) = (Kind::Clone, self.parent());
        let spec = CheckoutSpec { kind, parent, directory, session, base, branch, copy, excludes };
        let made = create(&spec).unwrap();
        CheckoutFacts { fresh, directory: made.directory, ..CheckoutFacts::default() }
    }

    /// Imports the commits of the session of this id.
    pub fn import(&self, id: &str) {
        let sessions = std::fs::read_dir(self.directory.path().join("sessions")).unwrap();
        for session in sessions.map(|entry| entry.unwrap().path()) {
            let record = std::fs::read_to_string(session.join("checkout.json")).unwrap();
            if !record.contains(id) {
                continue;
            }
            let name = session.file_name().unwrap().to_str().unwrap();
            let branch = name.replacen('-', "/", 1);
            let checkout = session.join("checkout");
            import(&ImportSpec { checkout, parent: self.parent(), session: id.to_owned(), branch }).unwrap();
        }
    }

    /// Each agent commits a file, leaves another alone, and writes of its conversation.
    pub fn work(&self, names: &[&str]) {
        for name in names {
            let session = self.session(&format!("clauderon/{name}"));
            let checkout = session.join("checkout");
            std::fs::write(checkout.join("done.txt"), name).unwrap();
            git(&checkout, &["add", "done.txt"]);
            git(&checkout, &["commit", "--quiet", "--message", "Work"]);
            std::fs::write(checkout.join("begun.txt"), name).unwrap();
            std::fs::write(session.join("transcript.jsonl"), name).unwrap();
        }
    }

    /// All that agents did is where it was.
    #[track_caller]
    pub fn assert_work_is_there(&self, names: &[&str]) {
        for name in names {
            let session = self.session(&format!("clauderon/{name}"));
            let checkout = session.join("checkout");
            for path in
                [checkout.join("done.txt"), checkout.join("begun.txt"), session.join("transcript.jsonl")]
            {
                assert_eq!(std::fs::read_to_string(&path).unwrap(), *name, "{}", path.display());
            }
            assert_eq!(git(&checkout, &["log", "-1", "--format=%s"]), "Work");
            assert_eq!(git(&checkout, &["status", "--porcelain"]), "?? begun.txt");
        }
    }

    /// All that they committed is in the user's repository too.
    #[track_caller]
    pub fn assert_work_was_imported(&self, names: &[&str]) {
        for name in names {
            let branch = format!("refs/heads/clauderon/{name}");
            assert_eq!(git(&self.parent(), &["log", "-1", "--format=%s", &branch]), "Work");
            git(&self.parent(), &["fsck", "--strict"]);
        }
    }
}
