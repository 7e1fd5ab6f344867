//! Pure. The agent, its prompt and its repository, as they are written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Error;

use super::container::Spelled;
use crate::manifest::form::{Short, Word, word_from};
use crate::manifest::pattern;
use crate::manifest::project::{AgentKind, Checkout};
use crate::manifest::scalar::PromptText;

/// The agent of a session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Which program.
    #[schemars(extend("default" = "claude", "examples" = ["codex"]))]
    pub kind: Option<Word<AgentKind>>,
    /// The model, in the agent's own words.
    #[schemars(extend("default" = null, "examples" = ["opus"]))]
    pub model: Option<String>,
    /// Arguments to the agent after clauderon's own, verbatim.
    #[schemars(extend("default" = [], "examples" = [["--effort", "high"]]))]
    #[schemars(with = "Option<Vec<Spelled>>")]
    pub args: Option<Vec<String>>,
}

impl Short for Agent {
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
        vec![AgentKind::json_schema(generator)]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self { kind: Some(Word(word_from(text)?)), ..Self::default() })
    }
}

/// A prompt: its text or the file that holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-rule" = pattern::exclude("text", "file")))]
pub struct Prompt {
    /// The text itself; excludes `file`.
    #[schemars(extend("default" = null, "examples" = ["Make the tests pass"]))]
    pub text: Option<PromptText>,
    /// A file that holds the text, seen from the manifest; excludes `text`.
    #[schemars(extend("default" = null, "examples" = ["prompts/review.md"], "x-rule" = pattern::host_path()))]
    pub file: Option<String>,
}

impl Short for Prompt {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"type": "string", "minLength": 1})]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        let text = PromptText::try_from(text.to_owned()).map_err(E::custom)?;
        Ok(Self { text: Some(text), file: None })
    }
}

/// The repository behind a checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// `false` in the short form.
    #[serde(skip)]
    pub off: bool,
    /// A path inside the repository, seen from the manifest.
    #[schemars(extend("default" = ".", "examples" = ["../shop"], "x-rule" = pattern::host_path()))]
    pub path: Option<String>,
    /// The revision that a new branch starts at; without it, HEAD.
    #[schemars(extend("default" = "HEAD", "examples" = ["main"], "x-rule" = pattern::revision()))]
    pub base: Option<String>,
    /// The branch the agent works on. To one that ends in `/`, the session's name is added.
    #[schemars(extend("default" = "clauderon/", "examples" = ["agents/"], "x-rule" = pattern::branch()))]
    pub branch: Option<String>,
    /// How the checkout is made. With `worktree` and `shared` the agent can rewrite and delete the repository's history,
    /// and `up` asks about it; `shared` begins at what is checked out, and leaves `base` and `copy` aside.
    #[schemars(extend("default" = "clone", "examples" = ["worktree"]))]
    pub checkout: Option<Word<Checkout>>,
    /// Ignored files to bring along, relative to the repository's root.
    #[schemars(extend("default" = [], "examples" = [[".env.example"]], "x-rule" = pattern::copied()))]
    pub copy: Option<Vec<String>>,
}

impl Short for Repository {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"type": "string", "x-rule": pattern::host_path()}), json_schema!({"const": false})]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self { path: Some(text.to_owned()), ..Self::default() })
    }

    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        if switch {
            Err(E::custom("`true` names no repository"))
        } else {
            Ok(Self { off: true, ..Self::default() })
        }
    }
}
