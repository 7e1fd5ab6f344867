//! `down --checkouts`: every checkout is judged before any is removed.

use super::{loss, output, shown};
use crate::daemon::record::Record;
use crate::error::{Error, Kind};
use crate::manifest::project;
use crate::worktree;
use crate::worktree::lost::Loss;
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// A session's checkout, and what becomes of it.
pub struct Checkout {
    session: String,
    path: String,
    removed: bool,
    /// What it holds that is nowhere else.
    losses: Vec<Loss>,
    /// Why that could not be told.
    failure: Option<worktree::error::Error>,
}

/// Judges what the removal of the sessions' checkouts would lose. Where there is none, there is nothing to judge.
pub async fn judge(records: &[Record]) -> Result<Vec<Checkout>, Error> {
    let mut checkouts = Vec::new();
    for record in records {
        if let Some(path) = loss::place(record) {
            let (losses, failure) = match blocking(record, loss::losses).await? {
                Ok(losses) => (losses, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            let (session, path) = (record.session.clone(), path.display().to_string());
            checkouts.push(Checkout { session, path, removed: false, losses, failure });
        }
    }
    Ok(checkouts)
}

/// Removes the checkouts where none of them holds what is nowhere else, or that is agreed to.
pub async fn remove(records: &[Record], checkouts: &mut [Checkout], force: bool) -> Result<(), Error> {
    if !force {
        refuse(checkouts)?;
    }
    for checkout in checkouts {
        let Some(record) = records.iter().find(|record| record.session == checkout.session) else { continue };
        let done = blocking(record, loss::remove_checkout).await?;
        done.map_err(|error| failed(&record.session, "removed", &error))?;
        checkout.removed = true;
        output::say(&match record.kind {
            project::Checkout::Shared => {
                format!(" Checkout of {} ended: your working tree stays", record.session)
            }
            _ => format!(" Checkout of {} removed", record.session),
        });
    }
    // Of one whose removal was broken off, only what the user's repository has of it may be left.
    for record in records.iter().filter(|record| loss::place(record).is_none()) {
        let done = blocking(record, loss::remove_checkout).await?;
        done.map_err(|error| failed(&record.session, "removed", &error))?;
    }
    Ok(())
}

fn refuse(checkouts: &[Checkout]) -> Result<(), Error> {
    let mut list = String::new();
    for checkout in checkouts {
        if let Some(error) = &checkout.failure {
            let failed = failed(&checkout.session, "looked at", error);
            return Err(failed.hint("`--force` removes it with all that it holds"));
        }
        list.push_str(&shown::losses(&checkout.losses, &format!("  {}: ", checkout.session)));
    }
    if list.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, format!("the checkouts hold what is nowhere else:{list}"))
        .hint("commit it in the checkout and run `clauderon pull`, or agree to lose it with `--force`"))
}

fn failed(session: &str, what: &str, error: &worktree::error::Error) -> Error {
    let failed = Error::failed(format!("session `{session}`: the checkout could not be {what}"));
    let failed = failed.because(error.words());
    match error.hint() {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

async fn blocking<T: Send + 'static>(
    record: &Record,
    act: fn(&Record) -> Result<T, worktree::error::Error>,
) -> Result<Result<T, worktree::error::Error>, Error> {
    let record = record.clone();
    let done = tokio::task::spawn_blocking(move || act(&record)).await;
    done.map_err(|error| Error::failed("a task ended early").because(error))
}

impl Serialize for Checkout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (losses, more) = shown::json(&self.losses);
        let mut fields = serializer.serialize_struct("Checkout", 6)?;
        fields.serialize_field("session", &self.session)?;
        fields.serialize_field("checkout", &self.path)?;
        fields.serialize_field("removed", &self.removed)?;
        fields.serialize_field("losses", &losses)?;
        fields.serialize_field("more", &more)?;
        fields.serialize_field("error", &self.failure.as_ref().map(worktree::error::Error::words))?;
        fields.end()
    }
}
