//! Pure. The container around an agent, as it is written: its image's build, caches, variables, mounts, limits, ways out.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Error;

use crate::manifest::form::{Short, Word};
use crate::manifest::pattern;
use crate::manifest::project::CacheScope;
use crate::manifest::scalar::{Cpus, Pids, Size};
use crate::manifest::settle::LEAST_MEMORY;

/// An image build, in compose's words.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The directory that is sent to the engine, seen from the manifest; a `.dockerignore` keeps files at home.
    #[schemars(extend("default" = ".", "examples" = ["./images"], "x-rule" = pattern::host_path()))]
    pub context: Option<String>,
    /// The Dockerfile, relative to the context.
    #[schemars(extend("default" = "Dockerfile", "examples" = ["agent.Dockerfile"], "x-rule" = pattern::inner_path()))]
    pub dockerfile: Option<String>,
    /// The stage to stop at.
    #[schemars(extend("default" = null, "examples" = ["dev"]))]
    pub target: Option<String>,
    /// Build arguments: a map, or a list of `NAME=VALUE`.
    #[schemars(extend("default" = {}, "examples" = [{"NODE": "22"}], "x-rule" = pattern::variables()))]
    pub args: Option<Pairs>,
}

impl Short for Build {}

/// A cache volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// `true` or `false` in the short form.
    #[serde(skip)]
    pub switch: Option<bool>,
    /// Where, absolute in the container. The known caches have their own.
    #[schemars(extend("default" = null, "examples" = ["/workspace/.next/cache"], "x-rule" = pattern::container_path()))]
    pub path: Option<String>,
    /// Who shares it.
    #[schemars(extend("default" = "shared", "examples" = ["session"]))]
    pub scope: Option<Word<CacheScope>>,
}

impl Short for Cache {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"type": "boolean"})]
    }

    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        Ok(Self { switch: Some(switch), ..Self::default() })
    }
}

/// Names with values: a map, or a list of `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Pairs {
    /// Values by name; numbers and booleans are taken as they are written.
    Map(#[schemars(with = "BTreeMap<String, Spelled>")] BTreeMap<String, String>),
    /// `NAME=VALUE` each.
    List(Vec<String>),
}

/// Text, or a number or boolean that is taken as it is written.
#[derive(JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("type" = ["string", "number", "boolean"]))]
pub struct Spelled(#[expect(dead_code, reason = "only its schema is used")] serde_json::Value);

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// A path of the host, seen from the manifest, or the name of a volume.
    #[schemars(extend("examples" = ["./fixtures"], "x-rule" = pattern::volume_source()))]
    pub source: String,
    /// Where, absolute in the container.
    #[schemars(extend("examples" = ["/fixtures"], "x-rule" = pattern::container_path()))]
    pub target: String,
    /// Whether the container may not write.
    #[schemars(extend("default" = false, "examples" = [true]))]
    pub read_only: Option<bool>,
}

impl Short for Volume {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({
            "type": "string",
            "pattern": "^[^:]+:[^:]+(:(ro|rw))?$",
            "patternErrorMessage": VOLUME_RULE,
            "x-rule": pattern::volume(),
        })]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, read_only) = match parts.as_slice() {
            [source, target] => (source, target, None),
            [source, target, "ro"] => (source, target, Some(true)),
            [source, target, "rw"] => (source, target, Some(false)),
            _ => return Err(E::custom(VOLUME_RULE)),
        };
        if source.is_empty() || target.is_empty() {
            return Err(E::custom(VOLUME_RULE));
        }
        Ok(Self { source: (*source).to_owned(), target: (*target).to_owned(), read_only })
    }
}

/// What the short form of a volume may be, as a person reads it.
const VOLUME_RULE: &str = "a volume is `SOURCE:TARGET` or `SOURCE:TARGET:ro`";

/// Limits of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Processors; fractions are allowed. Without it, no limit.
    #[schemars(extend("default" = null, "examples" = [1.5]))]
    pub cpus: Option<Cpus>,
    /// Memory: bytes, or a number with `k`, `m`, `g` or `t` (powers of 1024). Without it, no limit.
    #[schemars(extend("default" = null, "examples" = ["4GiB"], "x-rule" = {"minimum": LEAST_MEMORY}))]
    pub memory: Option<Size>,
    /// Processes and threads.
    #[schemars(extend("default" = 1024, "examples" = [4096]))]
    pub pids: Option<Pids>,
}

impl Short for Resources {}
