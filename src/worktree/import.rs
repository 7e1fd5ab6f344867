//! Brings the commits of a session's checkout into the user's repository. The checkout is a hostile agent's work:
//! its `.git` is never opened as a repository; refs and objects are read as bytes and checked before they are let in.

use std::path::PathBuf;

use git2::{Oid, Repository};

use super::beneath::Beneath;
use super::error::Error;
use super::locks::{self, Moving};
use super::parent;
use super::publish::{Outcome, publish, set};
use super::quarantine::Quarantine;
use super::record::moving;
use super::refs::{Head, Refs};
use super::transfer::{Refusal, Transfer};

/// Where commits are held that the checkout replaced.
pub const REPLACED: &str = "replaced/";
/// An agent can replace commits without end.
const MAX_REPLACED: usize = 1000;

/// What is imported, and to where.
#[derive(Clone, Debug)]
pub struct ImportSpec {
    /// The checkout's directory.
    pub checkout: PathBuf,
    /// A path in the user's repository.
    pub parent: PathBuf,
    /// The session's id.
    pub session: String,
    /// The session's branch; others of the agent's are kept in the session's own namespace alone.
    pub branch: String,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Refs of the user's repository that moved.
    pub moved: Vec<Moved>,
    /// What could not be moved as it should.
    pub conflicts: Vec<Conflict>,
}

/// A ref that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its full name.
    pub name: String,
    /// Where it was; `None` when it is new.
    pub old: Option<String>,
    /// Where it is.
    pub new: String,
    /// How many commits that brought.
    pub commits: usize,
}

/// A tip that is not where it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The ref that did not move.
    pub name: String,
    /// The commit that it should be at.
    pub tip: String,
    /// Why it did not.
    pub reason: String,
    /// The ref that keeps the commit; `None` when the commit was not let in and is in the checkout alone.
    pub kept: Option<String>,
}

struct Tip {
    id: Oid,
    /// The ref of the session's namespace that keeps it.
    keep: String,
    kept: Option<Oid>,
    /// Whether it is the session's branch.
    main: bool,
}

struct Import<'a> {
    spec: &'a ImportSpec,
    repository: Repository,
    namespace: String,
    base: Option<Oid>,
    imported: Imported,
}

/// Imports what is new. Nothing new is nothing done.
pub fn import(spec: &ImportSpec) -> Result<Imported, Error> {
    let namespace = parent::namespace(&spec.session)?;
    let root = Beneath::open(&spec.checkout)?;
    let refs = Refs::read(&root)?;
    let repository = parent::open(&spec.parent)?;
    locks::sweep(&repository, &namespace);
    Moving::recover(&moving(&spec.checkout), &repository)?;
    let base = parent::target(&repository, &format!("{namespace}base"))?;
    let mut import = Import { spec, repository, namespace, base, imported: Imported::default() };
    let tips = import.tips(&refs)?;
    let taken = import.transfer(&root, &tips)?;
    for (tip, taken) in tips.iter().zip(taken) {
        match taken {
            Ok(()) => import.settle(tip)?,
            Err(refusal) => import.refuse(tip, refusal.to_string()),
        }
    }
    Ok(import.imported)
}

impl Import<'_> {
    fn tips(&self, refs: &Refs) -> Result<Vec<Tip>, Error> {
        let branches =
            refs.branches().map(|(name, id)| (format!("heads/{name}"), id, name == self.spec.branch));
        let detached = match refs.head {
            Head::Detached(id) if !refs.targets.values().any(|target| *target == id) => Some(id),
            _ => None,
        };
        let named = branches.chain(detached.map(|id| ("detached".to_owned(), id, false)));
        let mut tips = Vec::new();
        for (name, id, main) in named {
            let keep = format!("{}{name}", self.namespace);
            let kept = parent::target(&self.repository, &keep)?;
            if kept.is_some() || self.base != Some(id) {
                tips.push(Tip { id, keep, kept, main });
            }
        }
        Ok(tips)
    }

    /// Brings the objects of the tips that moved.
    fn transfer(&self, root: &Beneath, tips: &[Tip]) -> Result<Vec<Result<(), Refusal>>, Error> {
        if tips.iter().all(|tip| tip.kept == Some(tip.id)) {
            return Ok(tips.iter().map(|_| Ok(())).collect());
        }
        let objects = self.repository.odb().map_err(Error::git("open the repository's objects"))?;
        let mut quarantine = Quarantine::new(root, &self.spec.checkout)?;
        let mut transfer = Transfer::into_parent(&mut quarantine, &objects);
        tips.iter()
            .map(|tip| match transfer.commit(tip.id) {
                Err(Refusal::Failed(error)) => Err(error),
                taken => Ok(taken),
            })
            .collect()
    }

    fn refuse(&mut self, tip: &Tip, reason: String) {
        let (name, tip) = (self.name(tip), tip.id.to_string());
        self.imported.conflicts.push(Conflict { name, tip, reason, kept: None });
    }

    fn name(&self, tip: &Tip) -> String {
        if tip.main { format!("refs/heads/{}", self.spec.branch) } else { tip.keep.clone() }
    }

    /// Moves the refs of a tip whose objects are there. The commit is kept before the branch is touched.
    fn settle(&mut self, tip: &Tip) -> Result<(), Error> {
        let kept = self.keep(tip)?;
        self.hold_replaced(tip)?;
        if !tip.main {
            if tip.kept != Some(tip.id) {
                self.moved(kept, tip.kept, tip.id)?;
            }
            return Ok(());
        }
        let common = parent::common_directory(&self.repository)?;
        let published = parent::published(&self.namespace, &self.spec.branch);
        let name = self.name(tip);
        let _moving = Moving::begin(&moving(&self.spec.checkout), &name)?;
        match publish(&self.repository, &common, &self.spec.branch, &published, tip.id)? {
            Outcome::Unchanged => Ok(()),
            Outcome::Moved(old) => self.moved(name, old, tip.id),
            Outcome::Conflict(reason) => {
                let tip = tip.id.to_string();
                self.imported.conflicts.push(Conflict { name, tip, reason, kept: Some(kept) });
                Ok(())
            }
        }
    }

    /// Keeps a tip under its own name, or under its id where that name is blocked by another.
    fn keep(&self, tip: &Tip) -> Result<String, Error> {
        if tip.kept == Some(tip.id) || set(&self.repository, &tip.keep, tip.kept, tip.id).is_ok() {
            return Ok(tip.keep.clone());
        }
        let name = format!("{}kept/{}", self.namespace, tip.id);
        let seen = parent::target(&self.repository, &name)?;
        set(&self.repository, &name, seen, tip.id).map_err(Error::git(format!("write `{name}`")))?;
        Ok(name)
    }

    /// What was imported may be borrowed since, and named by a tag, a stash or a log of the checkout alone: as long as the
    /// checkout is there, what replaces it does not have it collected.
    fn hold_replaced(&self, tip: &Tip) -> Result<(), Error> {
        let Some(old) = tip.kept.filter(|old| *old != tip.id) else { return Ok(()) };
        let failed = || Error::git("hold what was replaced");
        if self.repository.graph_descendant_of(tip.id, old).map_err(failed())? {
            return Ok(());
        }
        let held = format!("{}{REPLACED}", self.namespace);
        if self.repository.references_glob(&format!("{held}*")).map_err(failed())?.count() >= MAX_REPLACED {
            return Ok(());
        }
        let name = format!("{held}{old}");
        let seen = parent::target(&self.repository, &name)?;
        set(&self.repository, &name, seen, old).map_err(failed())
    }

    fn moved(&mut self, name: String, old: Option<Oid>, new: Oid) -> Result<(), Error> {
        let commits = self.count(old.or(self.base), new)?;
        let old = old.map(|id| id.to_string());
        self.imported.moved.push(Moved { name, old, new: new.to_string(), commits });
        Ok(())
    }

    fn count(&self, old: Option<Oid>, new: Oid) -> Result<usize, Error> {
        let counted = || -> Result<usize, git2::Error> {
            if let Some(old) = old {
                return Ok(self.repository.graph_ahead_behind(new, old)?.0);
            }
            let mut walk = self.repository.revwalk()?;
            walk.push(new)?;
            Ok(walk.count())
        };
        counted().map_err(Error::git("count the imported commits"))
    }
}
