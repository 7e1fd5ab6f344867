//! Copies of bodies as they are sent, within bounds, so that a request can be sent once more.

use super::body::{Body, Fault};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

/// The largest body that is kept. Longer ones pass, and their 401 too.
const LARGEST: usize = 2 << 20;
/// How much is kept of one session's bodies: what one session leaves open takes no other its second try.
const OF_SESSION: usize = 8 << 20;
/// How much is kept of all bodies together.
const OF_ALL: usize = 64 << 20;

static KEPT: AtomicUsize = AtomicUsize::new(0);

/// How much is kept for one session.
#[derive(Clone, Debug, Default)]
pub(super) struct Share(Arc<AtomicUsize>);

impl Share {
    /// Takes some of it, where there is some left.
    fn take(&self, bytes: usize) -> bool {
        let fits = self.0.fetch_add(bytes, Ordering::AcqRel) + bytes <= OF_SESSION;
        let fits = KEPT.fetch_add(bytes, Ordering::AcqRel) + bytes <= OF_ALL && fits;
        if !fits {
            self.give(bytes);
        }
        fits
    }

    fn give(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::AcqRel);
        KEPT.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// What was sent so far.
struct Sent {
    share: Share,
    bytes: Vec<u8>,
    whole: bool,
    lost: bool,
}

/// A copy of a body that is being sent.
#[derive(Clone)]
pub(super) struct Copy(Arc<Mutex<Sent>>);

impl Copy {
    fn add(&self, frame: &Frame<Bytes>) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = frame.data_ref();
        let more = chunk.map_or(0, Bytes::len);
        if sent.lost {
            return;
        }
        let fits = sent.bytes.len() + more <= LARGEST && chunk.is_some();
        if fits && sent.share.take(more) {
            sent.bytes.extend_from_slice(chunk.map_or(&[], |chunk| chunk));
            return;
        }
        sent.lost = true;
        sent.release();
    }

    fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).whole = true;
    }

    /// The whole body, where it was sent to its end and kept.
    pub fn take(&self) -> Option<Bytes> {
        let sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (sent.whole && !sent.lost).then(|| Bytes::copy_from_slice(&sent.bytes))
    }
}

impl Sent {
    fn release(&mut self) {
        self.share.give(self.bytes.len());
        self.bytes = Vec::new();
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.release();
    }
}

/// A body that is copied as it is sent.
pub(super) fn keep(inner: Body, share: &Share) -> (Body, Copy) {
    let sent = Sent { share: share.clone(), bytes: Vec::new(), whole: false, lost: false };
    let copy = Copy(Arc::new(Mutex::new(sent)));
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
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sessions_bodies_leave_room_for_those_of_others() {
        let (greedy, other) = (Share::default(), Share::default());
        let mut taken = 0;
        while greedy.take(LARGEST) {
            taken += LARGEST;
        }
        assert_eq!(taken, OF_SESSION);
        assert!(other.take(LARGEST));
        other.give(LARGEST);
        greedy.give(LARGEST);
        assert!(greedy.take(LARGEST), "what is given back can be taken again");
        greedy.give(taken);
    }
}
