//! Pure. What a walk tells while it goes on.

use crate::plan::action::{Effect, SessionPlan, Step};

/// Who is told.
pub type Report<'a> = dyn Fn(Progress) + Send + Sync + 'a;

/// One piece of news of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The session.
    pub session: String,
    /// What is happening, one word.
    pub what: &'static str,
    /// Whether this is the session's last news, and a good one.
    pub end: Option<bool>,
}

impl Progress {
    /// A step has begun.
    pub fn doing(session: &SessionPlan, step: &Step) -> Self {
        let what = match step {
            Step::AwaitIdle => "Waiting until idle",
            Step::Serve => "Applying",
            Step::Checkout => "Checking out",
            Step::Prepare => "Preparing",
            Step::Create(_) => "Creating",
            Step::Rename(..) => "Renaming",
            Step::Start(_) => "Starting",
            Step::Stop(_) => "Stopping",
            Step::Import => "Importing",
            Step::Remove(_) => "Removing",
        };
        Self { session: session.session.clone(), what, end: None }
    }

    /// All steps have succeeded.
    pub fn done(session: &SessionPlan) -> Self {
        let what = match session.effect {
            Effect::Create | Effect::Start => "Started",
            Effect::Live => "Applied",
            Effect::Restart => "Restarted",
            Effect::Recreate => "Recreated",
            Effect::Destroy => "Removed",
        };
        Self { session: session.session.clone(), what, end: Some(true) }
    }

    /// A step has failed.
    pub fn failed(session: &SessionPlan) -> Self {
        Self { session: session.session.clone(), what: "Error", end: Some(false) }
    }
}

/// What a step is, as a verb in a sentence.
pub fn verb(step: &Step) -> &'static str {
    match step {
        Step::AwaitIdle => "wait until the agent is idle",
        Step::Serve => "apply what changed",
        Step::Checkout => "make the checkout",
        Step::Prepare => "prepare the session",
        Step::Create(_) => "create the container",
        Step::Rename(..) => "give the container its name",
        Step::Start(_) => "start the container",
        Step::Stop(_) => "stop the container",
        Step::Import => "import the commits",
        Step::Remove(_) => "remove the container",
    }
}
