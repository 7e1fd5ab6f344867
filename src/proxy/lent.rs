//! A request with a credential that was lent: where its destination answers 401, the credential is read anew, and the
//! request is sent once more where its body is still known. The answer is asked for uncompressed, and what it shows of the
//! credential is taken out.

use super::audit::Entry;
use super::body::{self, Body, refuse};
use super::caller::Terms;
use super::exchange::{ask, back};
use super::headers;
use super::judge::{Lend, Lent, Observer};
use super::mask::Mask;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::{Request, Response, StatusCode};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

/// The largest body that is kept for a second try. Longer ones pass, and their 401 too.
const LARGEST: usize = 2 << 20;
/// How much is kept of all bodies together.
const LARGEST_OF_ALL: usize = 64 << 20;

static KEPT: AtomicUsize = AtomicUsize::new(0);

/// Sends a request whose headers hold the credential.
pub(super) async fn send(
    request: Request<Incoming>,
    (lender, lent): (Arc<dyn Lend>, Lent),
    terms: &Terms,
    mut entry: Entry,
    observer: Option<Arc<dyn Observer>>,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    headers::ask_uncompressed(&mut parts.headers);
    let again = parts.clone();
    let mask = Mask::of(&lent);
    let body = body::sent(body, entry.bytes_in.clone(), observer.clone());
    let (body, copy) = keep(body);
    let first = match ask(Request::from_parts(parts, body), terms, &entry.line.host).await {
        Ok(response) => response,
        Err(refusal) => return refuse(&mut entry, refusal),
    };
    if first.status() != StatusCode::UNAUTHORIZED {
        return mask.answer(back(first, entry, observer));
    }
    // The credential is read anew in any case: the next request has the new one.
    let Some(fresh) = lender.again(lent).await else { return mask.answer(back(first, entry, observer)) };
    let Some(bytes) = copy.take() else { return mask.answer(back(first, entry, observer)) };
    let (mut parts, mask) = (again, Mask::of(&fresh));
    for (name, value) in fresh.headers {
        parts.headers.insert(name, value);
    }
    match ask(Request::from_parts(parts, body::whole(bytes)), terms, &entry.line.host).await {
        Ok(second) => mask.answer(back(second, entry, observer)),
        Err(refusal) => refuse(&mut entry, refusal),
    }
}

/// What was sent so far.
#[derive(Default)]
struct Sent {
    bytes: Vec<u8>,
    whole: bool,
    lost: bool,
}

/// A copy of a body that is being sent.
#[derive(Clone, Default)]
struct Copy(Arc<Mutex<Sent>>);

impl Copy {
    fn add(&self, frame: &Frame<Bytes>) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = frame.data_ref();
        let more = chunk.map_or(0, Bytes::len);
        if sent.lost {
            return;
        }
        let fits = sent.bytes.len() + more <= LARGEST && chunk.is_some();
        if fits && KEPT.fetch_add(more, Ordering::AcqRel) + more <= LARGEST_OF_ALL {
            sent.bytes.extend_from_slice(chunk.map_or(&[], |chunk| chunk));
            return;
        }
        if fits {
            KEPT.fetch_sub(more, Ordering::AcqRel);
        }
        sent.lost = true;
        sent.release();
    }

    fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).whole = true;
    }

    /// The whole body, where it was sent to its end and kept.
    fn take(&self) -> Option<Bytes> {
        let sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (sent.whole && !sent.lost).then(|| Bytes::copy_from_slice(&sent.bytes))
    }
}

impl Sent {
    fn release(&mut self) {
        KEPT.fetch_sub(self.bytes.len(), Ordering::AcqRel);
        self.bytes = Vec::new();
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.release();
    }
}

/// A body that is copied as it is sent.
fn keep(inner: Body) -> (Body, Copy) {
    let copy = Copy::default();
    if inner.is_end_stream() {
        copy.end();
    }
    (Kept { inner, copy: copy.clone() }.boxed(), copy)
}

struct Kept {
    inner: Body,
    copy: Copy,
}

impl hyper::body::Body for Kept {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &polled {
            Some(Ok(frame)) => {
                self.copy.add(frame);
                // A body whose length was told is not asked for its end.
                if self.inner.is_end_stream() {
                    self.copy.end();
                }
            }
            None => self.copy.end(),
            Some(Err(_)) => {}
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
