//! Pure. Credentials as they are written: identities that are lent to a session, whose values never enter it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Error;

use crate::manifest::form::{Form, Short, Word, word_from};
use crate::manifest::project::Access;
use crate::manifest::scalar::{Method, UrlPath};

/// What is lent under one name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// `true` or `false` in the short form.
    #[serde(skip)]
    pub switch: Option<bool>,
    /// Where its value comes from: `env:NAME` of whoever runs `up`, `file:PATH` or `file:PATH#/json/pointer`,
    /// `op://…`; in your own file also a command. Known credentials are searched for without it.
    #[schemars(extend("default" = null, "examples" = ["env:NPM_TOKEN", "file:~/.acme/login.json#/token"]))]
    pub from: Option<Form<From>>,
    /// The one host that it is sent to, under TLS, with its port where that is not 443. Known credentials have their own.
    #[schemars(extend("default" = null, "examples" = ["registry.acme.dev", "ghe.acme.dev:8443"]))]
    pub host: Option<String>,
    /// The header that carries it.
    #[schemars(extend("default" = "Authorization", "examples" = ["X-Api-Key"]))]
    pub header: Option<HeaderText>,
    /// The header's value, with `{}` for the credential's. `Basic USER:{}` is encoded.
    #[schemars(extend("default" = "Bearer {}", "examples" = ["{}", "Basic build:{}"]))]
    pub value: Option<Template>,
    /// Whether it is lent to requests that may change something. The short form.
    #[schemars(extend("default" = "read-write", "examples" = ["read-only"]))]
    pub access: Option<Word<Access>>,
    /// The methods of requests that it is lent to; without them, all that `access` leaves.
    #[schemars(extend("default" = null, "examples" = [["GET", "POST"]]))]
    pub methods: Option<Vec<Method>>,
    /// The paths of requests that it is lent to; `*` stands for anything within one segment, `**` for any number of segments.
    #[schemars(extend("default" = null, "examples" = [["/repos/acme/**"]]))]
    pub paths: Option<Vec<UrlPath>>,
    /// Variables of the container that hold its placeholder: one name or several. By default that of `from: env:NAME`;
    /// known credentials have their own. Of `anthropic`, `CLAUDE_CODE_OAUTH_TOKEN` or `ANTHROPIC_API_KEY` says which of
    /// the two its source gives.
    #[schemars(extend("default" = [], "examples" = ["NPM_TOKEN", ["NPM_TOKEN", "NODE_AUTH_TOKEN"]]))]
    pub environment: Option<Names>,
}

impl Short for Credential {
    fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({"type": "boolean"}), Access::json_schema(generator)]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self { access: Some(Word(word_from(text)?)), ..Self::default() })
    }

    fn from_switch<E: Error>(switch: bool) -> Result<Self, E> {
        Ok(Self { switch: Some(switch), ..Self::default() })
    }
}

/// What a source may be, as a person reads it.
const FROM_RULE: &str =
    "a source is `env:NAME`, `file:PATH`, `file:PATH#/json/pointer` or `op://VAULT/ITEM/FIELD`";

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CredentialSource")]
pub struct From {
    /// The short form.
    #[serde(skip)]
    pub text: String,
    /// A program and its arguments; its output is the value. Only in your own file: it runs on this machine.
    #[schemars(extend("examples" = [["pass", "show", "acme"]]))]
    pub command: Argv,
    /// Seconds that the command may take.
    #[schemars(extend("default" = 10, "examples" = [30]))]
    pub timeout: Option<Seconds>,
}

impl Short for From {
    fn schemas(_: &mut SchemaGenerator) -> Vec<Schema> {
        vec![json_schema!({
            "type": "string",
            "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:[^#]+(#(/.*)?)?|op://.+)$",
            "patternErrorMessage": FROM_RULE,
        })]
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        let env = text.strip_prefix("env:").is_some_and(is_variable);
        let file = text.strip_prefix("file:").is_some_and(|rest| {
            let (path, pointer) = rest.split_once('#').unwrap_or((rest, ""));
            !path.is_empty() && (pointer.is_empty() || pointer.starts_with('/')) && !rest.contains('\n')
        });
        let op = text.strip_prefix("op://").is_some_and(|rest| !rest.is_empty() && !rest.contains('\n'));
        if env || file || op {
            return Ok(Self { text: text.to_owned(), ..Self::default() });
        }
        Err(E::custom(FROM_RULE))
    }
}

/// A program and its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>")]
#[schemars(inline, extend("minItems" = 1))]
pub struct Argv(pub Vec<String>);

impl TryFrom<Vec<String>> for Argv {
    type Error = &'static str;

    fn try_from(argv: Vec<String>) -> Result<Self, Self::Error> {
        if argv.is_empty() { Err("a command has a program") } else { Ok(Self(argv)) }
    }
}

/// A number of seconds, ten minutes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u64")]
#[schemars(inline, extend("minimum" = 1, "maximum" = 600))]
pub struct Seconds(pub u64);

impl TryFrom<u64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        if (1..=600).contains(&seconds) { Ok(Self(seconds)) } else { Err("1 to 600 seconds") }
    }
}

/// What a header may be, as a person reads it.
const HEADER_RULE: &str = "a header has letters, digits and `-`, such as `X-Api-Key`";

/// A header's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("pattern" = "^[A-Za-z][A-Za-z0-9-]{0,63}$", "patternErrorMessage" = HEADER_RULE))]
pub struct HeaderText(pub String);

impl TryFrom<String> for HeaderText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let valid = letters && text.starts_with(|it: char| it.is_ascii_alphabetic()) && text.len() <= 64;
        if valid { Ok(Self(text)) } else { Err(HEADER_RULE) }
    }
}

/// What a template may be, as a person reads it.
const TEMPLATE_RULE: &str = "a value holds `{}` once, such as `Bearer {}`";

/// A header's value with a place for the credential's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("pattern" = "^[ -z|~]*\\{\\}[ -z|~]*$", "patternErrorMessage" = TEMPLATE_RULE))]
pub struct Template(pub String);

impl TryFrom<String> for Template {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |part: &str| part.bytes().all(|byte| matches!(byte, b' '..=b'z' | b'|' | b'~'));
        match text.split_once("{}") {
            Some((before, after)) if plain(before) && plain(after) => Ok(Self(text)),
            _ => Err(TEMPLATE_RULE),
        }
    }
}

/// What a variable may be, as a person reads it.
const VARIABLE_RULE: &str = "a variable has letters, digits and `_` and does not begin with a digit";

/// A variable's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("pattern" = "^[A-Za-z_][A-Za-z0-9_]*$", "patternErrorMessage" = VARIABLE_RULE))]
pub struct Variable(pub String);

impl TryFrom<String> for Variable {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_variable(&text) { Ok(Self(text)) } else { Err(VARIABLE_RULE) }
    }
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// One name or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Names {
    /// One.
    One(Variable),
    /// Several.
    Several(Vec<Variable>),
}

impl Names {
    /// All of them.
    pub fn all(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.0.clone()],
            Self::Several(names) => names.iter().map(|name| name.0.clone()).collect(),
        }
    }
}
