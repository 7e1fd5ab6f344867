//! Takes a checkout out of the user's repository. Its branch stays, and so do the files of a shared working tree.

use std::path::Path;

use git2::Repository;

use super::super::beneath::Beneath;
use super::super::delete::delete;
use super::super::error::Error;
use super::super::record::Record;
use super::super::{parent, publish};
use super::{guard, registration};

/// What is done while the record is there still: the branch is remembered as the session's, and what was made for mounts
/// in the user's working tree is removed where it is empty.
pub fn before(record: &Record) -> Result<(), Error> {
    let repository = match parent::open(&record.parent) {
        Err(Error::NotARepository { .. }) => return Ok(()),
        other => other?,
    };
    let namespace = parent::namespace(&record.session)?;
    if let Some(tip) = parent::target(&repository, &format!("refs/heads/{}", record.branch))? {
        let published = parent::published(&namespace, &record.branch);
        let seen = parent::target(&repository, &published)?;
        if seen != Some(tip) {
            let set = publish::set(&repository, &published, seen, tip);
            set.map_err(Error::git(format!("write `{published}`")))?;
        }
    }
    let Some(tree) = &record.working_tree else { return Ok(()) };
    let tree = Beneath::open(tree)?;
    for path in record.made.iter().rev() {
        tree.remove_empty(path)?;
    }
    Ok(())
}

/// Takes away what the repository and we keep of the checkout. What is not there is no error.
pub fn unregister(repository: &Repository, directory: &Path, session: &str) -> Result<(), Error> {
    let common = parent::common_directory(repository)?;
    let own = registration(&common, session);
    for path in [own.clone(), own.with_extension("new"), guard(directory)] {
        delete(&path).map_err(Error::io("remove", &path))?;
    }
    // Others may have theirs in it.
    let _ = std::fs::remove_dir(common.join("worktrees"));
    Ok(())
}
