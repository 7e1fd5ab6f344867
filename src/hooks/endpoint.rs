//! The hook endpoint: `POST /api/hooks`, with the session's token, and nothing else.

use super::message::{self, LONGEST, Message};
use super::token;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, ORIGIN};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long is waited for a place, and for a body.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages of one session that are read, parsed and stored at once: one may be long, and take ninety times the length that
/// is kept of it in memory. Further ones wait.
pub const MOST: usize = 2;

/// A session that a token belongs to.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The session's id.
    pub id: String,
    /// Its `MOST` places.
    pub places: Arc<Semaphore>,
}

/// Whose door it is.
pub trait Door: Send + Sync + 'static {
    /// The session that this token belongs to, where this door serves it.
    fn session(&self, token: &str) -> Option<Guest>;

    /// Stores a message; the answer comes once it cannot be lost. The place is held until then, whether or not anyone
    /// waits for the answer.
    fn accept(
        &self,
        session: String,
        message: Message,
        place: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, Result<(), String>>;
}

/// Serves one connection to its end.
pub async fn serve<S>(stream: S, door: Arc<dyn Door>) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = answer(request, &*door).await;
            Ok::<_, Infallible>(response)
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(request: Request<Incoming>, door: &dyn Door) -> StatusCode {
    if request.uri().path() != "/api/hooks" {
        return StatusCode::NOT_FOUND;
    }
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    // A page in a browser brings an origin, and a name that was rebound brings its own host.
    if request.headers().contains_key(ORIGIN) || !is_ours(request.headers()) {
        return StatusCode::FORBIDDEN;
    }
    let Some(guest) = bearer(request.headers()).and_then(|token| door.session(token)) else {
        return StatusCode::UNAUTHORIZED;
    };
    let json = |value: &hyper::header::HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !request.headers().get(CONTENT_TYPE).is_some_and(json) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let place = tokio::time::timeout(PATIENCE, guest.places.acquire_owned()).await;
    let Ok(Ok(place)) = place else { return StatusCode::TOO_MANY_REQUESTS };
    let body = Limited::new(request.into_body(), LONGEST).collect();
    let Ok(Ok(body)) = tokio::time::timeout(PATIENCE, body).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let (body, session) = (body.to_bytes(), guest.id.clone());
    // Off the threads that serve everyone; the place goes along, for a caller that leaves does not end the work.
    let parsed = tokio::task::spawn_blocking(move || (message::parse(&body, &session), place)).await;
    let Ok((parsed, place)) = parsed else { return StatusCode::BAD_REQUEST };
    match parsed {
        Err(message::Error::Foreign) => StatusCode::FORBIDDEN,
        Err(message::Error::Malformed(_)) => StatusCode::BAD_REQUEST,
        Ok(message) => match door.accept(guest.id, message, place).await {
            Ok(()) => StatusCode::NO_CONTENT,
            Err(error) => {
                tracing::error!(%error, "a hook event could not be stored");
                StatusCode::SERVICE_UNAVAILABLE
            }
        },
    }
}

fn is_ours(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "host.docker.internal"
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Whether a token is the expected one.
pub fn matches(given: &str, expected: &str) -> bool {
    token::equal(given, expected)
}
