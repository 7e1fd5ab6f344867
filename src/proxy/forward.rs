//! One connection of a container to the proxy: a CONNECT tunnel, or plain HTTP requests in absolute form.

use super::audit::{Audit, Line};
use super::connect::{self, dial};
use super::policy::{Policy, decide};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};

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
    let service = service_fn(move |request| {
        let (caller, audit) = (Arc::clone(&caller), Arc::clone(&audit));
        async move { Ok::<_, Infallible>(answer(request, caller, audit).await) }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
}

async fn answer(request: Request<Incoming>, caller: Arc<Caller>, audit: Arc<Audit>) -> Response<Body> {
    let start = Instant::now();
    let connect = request.method() == Method::CONNECT;
    let Some((host, port)) = destination(request.uri(), connect) else {
        return said(
            StatusCode::BAD_REQUEST,
            "this is a proxy: ask it for a whole URL, or with CONNECT\n".to_owned(),
        );
    };
    let mut line = Line {
        time: format!("{:.3}", jiff::Timestamp::now()),
        project: caller.project.clone(),
        session: caller.session.clone(),
        host: host.clone(),
        port,
        method: request.method().to_string(),
        path: (!connect).then(|| request.uri().path().to_owned()),
        decision: if connect { "tunnel" } else { "pass" },
        ..Line::default()
    };
    let upstream = match dial(&decide(&host, port, &caller.policy)).await {
        Ok(upstream) => upstream,
        Err(error) => {
            let (status, words) = refusal(&host, &error);
            line.status = status.as_u16();
            line.reason = Some(error.to_string());
            if status == StatusCode::FORBIDDEN {
                line.decision = "deny";
            }
            line.ms = milliseconds(start);
            audit.write(&line);
            return said(status, words);
        }
    };
    if connect {
        tokio::spawn(tunnel(request, upstream, line, start, audit));
        return Response::new(empty());
    }
    let response = pass(request, upstream, &host, port).await;
    line.status = response.status().as_u16();
    line.ms = milliseconds(start);
    audit.write(&line);
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
        (false, Some("http")) => authority.port_u16().unwrap_or(80),
        _ => return None,
    };
    (!host.is_empty()).then_some((host, port))
}

async fn tunnel(
    request: Request<Incoming>,
    mut upstream: tokio::net::TcpStream,
    mut line: Line,
    start: Instant,
    audit: Arc<Audit>,
) {
    match hyper::upgrade::on(request).await {
        Ok(upgraded) => {
            line.status = 200;
            match copy_bidirectional(&mut TokioIo::new(upgraded), &mut upstream).await {
                Ok((bytes_in, bytes_out)) => (line.bytes_in, line.bytes_out) = (bytes_in, bytes_out),
                Err(error) => line.reason = Some(error.to_string()),
            }
        }
        Err(error) => line.reason = Some(error.to_string()),
    }
    line.ms = milliseconds(start);
    audit.write(&line);
}

/// Sends a plain request on over a connection of its own.
async fn pass(
    request: Request<Incoming>,
    upstream: tokio::net::TcpStream,
    host: &str,
    port: u16,
) -> Response<Body> {
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

fn milliseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
