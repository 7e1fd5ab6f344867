//! One connection of a container to the proxy: a CONNECT tunnel, or plain HTTP requests in absolute form.

use super::audit::{Audit, Entry, Line};
use super::connect::{self, dial};
use super::policy::{Policy, decide};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_util::io::{InspectReader, InspectWriter};

/// Whose connection it is.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The project's name.
    pub project: String,
    /// The session's name.
    pub session: String,
    /// What it may reach.
    pub policy: Policy,
}

type Body = BoxBody<Bytes, hyper::Error>;

/// The tunnel that a connection becomes. It runs where the connection ran, so that who counts and ends connections
/// counts and ends tunnels.
type Tunnel = Arc<Mutex<Option<BoxFuture<'static, ()>>>>;

/// The longest name that there is.
const LONGEST_HOST: usize = 253;

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

/// Serves one connection to its end.
pub async fn serve<S>(stream: S, caller: Arc<Caller>, audit: Arc<Audit>) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tunnel = Tunnel::default();
    let slot = Arc::clone(&tunnel);
    let service = service_fn(move |request| {
        let (caller, audit, slot) = (Arc::clone(&caller), Arc::clone(&audit), Arc::clone(&slot));
        async move { Ok::<_, Infallible>(answer(request, &caller, audit, &slot).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_mins(1))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    let tunnel = tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(tunnel) = tunnel {
        tunnel.await;
    }
    served
}

async fn answer(
    request: Request<Incoming>,
    caller: &Caller,
    audit: Arc<Audit>,
    slot: &Tunnel,
) -> Response<Body> {
    let connect = request.method() == Method::CONNECT;
    let Some((host, port)) = destination(request.uri(), connect) else {
        return said(
            StatusCode::BAD_REQUEST,
            "this is a proxy: ask it for a whole URL, or with CONNECT\n".to_owned(),
        );
    };
    let line = Line {
        project: caller.project.clone(),
        session: caller.session.clone(),
        host: host.clone(),
        port,
        method: request.method().to_string(),
        path: (!connect).then(|| request.uri().path().to_owned()),
        decision: if connect { "tunnel" } else { "pass" },
        ..Line::default()
    };
    let mut entry = Entry::begin(audit, line);
    let upstream = match dial(&decide(&host, port, &caller.policy)).await {
        Ok(upstream) => upstream,
        Err(error) => {
            let (status, words) = refusal(&host, &error);
            entry.line.status = status.as_u16();
            entry.line.reason = Some(error.to_string());
            if status == StatusCode::FORBIDDEN {
                entry.line.decision = "deny";
            }
            return said(status, words);
        }
    };
    if connect {
        let tunnel = tunnel(request, upstream, entry).boxed();
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
        return Response::new(empty());
    }
    let response = pass(request, upstream, &host, port).await;
    entry.line.status = response.status().as_u16();
    entry.line.reason = None;
    response
}

/// The host and port that a request names: CONNECT's authority, or the whole URL of plain HTTP.
fn destination(uri: &Uri, connect: bool) -> Option<(String, u16)> {
    let authority = uri.authority()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = match (connect, uri.scheme_str()) {
        (true, None) => authority.port_u16()?,
        // A port that is none is not the usual port.
        (false, Some("http")) => match authority.as_str().strip_prefix(authority.host())? {
            "" | ":" => 80,
            _ => authority.port_u16()?,
        },
        _ => return None,
    };
    (1..=LONGEST_HOST).contains(&host.len()).then_some((host, port))
}

async fn tunnel(request: Request<Incoming>, mut upstream: TcpStream, mut entry: Entry) {
    entry.line.reason = match hyper::upgrade::on(request).await {
        Ok(upgraded) => {
            entry.line.status = 200;
            let (bytes_in, bytes_out) = (entry.bytes_in.clone(), entry.bytes_out.clone());
            let written = InspectWriter::new(TokioIo::new(upgraded), move |bytes| bytes_out.add(bytes));
            let mut container = InspectReader::new(written, move |bytes| bytes_in.add(bytes));
            copy_bidirectional(&mut container, &mut upstream).await.err().map(|error| error.to_string())
        }
        Err(error) => Some(error.to_string()),
    };
}

/// Sends a plain request on over a connection of its own.
async fn pass(request: Request<Incoming>, upstream: TcpStream, host: &str, port: u16) -> Response<Body> {
    let failed =
        |error: hyper::Error| said(StatusCode::BAD_GATEWAY, format!("`{host}` broke off: {error}\n"));
    let (mut sender, connection) = match hyper::client::conn::http1::handshake(TokioIo::new(upstream)).await {
        Ok(both) => both,
        Err(error) => return failed(error),
    };
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a plain connection broke off");
        }
    });
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(uri) = path.parse() else {
        return said(StatusCode::BAD_REQUEST, "the URL has no path\n".to_owned());
    };
    // The URL decides, whatever the Host header says.
    let name = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let authority = if port == 80 { name } else { format!("{name}:{port}") };
    let Ok(authority) = HeaderValue::from_str(&authority) else {
        return said(StatusCode::BAD_REQUEST, "the URL has an odd host\n".to_owned());
    };
    parts.uri = uri;
    strip(&mut parts.headers);
    // The body's length is told one way only: whoever reads two could end the message elsewhere.
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        parts.headers.remove(CONTENT_LENGTH);
    }
    parts.headers.insert(HOST, authority);
    match sender.send_request(Request::from_parts(parts, body)).await {
        Ok(response) => {
            let mut response = response.map(BodyExt::boxed);
            strip(response.headers_mut());
            response
        }
        Err(error) => failed(error),
    }
}

/// Takes away what `Connection` names and what always belongs to one connection.
fn strip(headers: &mut hyper::HeaderMap) {
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

/// The status and the words of a destination that was not reached.
fn refusal(host: &str, error: &connect::Error) -> (StatusCode, String) {
    match error {
        connect::Error::Refused { .. } => (
            StatusCode::FORBIDDEN,
            format!(
                "clauderon: {error}, and a session reaches such an address only where its manifest names it.\n\
                 To permit it, add to clauderon.yaml and run `clauderon up`:\n\n\
                 proxy:\n  hosts:\n    {host}: {{address: \"HOST:PORT\"}}\n"
            ),
        ),
        _ => (StatusCode::BAD_GATEWAY, format!("clauderon: {error}\n")),
    }
}

fn said(status: StatusCode, words: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(words)).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn empty() -> Body {
    Full::new(Bytes::new()).map_err(|never| match never {}).boxed()
}
