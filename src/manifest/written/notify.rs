//! Pure. What is run on this machine when a session needs a person, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::credential::{Argv, Seconds};

/// Programs by what has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// A session waits: for a permission, an answer, a credential or a budget.
    #[schemars(extend("default" = null, "examples" = [["notify-send", "an agent waits"]]))]
    pub waiting: Option<Argv>,
    /// A session has finished its turn.
    #[schemars(extend("default" = null, "examples" = [["notify-send", "an agent is done"]]))]
    pub idle: Option<Argv>,
    /// A session has ended.
    #[schemars(extend("default" = null, "examples" = [["notify-send", "an agent has ended"]]))]
    pub ended: Option<Argv>,
    /// A session has failed, and is not started again.
    #[schemars(extend("default" = null, "examples" = [["notify-send", "-u", "critical", "an agent has failed"]]))]
    pub failed: Option<Argv>,
    /// Seconds that a program may take.
    #[schemars(extend("default" = 10, "examples" = [30]))]
    pub timeout: Option<Seconds>,
}
