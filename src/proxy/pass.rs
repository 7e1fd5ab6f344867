//! Plain HTTP: one request, sent on over a connection of its own, its answer streamed back.

use super::audit::Entry;
use super::forward::{Body, MOST_AHEAD, refuse};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long an upstream may think before its answer begins.
const THOUGHT: Duration = Duration::from_secs(600);

/// Headers that speak of one connection and not of the message.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];

/// Sends a request on. The entry lives as long as the answer's body, and counts both bodies.
pub(super) async fn pass(
    request: Request<Incoming>,
    upstream: TcpStream,
    mut entry: Entry,
) -> Response<Body> {
    let Some(request) = onward(request, &entry.line.host, entry.line.port) else {
        return refuse(&mut entry, StatusCode::BAD_REQUEST, "the URL is odd", "the URL is odd\n".to_owned());
    };
    let bytes_in = entry.bytes_in.clone();
    let request = request.map(|body| body.inspect_frame(move |frame| bytes_in.add(data(frame))));
    let answered = async {
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(MOST_AHEAD)
            .handshake(TokioIo::new(upstream))
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a plain connection broke off");
            }
        });
        sender.send_request(request).await
    };
    let why = match tokio::time::timeout(THOUGHT, answered).await {
        Ok(Ok(response)) if !response.status().is_informational() => return back(response, entry),
        Ok(Ok(_)) => "switched to what was not asked for".to_owned(),
        Ok(Err(error)) => format!("broke off: {error}"),
        Err(_) => format!("did not answer within {} s", THOUGHT.as_secs()),
    };
    let words = format!("clauderon: `{}` {why}\n", entry.line.host);
    refuse(&mut entry, StatusCode::BAD_GATEWAY, &why, words)
}

/// The request as its destination is to see it. The URL decides, whatever the Host header says.
fn onward(request: Request<Incoming>, host: &str, port: u16) -> Option<Request<Incoming>> {
    let (mut parts, body) = request.into_parts();
    parts.uri = parts.uri.path_and_query().map_or("/", |path| path.as_str()).parse().ok()?;
    parts.version = Version::HTTP_11;
    let name = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let authority = if port == 80 { name } else { format!("{name}:{port}") };
    strip(&mut parts.headers);
    // The body's length is told one way only: whoever reads two could end the message elsewhere.
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        parts.headers.remove(CONTENT_LENGTH);
    }
    parts.headers.insert(HOST, HeaderValue::from_str(&authority).ok()?);
    Some(Request::from_parts(parts, body))
}

/// The answer as the container is to see it.
fn back(mut response: Response<Incoming>, mut entry: Entry) -> Response<Body> {
    strip(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    entry.line.status = response.status().as_u16();
    entry.line.reason = None;
    response.map(|body| body.inspect_frame(move |frame| entry.bytes_out.add(data(frame))).boxed())
}

fn data(frame: &Frame<Bytes>) -> &[u8] {
    frame.data_ref().map_or(&[], |data| data)
}

/// Takes away what `Connection` names and what always belongs to one connection.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all("connection")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
