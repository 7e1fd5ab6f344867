//! What applying a plan needs beside the backend: checkouts, files, the daemon. A trait, so that a plan can be
//! walked in tests without any of them.

use crate::error::Error;
use crate::plan::action::SessionPlan;
use crate::render::desired::Desired;
use crate::render::facts::{CheckoutFacts, SessionFacts};
use futures_util::future::BoxFuture;

/// The ground that containers stand on.
pub trait Ground: Send + Sync {
    /// Makes a session's checkout, or adopts the one that is there.
    fn checkout<'a>(&'a self, desired: &'a Desired) -> BoxFuture<'a, Result<CheckoutFacts, Error>>;

    /// Writes what the container is shown, and has the daemon serve the session.
    fn prepare<'a>(
        &'a self,
        desired: &'a Desired,
        checkout: CheckoutFacts,
        conversation: u32,
    ) -> BoxFuture<'a, Result<SessionFacts, Error>>;

    /// Waits until the session's agent is in the middle of nothing.
    fn idle<'a>(&'a self, session: &'a SessionPlan) -> BoxFuture<'a, Result<(), Error>>;

    /// Hears that the steps of a session are over, well or not.
    fn over(&self, _session: &SessionPlan) {}

    /// Has the daemon go by what the manifest says now.
    fn serve<'a>(&'a self, desired: &'a Desired) -> BoxFuture<'a, Result<(), Error>>;

    /// Says that a session's container is about to be ended because the user wants it so. A daemon that does not hear it
    /// takes the end for somebody else's, and leaves the session alone too.
    fn ends<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    /// Brings a session's commits into the user's repository.
    fn import<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>>;

    /// Whether the volume that bears this mark was given to the user, as far as is remembered.
    fn given(&self, mark: &str) -> bool;

    /// Remembers that the volumes that bear these marks were given to the user.
    fn give<'a>(&'a self, marks: &'a [String]) -> BoxFuture<'a, Result<(), Error>>;
}
