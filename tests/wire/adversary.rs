//! The hostile client: names that do not agree, messages read in two ways, bytes that are no HTTP, and no bytes at all.

use super::upstream::{Upstream, serve, whole};
use super::{SOON, Setting, Wire};
use clauderon::proxy::connect::Resolve;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Response;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A wire before an upstream that writes down which URLs it was asked for.
async fn seen() -> (Wire, Upstream, Arc<Mutex<Vec<String>>>) {
    let setting = Setting::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let writing = Arc::clone(&seen);
    let upstream = serve(&setting.identity, &["h2", "http/1.1"], move |request| {
        let authority = request.uri().authority().map(ToString::to_string);
        writing.lock().unwrap().push(format!("{authority:?} {}", request.uri().path()));
        async { Response::new(whole("reached")) }
    });
    let upstream = upstream.await;
    let setting = setting.host("api.example", upstream.address).host("other.example", upstream.address);
    (setting.start().await, upstream, seen)
}

fn tls(wire: &Wire, server_name: bool) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let text = std::fs::read(wire.path("ca.pem")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&text).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_sni = server_name;
    TlsConnector::from(Arc::new(config))
}

pub async fn shake(wire: &Wire, connect: &str, name: &'static str) -> TlsStream<TcpStream> {
    let stream = wire.connect(connect).await;
    tls(wire, true).connect(ServerName::try_from(name).unwrap(), stream).await.unwrap()
}

/// Says this on a connection and answers all that comes back.
pub async fn say(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // What was read before a connection is reset counts.
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("no end came");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_for_one_host_inside_a_connect_to_another_is_misdirected() {
    let (wire, upstream, _) = seen().await;
    for name in ["other.example", "evil.example"] {
        for host in ["api.example", name] {
            let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = say(shake(&wire, "api.example:443", name).await, request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains(name), "{answer}");
        }
    }
    assert_eq!(upstream.connections(), 0);
    let line = &wire.lines(4).await[0];
    assert_eq!((&line["decision"], &line["status"]), (&"deny".into(), &421.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_one_host_on_the_connection_of_another_is_misdirected() {
    let (wire, upstream, _) = seen().await;
    for head in [
        "GET / HTTP/1.1\r\nHost: other.example",
        "GET / HTTP/1.1\r\nHost: api.example:8443",
        "GET / HTTP/1.1\r\nHost: api.example.",
        "GET https://other.example/ HTTP/1.1\r\nHost: api.example",
        "GET https://api.example/ HTTP/1.1\r\nHost: other.example",
        "GET http://api.example/ HTTP/1.1\r\nHost: api.example",
        "GET / HTTP/1.1\r\nHost: api.example\r\nHost: other.example",
        "GET / HTTP/1.1\r\nX-None: 1",
        "CONNECT other.example:443 HTTP/1.1\r\nHost: api.example",
        "GET https://user:word@api.example/ HTTP/1.1\r\nHost: api.example",
    ] {
        let request = format!("{head}\r\nConnection: close\r\n\r\n");
        let answer = say(shake(&wire, "api.example:443", "api.example").await, request.as_bytes()).await;
        // A dot at the end is the same name.
        let same = head.ends_with("api.example.");
        let expected: &[&str] = if same { &["200"] } else { &["421", "400"] };
        assert!(expected.iter().any(|code| answer.get(9..12) == Some(code)), "{head}: {answer}");
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_switched_on_an_http2_connection_is_misdirected() {
    let (wire, _upstream, seen) = seen().await;
    let client = wire.peer("h2_client.py", &[&wire.address.port().to_string(), "ca.pem"]).output();
    let output = timeout(super::LONG, client).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        said,
        "api.example 200\nother.example 421\nother.example in Host 421\nhttp 421\nCONNECT 400\napi.example 200\n"
    );
    assert_eq!(*seen.lock().unwrap(), ["Some(\"api.example\") /", "Some(\"api.example\") /"]);
    // curl, which puts a Host header into `:authority`.
    let got =
        wire.curl(&["--http2", "-H", "Host: other.example", "-w", "%{http_code}", "https://api.example/"]);
    assert!(got.await.ends_with("421"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_read_in_one_way() {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: api.example\r\n\r\n";
    for (head, body) in [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", format!("0\r\n\r\n{hidden}")),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4", format!("0\r\n\r\n{hidden}")),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", format!("0\r\n\r\n{hidden}")),
        ("Transfer-Encoding: xchunked", hidden.to_owned()),
        ("Transfer-Encoding : chunked", format!("0\r\n\r\n{hidden}")),
        ("X: 1\r\n Transfer-Encoding: chunked", hidden.to_owned()),
        ("X: 1\nContent-Length: 0", hidden.to_owned()),
        ("Content-Length: 0\r\nContent-Length: 45", hidden.to_owned()),
        ("Content-Length: +0", hidden.to_owned()),
        ("X: 1\rY: 2", hidden.to_owned()),
        ("X: \0", hidden.to_owned()),
    ] {
        let (wire, _upstream, seen) = seen().await;
        let request = format!("POST /seen HTTP/1.1\r\nHost: api.example\r\n{head}\r\n\r\n{body}");
        let mut stream = shake(&wire, "api.example:443", "api.example").await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_millis(700), stream.read_to_end(&mut answer)).await;
        let asked = String::from_utf8_lossy(&answer).matches("HTTP/1.1 ").count();
        let reached = seen.lock().unwrap().len();
        // Each request that an upstream has seen is one that the proxy has read, judged and written down.
        let passed = async {
            loop {
                let text = std::fs::read_to_string(wire.path("audit.jsonl")).unwrap();
                if text.matches("\"decision\":\"pass\"").count() >= reached {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let text = timeout(SOON, passed).await.unwrap_or_else(|_| panic!("{head:?}: not written down"));
        assert_eq!(text.matches("\"decision\":\"pass\"").count(), reached, "{head:?}: {text}");
        assert!(asked >= reached, "{head:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_neither_tls_nor_http_is_closed_and_never_carried() {
    let (wire, upstream, _) = seen().await;
    for bytes in
        [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"\0\0\0\x08\x04\xd2\x16\x2f", b"hello\r\n", b"\x80\x2e\x01"]
    {
        let answer = say(wire.connect("api.example:443").await, bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{bytes:?}: {answer}");
    }
    let answer = say(wire.connect("api.example:443").await, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = say(wire.connect("api.example:443").await, b"\x16\x03\x01\x00\x05hello").await;
    assert!(!answer.contains("reached"), "{answer}");
    assert_eq!(upstream.connections(), 0);
    let lines = wire.lines(4).await;
    let told = lines
        .iter()
        .filter(|line| line["reason"].as_str().is_some_and(|it| it.contains("neither TLS nor HTTP")));
    assert!(told.count() >= 3, "{lines:?}");
    assert!(lines.iter().all(|line| line["decision"] == "deny"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_in_a_connect_stays_plain_and_is_read() {
    let (wire, upstream, seen) = seen().await;
    // The upstream speaks TLS: plain words reach it as what they are, and no policy takes them for more.
    let request = b"GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n";
    let answer = say(wire.connect("api.example:443").await, request).await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    assert_eq!((upstream.connections(), seen.lock().unwrap().len()), (0, 0));
    let request = b"GET / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n";
    let answer = say(wire.connect("api.example:443").await, request).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
}

/// A pipe into a connection that gives one byte at a time.
async fn crumbs(from: tokio::io::DuplexStream, to: TcpStream) {
    let (mut reading, mut writing) = to.into_split();
    let (mut inside, mut outside) = tokio::io::split(from);
    let slowly = async {
        let mut byte = [0];
        while inside.read_exact(&mut byte).await.is_ok() {
            if writing.write_all(&byte).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(slowly, tokio::io::copy(&mut reading, &mut outside)).1.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_in_crumbs_and_without_a_name_is_understood() {
    let (wire, _upstream, _) = seen().await;
    let request = b"GET / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n";
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(crumbs(far, wire.connect("api.example:443").await));
    let name = ServerName::try_from("api.example").unwrap();
    let stream = timeout(SOON, tls(&wire, true).connect(name.clone(), near)).await.unwrap().unwrap();
    assert!(say(stream, request).await.ends_with("reached"));
    let stream = tls(&wire, false).connect(name, wire.connect("api.example:443").await).await.unwrap();
    assert!(say(stream, request).await.ends_with("reached"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_or_does_not_go_on_is_let_go() {
    let (wire, upstream, _) = seen().await;
    let silent = say(wire.connect("api.example:443").await, b"");
    // The beginning of a ClientHello, and no more.
    let stalled = say(wire.connect("api.example:443").await, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    let (silent, stalled) = tokio::join!(silent, stalled);
    assert_eq!(silent, "");
    assert!(!stalled.contains("reached"));
    assert_eq!(upstream.connections(), 0);
    let lines = wire.lines(2).await;
    assert!(lines.iter().all(|line| line["reason"].as_str().unwrap().contains("within 10 s")), "{lines:?}");
}

/// Answers each look-up with the next of these.
struct Rebinding(Vec<SocketAddr>, AtomicUsize);

impl Resolve for Rebinding {
    fn resolve(
        &self,
        _: String,
        _: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        let address = self.0[self.1.fetch_add(1, Ordering::SeqCst).min(self.0.len() - 1)];
        async move { Ok(vec![address]) }.boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_this_machine_the_second_time_is_not_dialled() {
    let setting = Setting::new();
    let upstream = serve(&setting.identity, &["h2"], |_| async { Response::new(whole("reached")) }).await;
    let mut setting = setting;
    // The first, public, answer is only looked at: nothing is dialled before a request comes.
    let addresses = vec!["203.0.114.1:443".parse().unwrap(), upstream.address];
    let installation = Arc::get_mut(&mut setting.installation).unwrap();
    installation.resolver = Arc::new(Rebinding(addresses, AtomicUsize::new(0)));
    let wire = setting.start().await;
    let got = wire.curl(&["-w", "%{http_code}", "https://api.example/"]).await;
    assert!(got.ends_with("403") && got.contains("loopback"), "{got}");
    assert_eq!(upstream.connections(), 0);
    let line = &wire.lines(1).await[0];
    assert_eq!((&line["decision"], &line["method"]), (&"deny".into(), &"GET".into()));
}
