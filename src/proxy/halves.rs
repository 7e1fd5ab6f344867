//! A stream whose reading half may end before its writing half: a caller without TLS who has no more to say looks like one
//! who went away. While he is being answered, his end is kept from HTTP, which would break off the answer, until nothing was
//! written for a while.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long the last of an answer may take to be written, where no more comes after it.
const LAST: Duration = Duration::from_millis(100);

/// What others must know of it.
#[derive(Clone, Default)]
pub(super) struct Halves {
    /// Set by the stream: its reading half has ended.
    pub ended: Arc<AtomicBool>,
    /// Set by others: HTTP is over on it, and its end is to be seen at once.
    pub over: Arc<AtomicBool>,
    /// How many requests are being answered; none was yet where `begun` is not set.
    answering: Arc<AtomicUsize>,
    begun: Arc<AtomicBool>,
}

/// A request that is being answered, until this is dropped.
pub(super) struct Answering(Arc<AtomicUsize>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Halves {
    /// A request has begun.
    pub fn begin(&self) -> Answering {
        self.begun.store(true, Ordering::Release);
        self.answering.fetch_add(1, Ordering::AcqRel);
        Answering(Arc::clone(&self.answering))
    }

    /// How long the end of the reading half is kept.
    fn patience(&self, most: Duration) -> Duration {
        let nothing = self.over.load(Ordering::Acquire) || !self.begun.load(Ordering::Acquire);
        match self.answering.load(Ordering::Acquire) {
            _ if nothing => Duration::ZERO,
            0 => most.min(LAST),
            _ => most,
        }
    }
}

/// The stream.
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    halves: Halves,
    rest: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub fn new(stream: S, patience: Duration, halves: Halves) -> Self {
        Self { stream, patience, halves, rest: None }
    }

    fn wrote<T>(&mut self, written: Poll<T>) -> Poll<T> {
        if let (Some(rest), true) = (&mut self.rest, written.is_ready()) {
            rest.as_mut().reset(Instant::now() + self.halves.patience(self.patience));
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = &mut *self;
        if this.rest.is_none() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            this.halves.ended.store(true, Ordering::Release);
        }
        let patience = this.halves.patience(this.patience);
        if patience.is_zero() {
            return Poll::Ready(Ok(()));
        }
        let rest = this.rest.get_or_insert_with(|| Box::pin(sleep(patience)));
        rest.as_mut().poll(context).map(Ok)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(written)
    }
}
