//! Pure. What a session may spend, and how long it may last.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a session may ask of its model; a limit that is not there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Budget {
    /// Tokens, those of the input and of the output together.
    pub tokens: Option<u64>,
    /// Requests.
    pub requests: Option<u64>,
    /// When it begins anew.
    pub per: Period,
}

impl Budget {
    /// Whether it limits anything.
    pub fn limits(&self) -> bool {
        self.tokens.is_some() || self.requests.is_some()
    }
}

/// When a budget begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Period {
    /// With each conversation.
    #[default]
    Conversation,
    /// At midnight, by this machine's clock.
    Day,
}

impl Period {
    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Day => "day",
        }
    }
}

/// How long a session may last, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Timeout {
    /// From its start on.
    pub run: Option<u64>,
    /// Without a sign of its agent.
    pub idle: Option<u64>,
}
