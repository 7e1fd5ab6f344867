//! Pure. The way out of a container, as it is written: the network beside the proxy, and what may be done where.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Error;

use crate::manifest::form::{Form, Short, Word, word_from};
use crate::manifest::pattern;
use crate::manifest::project::{Access, Egress, HostAccess};
use crate::manifest::scalar::{Method, UrlPath};

/// How a container reaches the world.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Whether there is a network beside the proxy.
    #[schemars(extend("default" = "sealed", "examples" = ["open"]))]
    pub egress: Option<Word<Egress>>,
    /// A cap on every host but the model's: with `read-only`, requests that only read, and git's fetch.
    #[schemars(extend("default" = "read-write", "examples" = ["read-only"]))]
    pub access: Option<Word<Access>>,
    /// What may be done where, by host name; `*.acme.dev` is all below that name, `*` all that is not named.
    /// The most specific name wins, never the order; of a list any item may allow.
    #[schemars(extend("default" = {"*": true}, "examples" = [{"*": false, "packages.acme.dev": "read-only", "api.acme.lan": {"address": "10.0.0.5:8443"}}], "x-rule" = pattern::hosts()))]
    pub hosts: Option<BTreeMap<String, Option<Hosts>>>,
}

impl Short for Proxy {}

/// What is said of one name: one rule, or any of several.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Hosts {
    /// One.
    One(Form<Host>),
    /// Any of these.
    #[serde(deserialize_with = "some")]
    Any(#[schemars(length(min = 1))] Vec<Form<Host>>),
}

/// A list with something in it.
fn some<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Form<Host>>, D::Error> {
    let items = Vec::deserialize(deserializer)?;
    if items.is_empty() { Err(D::Error::custom("an empty list")) } else { Ok(items) }
}

/// What is said of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// `true` or `false` in the short form.
    #[serde(skip)]
    pub switch: Option<bool>,
    /// Whether requests may change something there; with `tunnel`, bytes pass that nobody looks at. The short form.
    #[schemars(extend("default" = "read-write", "examples" = ["read-only"]))]
    pub access: Option<Word<HostAccess>>,
    /// The methods that are allowed; without them, all that `access` leaves.
    #[schemars(extend("default" = null, "examples" = [["GET", "POST"]]))]
    pub methods: Option<Vec<Method>>,
    /// The paths that are allowed; `*` stands for anything within one segment, `**` for any number of segments.
    #[schemars(extend("default" = null, "examples" = [["/v1/search", "/repos/acme/**"]]))]
    pub paths: Option<Vec<UrlPath>>,
    /// The address to dial instead, `HOST:PORT`. Naming it permits a private destination.
    #[schemars(extend("default" = null, "examples" = ["10.0.0.5:8443"], "x-rule" = pattern::address()))]
    pub address: Option<String>,
    /// A PEM file, seen from the manifest, whose certificates are believed of this host too.
    #[schemars(extend("default" = null, "examples" = ["certs/acme.pem"], "x-rule" = pattern::host_path()))]
    pub ca: Option<String>,
}

impl Short for Host {
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"type": "boolean"}), HostAccess::json_schema(generator)]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self { access: Some(Word(word_from(text)?)), ..Self::default() })
    }

    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        Ok(Self { switch: Some(switch), ..Self::default() })
    }
}
