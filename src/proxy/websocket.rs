//! `WebSocket`: a connection of its own to the upstream, whose own answer decides; then bytes both ways, unread.

use super::audit::Entry;
use super::body::{self, Body, refuse};
use super::exchange::{THOUGHT, back, late};
use super::headers::{ask_readable, is_websocket, strip, websocket};
use super::mask::Mask;
use super::refusal::{unanswered, undialled, unreached};
use super::serve::{LARGEST_HEAD, MOST_HEADERS, Next};
use super::tunnel::carry;
use super::under_way::UnderWay;
use super::wire::Wire;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Asks an upstream for a WebSocket and passes on what it says.
pub(super) async fn open(
    mut request: Request<Incoming>,
    mask: Option<Mask>,
    exchange: UnderWay,
    mut entry: Entry,
    next: &Next,
) -> Response<Body> {
    let exchange = Arc::new(exchange);
    let (place, terms) = (&exchange.place, &exchange.terms);
    if mask.is_some() {
        ask_readable(request.headers_mut());
    }
    let inside = hyper::upgrade::on(&mut request);
    let wire = match terms.upstreams.open(place).await {
        Ok(wire) => wire,
        Err(error) => return refuse(&mut entry, undialled(&place.host, &error)),
    };
    let answer = match tokio::time::timeout(THOUGHT, ask(request, &exchange, wire, &entry)).await {
        Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            switch(response, inside, entry, terms.over.clone(), next)
        }
        Ok(Ok(response)) => back(response, &exchange, entry, None),
        Ok(Err(error)) => refuse(&mut entry, unreached(&place.host, &error)),
        Err(_) => refuse(&mut entry, late()),
    };
    match mask {
        Some(mask) => mask.answer(answer),
        None => answer,
    }
}

async fn ask(
    request: Request<Incoming>,
    exchange: &Arc<UnderWay>,
    wire: Wire,
    entry: &Entry,
) -> hyper::Result<Response<Incoming>> {
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .handshake(wire)
        .await?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to be upgraded broke off");
        }
    });
    let (mut parts, body) = request.into_parts();
    // This connection is not the pool's: the request is written as it stands.
    if let Ok(host) = exchange.place.authority().parse() {
        parts.headers.insert(hyper::header::HOST, host);
    }
    parts.uri =
        parts.uri.path_and_query().map_or_else(|| hyper::Uri::from_static("/"), |path| path.clone().into());
    websocket(&mut parts.headers);
    let count = entry.bytes_in.clone();
    sender.send_request(Request::from_parts(parts, body::sent(body, Arc::clone(exchange), count, None))).await
}

fn switch(
    mut response: Response<Incoming>,
    inside: OnUpgrade,
    mut entry: Entry,
    over: CancellationToken,
    next: &Next,
) -> Response<Body> {
    if !is_websocket(response.headers()) {
        let refusal = unanswered(&entry.line.host, "switched to what was not asked for");
        return refuse(&mut entry, refusal);
    }
    let outside = hyper::upgrade::on(&mut response);
    entry.line.status = StatusCode::SWITCHING_PROTOCOLS.as_u16();
    next.set(converse(inside, outside, entry, over).boxed());
    let (mut parts, _) = response.into_parts();
    // A reason in the destination's own words, among others.
    parts.extensions.clear();
    strip(&mut parts.headers);
    websocket(&mut parts.headers);
    Response::from_parts(parts, body::empty())
}

async fn converse(inside: OnUpgrade, outside: OnUpgrade, mut entry: Entry, over: CancellationToken) {
    entry.line.reason = match tokio::try_join!(inside, outside) {
        Ok((inside, outside)) => tokio::select! {
            carried = carry(TokioIo::new(inside), TokioIo::new(outside), &entry) => carried.err(),
            () = over.cancelled() => Some("the rules were changed".to_owned()),
        },
        Err(error) => Some(error.to_string()),
    };
}
