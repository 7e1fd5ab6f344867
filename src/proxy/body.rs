//! Bodies: streamed through, counted and shown as they pass, never collected.

use super::audit::{Count, Entry};
use super::judge::{Observer, Refusal};
use super::under_way::{Guarded, UnderWay};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
/// How much of a refused request's body is taken in, and for how long.
pub(super) const DRAINED: (usize, Duration) = (256 * 1024, Duration::from_secs(2));
/// The same of one to a model, to which a whole conversation is sent each time: an agent that loses the answer tries again.
pub(super) const DRAINED_OF_MODEL: (usize, Duration) = (64 * 1024 * 1024, Duration::from_secs(20));

/// A body on its way through.
pub(super) type Body = BoxBody<Bytes, Fault>;

/// Why a body broke off.
pub(super) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A body of nothing.
pub(super) fn empty() -> Body {
    whole(Bytes::new())
}

/// Takes in what little of a body is under way before a refusal: where a connection is closed with bytes unread, the
/// other end may lose the answer too (seen over a Unix socket of Linux, and by curl over HTTP/2).
pub(super) async fn drain(mut body: Incoming, (most, patience): (usize, Duration)) {
    let taken = async {
        let mut left = most;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Whoever takes longer may lose the answer.
    let _ = tokio::time::timeout(patience, taken).await;
}

/// A body of these bytes.
pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// A body that keeps something until it has ended.
pub(super) fn held<T: Send + Sync + 'static>(body: Body, kept: T) -> Body {
    body.inspect_frame(move |_| _ = &kept).boxed()
}

/// A request's body.
pub(super) fn sent(
    body: Incoming,
    exchange: Arc<UnderWay>,
    count: Count,
    observer: Option<Arc<dyn Observer>>,
) -> Body {
    Guarded::new(body, exchange)
        .inspect_frame(move |frame: &Frame<Bytes>| {
            let Some(chunk) = frame.data_ref() else { return };
            count.add(chunk);
            if let Some(observer) = &observer {
                observer.sent(chunk);
            }
        })
        .boxed()
}

/// An answer's body. The log's line is written when it has ended, whoever ended it.
pub(super) fn received(
    body: Incoming,
    exchange: Arc<UnderWay>,
    mut entry: Entry,
    observer: Option<Arc<dyn Observer>>,
) -> Body {
    let body = Guarded::new(body, exchange);
    if body.is_end_stream() {
        entry.line.reason = None;
    }
    Received { body, entry, observer }.boxed()
}

struct Received {
    body: Guarded<Incoming>,
    entry: Entry,
    observer: Option<Arc<dyn Observer>>,
}

impl hyper::body::Body for Received {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
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

/// Answers instead of the destination, and writes down why. What was not even tried is a denial, however it reads.
pub(super) fn refuse(entry: &mut Entry, refusal: Refusal) -> Response<Body> {
    entry.line.status = refusal.status.as_u16();
    if !refusal.status.is_server_error() {
        entry.line.decision = "deny";
    }
    entry.line.reason = Some(refusal.reason);
    entry.rule = refusal.rule;
    let mut response = Response::new(whole(Bytes::from(refusal.words)));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(refusal.content_type));
    response
}
