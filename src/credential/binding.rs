//! Pure. Where a credential belongs: one host and port under TLS, the requests that its rules allow, one header.

use crate::manifest::project::{HostAccess, Rule};
use crate::proxy::judge::Asked;
use crate::proxy::rules::{Request, allows};
use hyper::header::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What every placeholder contains.
pub const MARK: &str = "clauderon-proxy";
/// What stands for the value in a template.
pub const SLOT: &str = "{}";
/// Methods that send a request's own headers back.
const ECHOING: [&str; 3] = ["TRACE", "TRACK", "DEBUG"];
/// A place where a credential belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The credential's name.
    pub credential: String,
    /// The host's name, in lower case.
    pub host: String,
    /// The host's port; the scheme is always `https`.
    pub port: u16,
    /// Each must allow the request.
    pub rules: Vec<Rule>,
    /// The header, in lower case.
    pub header: String,
    /// The header's value, with `{}` for the credential's.
    pub value: String,
    /// What stands for it inside the container.
    pub placeholders: Vec<String>,
    /// Where the manifest names it; empty where the agent implies it.
    pub place: String,
    /// Whether it is put where nothing stands.
    pub sets: bool,
}

/// How a request relates to a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It goes elsewhere.
    Elsewhere,
    /// It goes there, and a rule of the credential does not allow it.
    Forbidden,
    /// The credential belongs there.
    Here,
}

impl Binding {
    /// How a request relates to it.
    pub fn fit(&self, asked: &Asked<'_>) -> Fit {
        if !asked.secure || asked.host != self.host || asked.port != self.port {
            return Fit::Elsewhere;
        }
        let method = asked.method.as_str();
        let request = Request { host: asked.host, method, path: asked.path, query: asked.query };
        let limited = self.rules.iter().any(is_limited);
        let overridden = limited && asked.overriding().next().is_some();
        let allowed = self.rules.iter().all(|rule| allows(rule, &request));
        if ECHOING.iter().any(|echoing| method.eq_ignore_ascii_case(echoing)) || overridden || !allowed {
            return Fit::Forbidden;
        }
        Fit::Here
    }

    /// Whether nothing stands where the credential would: neither in its own header nor in `Authorization`.
    pub fn is_vacant(&self, headers: &HeaderMap) -> bool {
        !headers.contains_key(self.header.as_str()) && !headers.contains_key("authorization")
    }
}

fn is_limited(rule: &Rule) -> bool {
    rule.access != HostAccess::ReadWrite || rule.methods.is_some()
}

/// A header's value with a place for the credential's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text around it.
    Text(String, String),
    /// `Basic`, with it as the password of this user.
    Basic(Vec<u8>),
}

impl Shape {
    /// Reads a template. `Basic USER:{}` is encoded when it is filled.
    pub fn of(template: &str) -> Option<Self> {
        let (before, after) = template.split_once(SLOT)?;
        let basic = before.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        match basic.and_then(|(_, user)| user.strip_suffix(':')) {
            Some(user) if after.is_empty() => Some(Self::Basic(user.as_bytes().to_vec())),
            _ => Some(Self::Text(before.to_owned(), after.to_owned())),
        }
    }

    /// The header's value; `None` where no header can hold it.
    pub fn fill(&self, value: &Secret<String>) -> Option<HeaderValue> {
        let text = match self {
            Self::Text(before, after) => format!("{before}{}{after}", value.expose()),
            Self::Basic(user) => {
                let pair = [user.as_slice(), b":", value.expose().as_bytes()].concat();
                format!("Basic {}", STANDARD.encode(pair))
            }
        };
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}
