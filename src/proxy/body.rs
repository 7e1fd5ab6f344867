//! Bodies: streamed through, counted and shown as they pass, never collected.

use super::audit::{Count, Entry};
use super::judge::{Observer, Refusal};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A body on its way through.
pub(super) type Body = BoxBody<Bytes, hyper::Error>;

/// A body of nothing.
pub(super) fn empty() -> Body {
    whole(Bytes::new())
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// A request's body.
pub(super) fn sent(body: Incoming, count: Count, observer: Option<Arc<dyn Observer>>) -> Body {
    body.inspect_frame(move |frame: &Frame<Bytes>| {
        let Some(chunk) = frame.data_ref() else { return };
        count.add(chunk);
        if let Some(observer) = &observer {
            observer.sent(chunk);
        }
    })
    .boxed()
}

/// An answer's body. The log's line is written when it has ended, whoever ended it.
pub(super) fn received(body: Incoming, mut entry: Entry, observer: Option<Arc<dyn Observer>>) -> Body {
    if body.is_end_stream() {
        entry.line.reason = None;
    }
    Received { body, entry, observer }.boxed()
}

struct Received {
    body: Incoming,
    entry: Entry,
    observer: Option<Arc<dyn Observer>>,
}

impl hyper::body::Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &polled {
            Some(Ok(frame)) => {
                if let Some(chunk) = frame.data_ref() {
                    self.entry.bytes_out.add(chunk);
                    if let Some(observer) = &self.observer {
                        observer.received(chunk);
                    }
                }
                // A body whose length was told, or that has its trailers, is not asked for its end.
                if frame.is_trailers() || self.body.is_end_stream() {
                    self.entry.line.reason = None;
                }
            }
            Some(Err(error)) => self.entry.line.reason = Some(format!("broke off: {error}")),
            None => self.entry.line.reason = None,
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Answers instead of the destination, and writes down why. What was not even tried is a denial.
pub(super) fn refuse(entry: &mut Entry, refusal: Refusal) -> Response<Body> {
    entry.line.status = refusal.status.as_u16();
    if refusal.status.is_client_error() {
        entry.line.decision = "deny";
    }
    entry.line.reason = Some(refusal.reason);
    entry.rule = refusal.rule;
    let mut response = Response::new(whole(Bytes::from(refusal.words)));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(refusal.content_type));
    response
}
