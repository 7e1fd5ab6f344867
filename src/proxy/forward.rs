//! One connection of a container to the proxy: a CONNECT tunnel, or plain HTTP requests in absolute form.

use super::audit::{Audit, Entry, Line};
use super::connect::{self, dial};
use super::pass::pass;
use super::policy::{Policy, decide};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
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

pub(super) type Body = BoxBody<Bytes, hyper::Error>;

/// The tunnel that a connection becomes. It runs where the connection ran, so that who counts and ends connections
/// counts and ends tunnels.
type Tunnel = Arc<Mutex<Option<BoxFuture<'static, ()>>>>;

/// The longest name that there is.
const LONGEST_HOST: usize = 253;

/// What is read ahead of a caller or an upstream, heads included: hundreds of connections must not fill the memory.
pub(super) const MOST_AHEAD: usize = 64 << 10;

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
        .header_read_timeout(Duration::from_secs(60))
        .max_buf_size(MOST_AHEAD)
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
    let line = Line {
        project: caller.project.clone(),
        session: caller.session.clone(),
        method: request.method().to_string(),
        path: (!connect).then(|| request.uri().path().to_owned()),
        decision: if connect { "tunnel" } else { "pass" },
        ..Line::default()
    };
    let mut entry = Entry::begin(audit, line);
    let (host, port) = match destination(&request) {
        Ok(both) => both,
        Err(words) => return refuse(&mut entry, StatusCode::BAD_REQUEST, words, format!("{words}\n")),
    };
    entry.line.host.clone_from(&host);
    entry.line.port = port;
    let upstream = match dial(&decide(&host, port, &caller.policy)).await {
        Ok(upstream) => upstream,
        Err(error) => {
            let (status, words) = refusal(&host, &error);
            return refuse(&mut entry, status, &error.to_string(), words);
        }
    };
    if connect {
        let tunnel = tunnel(request, upstream, entry).boxed();
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
        return Response::new(empty());
    }
    pass(request, upstream, entry).await
}

/// Answers instead of the destination, and writes down why. What was not even tried is a denial.
pub(super) fn refuse(entry: &mut Entry, status: StatusCode, reason: &str, words: String) -> Response<Body> {
    entry.line.status = status.as_u16();
    entry.line.reason = Some(reason.to_owned());
    if status.is_client_error() {
        entry.line.decision = "deny";
    }
    let mut response = Response::new(Full::new(Bytes::from(words)).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The host and port that a request names: CONNECT's authority, or the whole URL of plain HTTP.
fn destination(request: &Request<Incoming>) -> Result<(String, u16), &'static str> {
    let (uri, connect) = (request.uri(), request.method() == Method::CONNECT);
    let authority = uri.authority().ok_or("this is a proxy: ask it for a whole URL, or with CONNECT")?;
    if authority.as_str().contains('@') {
        return Err("a name and a password belong into a header, not before the host");
    }
    let port = match (connect, uri.scheme_str()) {
        (true, None) => authority.port_u16().ok_or("CONNECT needs a port")?,
        // A port that is no number is not the default one.
        (false, Some("http")) => match authority.as_str().strip_prefix(authority.host()) {
            Some("" | ":") => 80,
            _ => authority.port_u16().ok_or("that is no port")?,
        },
        _ => return Err("only http:// URLs are passed on; others go through CONNECT"),
    };
    // What follows a CONNECT is the tunnel's: a length would let the two ends disagree where it begins.
    if connect && [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| request.headers().contains_key(name))
    {
        return Err("CONNECT has no body");
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if !(1..=LONGEST_HOST).contains(&host.len()) || port == 0 {
        return Err("that is no host and port");
    }
    Ok((host, port))
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

/// The status and the words of a destination that was not reached.
fn refusal(host: &str, error: &connect::Error) -> (StatusCode, String) {
    match error {
        connect::Error::Refused { .. } => (
            StatusCode::FORBIDDEN,
            format!(
                "clauderon: {error}, and a session reaches such an address only where its manifest names it.\n\
                 To permit it, add to clauderon.yaml and run `clauderon up`:\n\n\
                 proxy:\n  hosts:\n    \"{host}\": {{address: \"HOST:PORT\"}}\n"
            ),
        ),
        _ => (StatusCode::BAD_GATEWAY, format!("clauderon: {error}\n")),
    }
}

fn empty() -> Body {
    Full::new(Bytes::new()).map_err(|never| match never {}).boxed()
}
