//! One connection of a container to the proxy: CONNECT, or plain HTTP requests in absolute form.

use super::agree::{Place, of_connect, of_url};
use super::body::{Body, empty, refuse};
use super::caller::Caller;
use super::exchange::pass;
use super::intercept::intercept;
use super::judge::{Asked, Verdict};
use super::refusal::undialled;
use super::serve::{Next, Speech, serve as serve_http};
use super::tunnel::tunnel;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use std::error::Error;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// Serves one connection to its end. When `stop` is cancelled, requests that were begun are finished within seconds.
pub async fn serve<S>(
    stream: S,
    caller: Arc<Caller>,
    stop: CancellationToken,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    serve_http(stream, Speech::Plain, &stop, |request, next| {
        answer(request, Arc::clone(&caller), next, stop.clone())
    })
    .await
}

async fn answer(
    request: Request<Incoming>,
    caller: Arc<Caller>,
    next: Next,
    stop: CancellationToken,
) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return connect(request, caller, &next, stop).await;
    }
    let mut entry = caller.begin(request.method().to_string(), Some(request.uri().path().to_owned()));
    let (parts, body) = request.into_parts();
    let place = match of_url(&parts) {
        Ok(place) => place,
        Err(refusal) => return refuse(&mut entry, refusal),
    };
    entry.line.host.clone_from(&place.host);
    entry.line.port = place.port;
    pass(Request::from_parts(parts, body), Arc::new(place), &caller, entry, &next).await
}

async fn connect(
    mut request: Request<Incoming>,
    caller: Arc<Caller>,
    next: &Next,
    stop: CancellationToken,
) -> Response<Body> {
    let mut entry = caller.begin(Method::CONNECT.to_string(), None);
    let upgraded = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let place = match of_connect(&parts) {
        Ok(place) => place,
        Err(refusal) => return refuse(&mut entry, refusal),
    };
    entry.line.host.clone_from(&place.host);
    entry.line.port = place.port;
    let terms = caller.terms();
    let opened = match terms.judge.judge(&asked(&place, &parts)) {
        // Refused inside, where the caller reads why: few clients show the answer to CONNECT. Nothing is looked up.
        Verdict::Refuse(_) => Ok(None),
        Verdict::Tunnel => {
            entry.line.decision = "tunnel";
            terms.upstreams.dial(&place).await.map(Some)
        }
        Verdict::Pass | Verdict::Inject(_) | Verdict::Lend(_) => {
            terms.upstreams.permit(&place).await.map(|()| None)
        }
    };
    match opened {
        Ok(Some(upstream)) => next.set(tunnel(upgraded, upstream, entry, (stop, terms.over.clone())).boxed()),
        Ok(None) => next.set(intercept(upgraded, place, caller, entry, stop).boxed()),
        Err(error) => return refuse(&mut entry, undialled(&place.host, &error)),
    }
    Response::new(empty())
}

fn asked<'a>(place: &'a Place, parts: &'a Parts) -> Asked<'a> {
    Asked {
        secure: true,
        host: &place.host,
        port: place.port,
        method: &parts.method,
        path: "",
        query: None,
        headers: &parts.headers,
    }
}
