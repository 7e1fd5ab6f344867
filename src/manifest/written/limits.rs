//! Pure. What a session may spend and how long it may last, as it is written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Error;

use crate::manifest::form::{Short, Word};
use crate::manifest::project::Period;
use crate::manifest::span::{Amount, Span};

/// What a session may ask of its model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// `false` in the short form.
    #[serde(skip)]
    pub off: bool,
    /// Tokens of all answers: input, what is written to and read from the provider's cache included, and output.
    #[schemars(extend("default" = null, "examples" = [2_000_000]))]
    pub tokens: Option<Amount>,
    /// Requests to the model.
    #[schemars(extend("default" = null, "examples" = [5000]))]
    pub requests: Option<Amount>,
    /// When it begins anew.
    #[schemars(extend("default" = "conversation", "examples" = ["day"]))]
    pub per: Option<Word<Period>>,
}

impl Short for Budget {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"const": false})]
    }

    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        if switch {
            Err(E::custom("`true` names no limit"))
        } else {
            Ok(Self { off: true, ..Self::default() })
        }
    }
}

/// How long a session may last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeout {
    /// `false` in the short form.
    #[serde(skip)]
    pub off: bool,
    /// From its start on, with all that it works and rests; new starts by `restart` count on.
    #[schemars(extend("default" = null, "examples" = ["2h"]))]
    pub run: Option<Span>,
    /// Without an event of the agent or a request to its model. An agent in the middle of a turn is not idle.
    #[schemars(extend("default" = null, "examples" = ["30m"]))]
    pub idle: Option<Span>,
}

impl Short for Timeout {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"const": false})]
    }

    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        if switch {
            Err(E::custom("`true` names no time"))
        } else {
            Ok(Self { off: true, ..Self::default() })
        }
    }
}
