//! The credentials of a session on the wire: which request gets which value, and what is said where there is none.

use super::judge::{Asked, Lend, Lent as Value, Loan, Refusal, Verdict};
use crate::credential::binding::{Binding, Fit, Shape};
use crate::credential::closed::{Closed, closed};
use crate::credential::keeper::{Keeper, Missing};
use crate::credential::lending::Lending;
use crate::credential::swap::{Misplaced, Swap, swap};
use crate::manifest::project::Source;
use crate::secret::Secret;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use hyper::header::HeaderName;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What is lent to one session.
#[derive(Debug)]
pub struct Lent {
    session: String,
    lendings: Vec<Lending>,
    bindings: Vec<Binding>,
    keeper: Arc<Keeper>,
    news: Arc<News>,
}

/// Tells that a credential cannot be lent and why, or that it can again.
pub type Tell = Box<dyn Fn(&str, Option<&str>) + Send + Sync>;

/// What was told last: the same thing is told once.
struct News {
    tell: Tell,
    last: Mutex<BTreeMap<String, Option<String>>>,
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News").finish_non_exhaustive()
    }
}

impl News {
    fn heard(&self, credential: &str, why: Option<&str>) {
        let why = why.map(str::to_owned);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(credential) != Some(&why) {
            (self.tell)(credential, why.as_deref());
            last.insert(credential.to_owned(), why);
        }
    }
}

/// What a request comes to.
pub(super) enum Answer {
    /// As the wire is told.
    Verdict(Verdict),
    /// A placeholder is where it does not belong.
    Misplaced(Misplaced),
}

impl Lent {
    /// What is lent to the session of this id.
    pub fn new(session: String, lendings: Vec<Lending>, keeper: Arc<Keeper>, tell: Tell) -> Self {
        let bindings = lendings.iter().flat_map(|lending| lending.bindings.clone()).collect();
        let news = Arc::new(News { tell, last: Mutex::default() });
        Self { session, lendings, bindings, keeper, news }
    }

    /// What a request comes to. `stand_in` is a destination that the manifest has put in the place of the real one.
    pub(super) fn answer(&self, asked: &Asked<'_>, stand_in: bool) -> Answer {
        let verdict = match closed(asked) {
            Some(Closed::Token(reply)) => Verdict::Refuse(Refusal {
                status: StatusCode::OK,
                reason: "a token was asked for: answered with its placeholder, and not passed on".to_owned(),
                words: reply.to_string(),
                content_type: "application/json",
                rule: None,
            }),
            Some(Closed::Minting) => {
                let words = "a key made with a credential that is lent would outlive it";
                Verdict::Refuse(Refusal::plain(StatusCode::FORBIDDEN, words, format!("clauderon: {words}\n")))
            }
            None => match swap(&self.bindings, asked) {
                Swap::Pass => Verdict::Pass,
                Swap::Refuse(misplaced) => return Answer::Misplaced(misplaced),
                Swap::Fill { binding, headers } => self.lend(binding, headers, stand_in),
            },
        };
        Answer::Verdict(verdict)
    }

    /// Whether a credential is lent to such a request.
    pub(super) fn lends(&self, credential: &str, asked: &Asked<'_>) -> bool {
        let of = |lending: &&Lending| lending.name == credential && lending.source.is_some();
        let lending = self.lendings.iter().find(of);
        lending.is_some_and(|lending| lending.bindings.iter().any(|it| it.fit(asked) == Fit::Here))
    }

    fn lend(&self, binding: usize, headers: Vec<(HeaderName, Shape)>, stand_in: bool) -> Verdict {
        let name = &self.bindings[binding].credential;
        let lending = self.lendings.iter().find(|lending| lending.name == *name);
        let Some(source) = lending.and_then(|lending| lending.source.clone()) else {
            // A stand-in may want none; what it is sent is worth nothing.
            return if stand_in { Verdict::Pass } else { Verdict::Refuse(nothing(name)) };
        };
        let lender = Lender {
            session: self.session.clone(),
            credential: name.clone(),
            source,
            headers,
            keeper: Arc::clone(&self.keeper),
            news: Arc::clone(&self.news),
        };
        Verdict::Lend(Loan { credential: name.clone(), lender: Arc::new(lender) })
    }
}

/// One credential for one request.
#[derive(Clone)]
struct Lender {
    session: String,
    credential: String,
    source: Source,
    headers: Vec<(HeaderName, Shape)>,
    keeper: Arc<Keeper>,
    news: Arc<News>,
}

impl Lender {
    fn fill(&self, value: Secret<String>) -> Option<Value> {
        let fill = |(name, shape): &(HeaderName, Shape)| Some((name.clone(), shape.fill(&value)?));
        let headers = self.headers.iter().map(fill).collect::<Option<Vec<_>>>()?;
        Some(Value { headers, value })
    }
}

impl Lend for Lender {
    fn lend(&self) -> BoxFuture<'static, Result<Value, Refusal>> {
        let lender = self.clone();
        async move {
            let value = lender.keeper.value(&lender.session, &lender.source).await;
            let value = value.map_err(|missing| waiting(&lender.credential, &missing));
            lender
                .news
                .heard(&lender.credential, value.as_ref().err().map(|refusal| refusal.reason.as_str()));
            let value = value?;
            let unfit = || Missing::Failed("no header can hold its value".to_owned());
            lender.fill(value).ok_or_else(|| waiting(&lender.credential, &unfit()))
        }
        .boxed()
    }

    fn again(&self, rejected: Value) -> BoxFuture<'static, Option<Value>> {
        let lender = self.clone();
        async move {
            let other = lender.keeper.another(&lender.session, &lender.source, &rejected.value).await?;
            lender.fill(other)
        }
        .boxed()
    }
}

fn nothing(name: &str) -> Refusal {
    told(
        name,
        "was not found on the host",
        "`clauderon doctor` says where it is looked for; then `clauderon up`",
    )
}

fn waiting(name: &str, missing: &Missing) -> Refusal {
    match missing {
        Missing::Waiting { variable } => told(
            name,
            &format!("is waited for: the variable `{variable}` was not handed over since the daemon began"),
            &format!("`clauderon up` hands it over, where `{variable}` is set"),
        ),
        Missing::Failed(why) => told(
            name,
            &format!("cannot be had: {why}"),
            "`clauderon doctor` says what each credential comes from",
        ),
    }
}

/// A refusal that both agents show to a person.
fn told(name: &str, what: &str, help: &str) -> Refusal {
    let reason = format!("the credential `{name}` {what}");
    let message = format!("clauderon: {reason}. {help}");
    let body = serde_json::json!({
        "type": "error", "error": {"type": "permission_error", "message": message},
    });
    Refusal {
        status: StatusCode::FORBIDDEN,
        reason,
        words: format!("{body}\n"),
        content_type: "application/json",
        rule: None,
    }
}
