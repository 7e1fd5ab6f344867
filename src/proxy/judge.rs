//! Pure. The seam between the wire and the policies: what is asked about each request, and what may be said of it.

use super::denials::Rule;
use crate::secret::Secret;
use futures_util::future::BoxFuture;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use std::fmt;
use std::sync::Arc;

/// A request, as a policy sees it: where it goes is settled, TLS name, CONNECT and Host agree.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whether it travels under TLS.
    pub secure: bool,
    /// The destination's name, in lower case, or its address.
    pub host: &'a str,
    /// The destination's port.
    pub port: u16,
    /// The method. CONNECT is asked before anything is read of what travels inside.
    pub method: &'a Method,
    /// The path, as it was sent; empty for CONNECT.
    pub path: &'a str,
    /// The query, as it was sent.
    pub query: Option<&'a str>,
    /// The headers, as they were sent.
    pub headers: &'a HeaderMap,
}

/// Headers that many servers take for the method, whatever the request's own is.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// The headers that name a method.
pub(super) fn overriding(headers: &HeaderMap) -> HeaderMap {
    let mut found = HeaderMap::new();
    for name in OVERRIDES {
        for value in headers.get_all(name) {
            found.append(name, value.clone());
        }
    }
    found
}

impl<'a> Asked<'a> {
    /// The methods that headers name beside the request's own. What is no text fits no rule that names any.
    pub fn overriding(&self) -> impl Iterator<Item = String> + use<'a> {
        let headers = self.headers;
        let values = OVERRIDES.iter().flat_map(move |name| headers.get_all(*name));
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_uppercase())
    }
}

/// What is said of a request.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Let it pass as it is.
    Pass,
    /// Let what follows a CONNECT pass unread. Said of another request, let it pass.
    Tunnel,
    /// Let it pass with these headers set.
    Inject(Injection),
    /// Let it pass with a credential, whose value is asked for just before.
    Lend(Loan),
    /// Answer instead of the destination.
    Refuse(Refusal),
}

/// Headers to set. For CONNECT there is nothing to set them on.
#[derive(Clone, Debug)]
pub struct Injection {
    /// The credential's name, for the audit log.
    pub credential: String,
    /// Each replaces all that the request has of its name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// A credential that is lent to one request.
#[derive(Clone)]
pub struct Loan {
    /// The credential's name, for the audit log.
    pub credential: String,
    /// Who knows its value.
    pub lender: Arc<dyn Lend>,
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").field("credential", &self.credential).finish_non_exhaustive()
    }
}

/// A value as it goes out.
#[derive(Clone, Debug)]
pub struct Lent {
    /// Each replaces all that the request has of its name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The value itself, so that the next one can be told from it.
    pub value: Secret<String>,
}

/// Knows a credential's value.
pub trait Lend: Send + Sync {
    /// The value now, or why there is none.
    fn lend(&self) -> BoxFuture<'static, Result<Lent, Refusal>>;

    /// Another value than one that was answered 401, where there is one.
    fn again(&self, rejected: Lent) -> BoxFuture<'static, Option<Lent>>;
}

/// An answer instead of the destination's.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Why, for the audit log.
    pub reason: String,
    /// What the caller reads: which rule, and where to change it.
    pub words: String,
    /// What sort of text that is.
    pub content_type: &'static str,
    /// The manifest's rule, where it was one.
    pub rule: Option<Rule>,
}

impl Refusal {
    /// A refusal in plain words.
    pub fn plain(status: StatusCode, reason: impl Into<String>, words: impl Into<String>) -> Self {
        let (reason, words) = (reason.into(), words.into());
        Self { status, reason, words, content_type: "text/plain; charset=utf-8", rule: None }
    }

    /// The same, since it breaks this rule.
    #[must_use]
    pub fn of(self, rule: Rule) -> Self {
        Self { rule: Some(rule), ..self }
    }
}

/// Sees one exchange go by. It is dropped when the exchange is over. What follows a granted `WebSocket` is not shown.
pub trait Observer: Send + Sync {
    /// The request is about to be sent.
    fn begins(&self) {}

    /// The answer's head, as the destination sent it.
    fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        let _ = (status, headers);
    }

    /// Some of the request's body.
    fn sent(&self, chunk: &[u8]) {
        let _ = chunk;
    }

    /// Some of the answer's body.
    fn received(&self, chunk: &[u8]) {
        let _ = chunk;
    }
}

/// A session's policy.
pub trait Judge: Send + Sync {
    /// Says what is to be done with a request.
    fn judge(&self, asked: &Asked<'_>) -> Verdict;

    /// Whether a request that passed before, with this credential, would pass now. Of its headers only those that name a
    /// method are known.
    fn still(&self, asked: &Asked<'_>, credential: Option<&str>) -> bool {
        let _ = (asked, credential);
        true
    }

    /// Who wants to see the exchange of a request that passes, or why it does not pass after all.
    fn observe(&self, asked: &Asked<'_>) -> Result<Option<Arc<dyn Observer>>, Refusal> {
        let _ = asked;
        Ok(None)
    }
}

/// Lets everything pass.
#[derive(Clone, Copy, Debug)]
pub struct Open;

impl Judge for Open {
    fn judge(&self, _: &Asked<'_>) -> Verdict {
        Verdict::Pass
    }
}
