//! What travels inside a CONNECT: TLS is ended here with a certificate of ours and read, plain HTTP is read, all else is
//! closed.

use super::agree::{Place, normal};
use super::audit::Entry;
use super::caller::Caller;
use super::exchange::answer;
use super::serve::{Speech, serve};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use rustls::server::Acceptor;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// How long the first byte, and then a whole handshake, may take.
const OPENING: Duration = Duration::from_secs(10);
/// The first byte of TLS.
const TLS: u8 = 0x16;

type Inside = BufReader<TokioIo<Upgraded>>;

/// Serves what is inside. The line of the CONNECT is written only where nothing came of it.
pub(super) async fn intercept(
    upgraded: OnUpgrade,
    place: Place,
    caller: Arc<Caller>,
    mut entry: Entry,
    stop: CancellationToken,
) {
    match begin(upgraded, place, &caller).await {
        Ok(Begun::Tls(stream, place)) => {
            entry.dismiss();
            let speech = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Speech::Http2,
                _ => Speech::Http1,
            };
            requests(*stream, speech, place, caller, &stop).await;
        }
        Ok(Begun::Plain(stream, place)) => {
            entry.dismiss();
            requests(stream, Speech::Plain, place, caller, &stop).await;
        }
        Err(reason) => {
            entry.line.status = 200;
            entry.line.decision = "deny";
            entry.line.reason = Some(reason);
        }
    }
}

enum Begun {
    Tls(Box<TlsStream<Inside>>, Place),
    Plain(Inside, Place),
}

async fn begin(upgraded: OnUpgrade, place: Place, caller: &Caller) -> Result<Begun, String> {
    let upgraded = upgraded.await.map_err(|error| error.to_string())?;
    let mut stream = BufReader::new(TokioIo::new(upgraded));
    let first = tokio::time::timeout(OPENING, stream.fill_buf()).await;
    let first = first.map_err(|_| nothing())?.map_err(|error| error.to_string())?;
    match first {
        [] => Err("the session went away".to_owned()),
        [TLS, ..] => {
            let shaken = tokio::time::timeout(OPENING, handshake(stream, place, caller)).await;
            shaken.map_err(|_| format!("TLS was not begun within {} s", OPENING.as_secs()))?
        }
        first if is_http(first) => Ok(Begun::Plain(stream, Place { secure: false, ..place })),
        _ => Err(format!(
            "neither TLS nor HTTP came: where `{}` speaks something else, it has to be a tunnel",
            place.host
        )),
    }
}

/// Whether bytes begin as HTTP/1.1 does: with a method. HTTP/2 without TLS begins with `PRI`, and is not spoken here.
fn is_http(bytes: &[u8]) -> bool {
    let word = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    let method = word.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
    method && !word.is_empty() && word != b"PRI"
}

fn nothing() -> String {
    format!("nothing came within {} s: neither TLS nor HTTP", OPENING.as_secs())
}

/// TLS with a leaf for the name that the caller asks for, or that CONNECT named.
async fn handshake(stream: Inside, mut place: Place, caller: &Caller) -> Result<Begun, String> {
    let accepted = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
    let accepted = accepted.map_err(|error| format!("what came is no TLS: {error}"))?;
    place.server_name = accepted.client_hello().server_name().map(normal);
    let name = place.server_name.as_deref().unwrap_or(&place.host);
    let config = caller.installation.leaves.config(name).map_err(|error| error.to_string())?;
    let stream = accepted.into_stream(config).await;
    let stream = stream.map_err(|error| format!("the session does not trust the proxy: {error}"))?;
    Ok(Begun::Tls(Box::new(stream), place))
}

async fn requests<S>(stream: S, speech: Speech, place: Place, caller: Arc<Caller>, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let place = Arc::new(place);
    let served = serve(stream, speech, stop, |request, next| {
        answer(request, Arc::clone(&place), Arc::clone(&caller), next)
    });
    if let Err(error) = served.await {
        tracing::debug!(host = place.host, %error, "an intercepted connection broke off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_begins_with_a_method() {
        for begun in ["GET / HTTP/1.1\r\n", "G", "VERSION-CONTROL /", "POST"] {
            assert!(is_http(begun.as_bytes()), "{begun}");
        }
        for begun in ["SSH-2.0-x\r\n", "PRI * HTTP/2.0\r\n", "get / HTTP/1.1", " GET", "EHLO\r\n", "\0"] {
            assert!(!is_http(begun.as_bytes()), "{begun:?}");
        }
    }
}
