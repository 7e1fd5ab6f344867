//! An exchange under way: held against the rules again when they change, and broken off where they allow it no longer.

use super::agree::Place;
use super::body::Fault;
use super::caller::{Asking, Caller, Terms};
use super::judge::{Asked, overriding};
use super::policy::Host;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, Uri};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Why an exchange was broken off.
pub(super) const CHANGED: &str = "the rules were changed";

/// What is remembered of a request, to judge it again.
pub(super) struct UnderWay {
    caller: Arc<Caller>,
    /// Where it goes.
    pub place: Arc<Place>,
    method: Method,
    uri: Uri,
    /// What of its headers can be judged.
    headers: HeaderMap,
    /// The credential that it was lent.
    pub credential: Option<String>,
    /// What held when it began.
    pub terms: Arc<Terms>,
    /// Where it is a turn of the conversation with a model.
    pub asking: Option<Asking>,
}

impl UnderWay {
    /// A request that was let pass by these terms.
    pub fn new(caller: &Arc<Caller>, place: &Arc<Place>, terms: Arc<Terms>, parts: &Parts) -> Self {
        Self {
            caller: Arc::clone(caller),
            place: Arc::clone(place),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: overriding(&parts.headers),
            credential: None,
            terms,
            asking: None,
        }
    }

    /// Returns once terms hold that do not allow it.
    pub async fn forbidden(&self) {
        let mut terms = Arc::clone(&self.terms);
        loop {
            terms.over.cancelled().await;
            terms = self.caller.terms();
            if !self.allowed(&terms) {
                return;
            }
        }
    }

    fn allowed(&self, terms: &Terms) -> bool {
        let asked = Asked {
            secure: self.place.secure,
            host: &self.place.host,
            port: self.place.port,
            method: &self.method,
            path: self.uri.path(),
            query: self.uri.query(),
            headers: &self.headers,
        };
        let (then, now) = (self.terms.policy.host(&self.place.host), terms.policy.host(&self.place.host));
        terms.judge.still(&asked, self.credential.as_deref())
            && same(then, now, |host| host.address.as_deref())
            && same(then, now, |host| host.authority.as_deref())
    }
}

/// Whether what let a destination be reached still stands.
fn same<'a>(then: Option<&'a Host>, now: Option<&'a Host>, of: impl Fn(&'a Host) -> Option<&'a str>) -> bool {
    then.and_then(&of).is_none_or(|then| now.and_then(&of) == Some(then))
}

/// A body of such an exchange.
pub(super) struct Guarded<B> {
    inner: B,
    exchange: Arc<UnderWay>,
    forbidden: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    over: bool,
}

impl<B> Guarded<B> {
    pub fn new(inner: B, exchange: Arc<UnderWay>) -> Self {
        Self { inner, exchange, forbidden: None, over: false }
    }

    fn poll_forbidden(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.over {
            return Poll::Ready(());
        }
        let exchange = &self.exchange;
        let forbidden = self.forbidden.get_or_insert_with(|| {
            let exchange = Arc::clone(exchange);
            Box::pin(async move { exchange.forbidden().await })
        });
        ready!(forbidden.as_mut().poll(context));
        self.over = true;
        Poll::Ready(())
    }
}

impl<B: Body<Data = Bytes, Error: Into<Fault>> + Unpin> Body for Guarded<B> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        // One that always has more is looked at too.
        if self.exchange.terms.over.is_cancelled() && self.poll_forbidden(context).is_ready() {
            return Poll::Ready(Some(Err(CHANGED.into())));
        }
        if let Poll::Ready(polled) = Pin::new(&mut self.inner).poll_frame(context) {
            return Poll::Ready(polled.map(|frame| frame.map_err(Into::into)));
        }
        ready!(self.poll_forbidden(context));
        Poll::Ready(Some(Err(CHANGED.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
