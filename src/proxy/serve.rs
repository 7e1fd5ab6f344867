//! One HTTP connection of a container: its limits, its orderly end, and what it may become.

use super::body::{Body, held};
use super::halves::{Halves, Patient};
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// The largest head, of either side: hundreds of connections must not fill the memory.
pub(super) const LARGEST_HEAD: usize = 128 << 10;
/// The most headers in one head.
pub(super) const MOST_HEADERS: usize = 200;
/// How long a head may take, and a connection rest between two.
const HEAD: Duration = Duration::from_secs(120);
/// Requests at once on one connection.
const MOST_STREAMS: u32 = 128;
/// How much of one request's body is read ahead of an upstream, and of all on one connection.
const WINDOW: u32 = 512 << 10;
const WINDOW_OF_ALL: u32 = 1 << 20;
/// How long a caller without TLS who has closed his half is waited on, while he is answered, with nothing to write: he may
/// have gone away.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what was begun may take when the end is asked for.
const DRAIN: Duration = Duration::from_secs(3);

/// What a connection becomes when HTTP is over on it. It runs where the connection ran, so that who counts and ends
/// connections counts and ends what they became.
#[derive(Clone, Default)]
pub(super) struct Next {
    future: Arc<Mutex<Option<BoxFuture<'static, ()>>>>,
    halves: Halves,
}

impl Next {
    /// Says what it becomes.
    pub fn set(&self, next: BoxFuture<'static, ()>) {
        self.halves.over.store(true, Ordering::Release);
        *self.future.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
    }

    fn take(&self) -> Option<BoxFuture<'static, ()>> {
        self.future.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// HTTP/1.1 without TLS: a half that is closed says only that no more requests come.
    Plain,
    /// HTTP/1.1 under TLS, whose end is said by the one who leaves: what was begun for him is broken off.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Serves a connection to its end. When `stop` is cancelled, what was begun is finished, and nothing new is taken.
pub(super) async fn serve<S, F, R>(
    stream: S,
    speech: Speech,
    stop: &CancellationToken,
    answer: F,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>, Next) -> R,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let next = Next::default();
    let halves = next.halves.clone();
    let service = service_fn(|request| {
        let (answering, halves) = (halves.begin(), halves.clone());
        let answered = answer(request, next.clone());
        async move {
            let mut response = answered.await.map(|body| held(body, answering));
            if halves.ended.load(Ordering::Acquire) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(speech);
    let patience = if speech == Speech::Plain { PATIENCE } else { Duration::ZERO };
    let stream = TokioIo::new(Patient::new(stream, patience, halves.clone()));
    let mut connection = pin!(builder.serve_connection_with_upgrades(stream, service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(DRAIN, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Some(next) = next.take() {
        tokio::select! {
            () = next => {}
            () = overdue(stop) => {}
        }
    }
    served
}

/// What a connection became is cut off when what was begun on others is over.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(DRAIN + Duration::from_millis(500)).await;
}

fn builder(speech: Speech) -> Builder<TokioExecutor> {
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = if speech == Speech::Http2 { builder.http2_only() } else { builder.http1_only() };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW_OF_ALL);
    builder
}
