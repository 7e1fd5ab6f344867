//! Pure. What is run on this machine when a session needs a person.

use serde::{Deserialize, Serialize};

/// Programs with their arguments, by what has happened; empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// A session waits for a person.
    pub waiting: Vec<String>,
    /// A session has finished its turn.
    pub idle: Vec<String>,
    /// A session has ended.
    pub ended: Vec<String>,
    /// A session has failed, and is not started again.
    pub failed: Vec<String>,
    /// Seconds that a program may take.
    pub timeout: u64,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A session waits for a person.
    Waiting,
    /// A session has finished its turn.
    Idle,
    /// A session has ended.
    Ended,
    /// A session has failed, and is not started again.
    Failed,
}

impl Occasion {
    /// The word of the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Idle => "idle",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

impl Notify {
    /// What is run on an occasion; nothing where nothing is.
    pub fn on(&self, occasion: Occasion) -> Option<&[String]> {
        let argv = match occasion {
            Occasion::Waiting => &self.waiting,
            Occasion::Idle => &self.idle,
            Occasion::Ended => &self.ended,
            Occasion::Failed => &self.failed,
        };
        (!argv.is_empty()).then_some(argv)
    }
}
