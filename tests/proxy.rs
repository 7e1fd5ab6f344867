//! The forward proxy, spoken to as a container speaks to it, before servers on 127.0.0.1 that the policy names.

use crate::support::wire::{caller, installation, tunnelled};
use clauderon::proxy::caller::Caller;
use clauderon::proxy::forward::serve;
use clauderon::proxy::policy::Policy;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(8);

/// A proxy and its log.
struct Proxy {
    directory: tempfile::TempDir,
    caller: Arc<Caller>,
}

impl Proxy {
    fn new(hosts: &[(&str, &TcpListener)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = |listener: &TcpListener| tunnelled(listener.local_addr().unwrap());
        let hosts: BTreeMap<_, _> =
            hosts.iter().map(|(name, listener)| ((*name).to_owned(), host(listener))).collect();
        let caller = caller(Arc::new(installation(directory.path()).0), Policy { hosts });
        Self { directory, caller }
    }

    /// A connection of the container's, and the task that serves it.
    fn connect(&self) -> (DuplexStream, JoinHandle<()>) {
        let (inside, outside) = duplex(64 << 10);
        let caller = Arc::clone(&self.caller);
        let served = tokio::spawn(async move {
            // A connection that breaks off is no failure of the proxy.
            let _ = serve(outside, caller, CancellationToken::new()).await;
        });
        (inside, served)
    }

    /// Sends bytes on a connection of their own, and reads the answer to its end.
    async fn ask(&self, request: &str) -> String {
        let (mut inside, _) = self.connect();
        inside.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // What was read before a connection is reset counts.
        let _ = timeout(SOON, inside.read_to_end(&mut bytes))
            .await
            .unwrap_or_else(|_| panic!("no end: {request}: {bytes:?}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The log, once it has this many lines.
    async fn lines(&self, count: usize) -> Vec<Value> {
        let read = async {
            loop {
                let text = std::fs::read_to_string(self.directory.path().join("audit.jsonl")).unwrap();
                if text.lines().count() >= count {
                    return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, read).await.expect("the log has too few lines")
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    // What was read before a connection is reset counts.
    let _ = timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("no end came");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until the text holds this.
async fn read_until(stream: &mut (impl AsyncReadExt + Unpin), end: &str) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&bytes).contains(end) {
            let count = stream.read_buf(&mut bytes).await.unwrap();
            assert!(count > 0, "ended after `{}`", String::from_utf8_lossy(&bytes));
        }
    };
    let done = timeout(SOON, read).await.is_ok();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(done, "`{end}` did not come: `{text}`");
    text
}

/// Takes one request up to this text, answers it, and tells what it was.
fn upstream(listener: TcpListener, end: &'static str, response: &'static str) -> JoinHandle<String> {
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_until(&mut stream, end).await;
        stream.write_all(response.as_bytes()).await.unwrap();
        request
    })
}

const OK: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-Kept: 1\r\n\r\nok";

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways_and_its_halves_end_apart() {
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener)]);
    let (mut inside, served) = proxy.connect();
    inside.write_all(b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n").await.unwrap();
    assert!(read_until(&mut inside, "\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    let (mut outside, _) = listener.accept().await.unwrap();
    inside.write_all(b"\0hello").await.unwrap();
    inside.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut outside).await, "\0hello");
    outside.write_all(b"goodbye").await.unwrap();
    drop(outside);
    assert_eq!(read_to_end(&mut inside).await, "goodbye");
    timeout(SOON, served).await.unwrap().unwrap();
    let line = &proxy.lines(1).await[0];
    assert_eq!((&line["decision"], &line["status"]), (&"tunnel".into(), &200.into()));
    assert_eq!((&line["bytes_in"], &line["bytes_out"]), (&6.into(), &7.into()));
    assert_eq!(
        (&line["host"], &line["port"], &line["path"]),
        (&"api.example".into(), &443.into(), &Value::Null)
    );
}

#[tokio::test]
async fn a_tunnel_belongs_to_its_connection() {
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener)]);
    let (mut inside, served) = proxy.connect();
    inside.write_all(b"CONNECT api.example:443 HTTP/1.1\r\n\r\n").await.unwrap();
    read_until(&mut inside, "\r\n\r\n").await;
    let (mut outside, _) = listener.accept().await.unwrap();
    inside.write_all(b"told").await.unwrap();
    read_until(&mut outside, "told").await;
    // Who counts connections counts tunnels.
    assert!(!served.is_finished());
    // Who ends the connection ends the tunnel, and what flowed is told all the same.
    served.abort();
    assert_eq!(read_to_end(&mut outside).await, "");
    let line = &proxy.lines(1).await[0];
    assert_eq!((&line["bytes_in"], &line["decision"]), (&4.into(), &"tunnel".into()));
}

#[tokio::test]
async fn a_plain_request_goes_on_as_the_url_says() {
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener)]);
    let seen = upstream(listener, "\r\n\r\n", OK);
    let answer = proxy
        .ask(
            "GET http://API.example:8080/a%20b/../c?key=hidden HTTP/1.1\r\nHost: evil.example\r\n\
             Authorization: Bearer hidden\r\nProxy-Authorization: Basic hidden\r\nProxy-Connection: keep-alive\r\n\
             Connection: close, x-mine\r\nX-Mine: 1\r\nX-Kept: 1\r\nTE: gzip, trailers\r\nUpgrade: websocket\r\n\
             Keep-Alive: timeout=1\r\n\r\n",
        )
        .await;
    let seen = seen.await.unwrap().to_ascii_lowercase();
    assert!(seen.starts_with("get /a%20b/../c?key=hidden http/1.1\r\n"), "{seen}");
    assert!(seen.contains("\r\nhost: api.example:8080\r\n"), "{seen}");
    assert!(
        seen.contains("\r\nx-kept: 1\r\n") && seen.contains("\r\nauthorization: bearer hidden\r\n"),
        "{seen}"
    );
    for gone in ["evil", "proxy-", "\r\nx-mine", "upgrade", "keep-alive", "\r\nconnection", "gzip"] {
        assert!(!seen.contains(gone), "`{gone}` went on: {seen}");
    }
    let answer = answer.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 200 ok") && answer.ends_with("ok"), "{answer}");
    assert!(answer.contains("x-kept") && !answer.contains("x-hop"), "{answer}");
    // The log has the path, and nothing that opens anything.
    let line = &proxy.lines(1).await[0];
    assert_eq!((&line["path"], &line["decision"]), (&"/a%20b/../c".into(), &"pass".into()));
    assert_eq!((&line["project"], &line["session"]), (&"shop".into(), &"login".into()));
    assert!(!line.to_string().contains("hidden"), "{line}");
}

#[tokio::test]
async fn a_body_streams_while_it_is_made() {
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener)]);
    let (mut inside, _served) = proxy.connect();
    inside.write_all(b"GET http://api.example/ HTTP/1.1\r\n\r\n").await.unwrap();
    let (mut outside, _) = listener.accept().await.unwrap();
    read_until(&mut outside, "\r\n\r\n").await;
    outside.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await.unwrap();
    read_until(&mut inside, "first").await;
    outside.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
    read_until(&mut inside, "second").await;
}

#[tokio::test]
async fn two_requests_on_one_connection_go_to_two_hosts() {
    let (one, two) = (listen().await, listen().await);
    let proxy = Proxy::new(&[("one.example", &one), ("two.example", &two)]);
    let (mut inside, _served) = proxy.connect();
    for (name, listener) in [("one.example", one), ("two.example", two)] {
        let seen = upstream(listener, "\r\n\r\n", OK);
        let request = format!("GET http://{name}/ HTTP/1.1\r\nHost: one.example\r\n\r\n");
        inside.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut inside, "\r\n\r\nok").await;
        assert!(seen.await.unwrap().contains(&format!("{name}\r\n")));
    }
    let hosts: Vec<_> = proxy.lines(2).await.iter().map(|line| line["host"].clone()).collect();
    assert_eq!(hosts, ["one.example", "two.example"]);
}

#[tokio::test]
async fn the_host_is_refused_however_it_is_spelled() {
    let listener = listen().await;
    let port = listener.local_addr().unwrap().port();
    let proxy = Proxy::new(&[("api.example", &listener)]);
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "169.254.169.254",
        "10.0.0.1",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
    ];
    for host in hosts {
        let connect = format!("CONNECT {host}:{port} HTTP/1.1\r\nConnection: close\r\n\r\n");
        let plain = format!("GET http://{host}:{port}/ HTTP/1.1\r\nConnection: close\r\n\r\n");
        for request in [connect, plain] {
            let answer = proxy.ask(&request).await;
            let refused = ["HTTP/1.1 403 ", "HTTP/1.1 400 ", "HTTP/1.1 502 "];
            assert!(refused.iter().any(|status| answer.starts_with(status)), "{request}: {answer}");
        }
    }
    let answer = proxy.ask("GET http://127.0.0.1/ HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.contains("proxy:\n  hosts:\n    \"127.0.0.1\": "),
        "{answer}"
    );
    let last = proxy.lines(1).await.pop().unwrap();
    assert_eq!((&last["decision"], &last["status"]), (&"deny".into(), &403.into()));
    // Nothing of all that came as far as the server.
    assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err());
}

#[tokio::test]
async fn what_names_no_destination_is_no_request() {
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener), ("user@api.example", &listener)]);
    let long = format!("GET http://{}/ HTTP/1.1", "a".repeat(5000));
    for request in [
        "GET / HTTP/1.1\r\nHost: api.example",
        "OPTIONS * HTTP/1.1\r\nHost: api.example",
        "CONNECT api.example HTTP/1.1",
        "CONNECT user@api.example:443 HTTP/1.1",
        "CONNECT api.example:443/path HTTP/1.1",
        "CONNECT api.example:99999 HTTP/1.1",
        "CONNECT http://api.example:443/ HTTP/1.1",
        "GET http://user:word@api.example/ HTTP/1.1",
        "GET http://api.example:99999/ HTTP/1.1",
        "GET https://api.example/ HTTP/1.1",
        "GET ftp://api.example/ HTTP/1.1",
        "GET http:///etc HTTP/1.1",
        "GET http://api.example/ HTTP/1.1\r\nHost : a\r\nBad\nHeader",
        "PRI * HTTP/2.0",
        "\x16\x03\x01\x02",
        &long,
    ] {
        let answer = proxy.ask(&format!("{request}\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{request}: {answer}");
    }
    assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err());
}

#[tokio::test]
async fn a_message_has_one_end() {
    for (headers, body) in [
        ("Content-Length: 3\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3", "5\r\nhello\r\n0\r\n\r\n"),
        ("Connection: transfer-encoding\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("Connection: content-length\r\nContent-Length: 5", "hello"),
    ] {
        let listener = listen().await;
        let proxy = Proxy::new(&[("api.example", &listener)]);
        let seen = upstream(listener, "hello", OK);
        let (mut inside, _served) = proxy.connect();
        let request = format!("POST http://api.example/ HTTP/1.1\r\n{headers}\r\n\r\n{body}");
        inside.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut inside, "ok").await;
        let seen = seen.await.unwrap().to_ascii_lowercase();
        let told =
            seen.matches("\r\ncontent-length:").count() + seen.matches("\r\ntransfer-encoding:").count();
        assert_eq!(told, 1, "{headers}: {seen}");
    }
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener)]);
    for headers in ["Content-Length: 3\r\nContent-Length: 5", "Content-Length: +5", "Transfer-Encoding: gzip"]
    {
        let request = format!("POST http://api.example/ HTTP/1.1\r\n{headers}\r\n\r\nhello");
        let answer = proxy.ask(&request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
    }
    assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err());
}

#[tokio::test]
async fn a_server_cannot_turn_a_request_into_a_tunnel() {
    let plain = "GET http://api.example/ HTTP/1.1\r\nConnection: close\r\n\r\n";
    let h2c = "GET http://api.example/ HTTP/1.1\r\nConnection: close, upgrade, http2-settings\r\n\
               Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    let websocket =
        "GET http://api.example/ HTTP/1.1\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n";
    for (request, granted) in [(plain, "websocket"), (h2c, "h2c"), (websocket, "h2c")] {
        let listener = listen().await;
        let proxy = Proxy::new(&[("api.example", &listener)]);
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {granted}\r\n\r\nsmuggled"
        );
        let _seen = upstream(listener, "\r\n\r\n", response.leak());
        let answer = proxy.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 502 ") && !answer.contains("smuggled"), "{request}: {answer}");
    }
}

#[tokio::test]
async fn a_websocket_without_tls_is_carried_when_its_server_says_so() {
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener)]);
    let (mut inside, _served) = proxy.connect();
    let request = "GET http://api.example/chat HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    inside.write_all(request.as_bytes()).await.unwrap();
    let (mut outside, _) = listener.accept().await.unwrap();
    let seen = read_until(&mut outside, "\r\n\r\n").await.to_ascii_lowercase();
    for header in ["get /chat http/1.1", "host: api.example", "connection: upgrade", "upgrade: websocket"] {
        assert!(seen.contains(&format!("{header}\r\n")), "{header}: {seen}");
    }
    assert!(seen.contains("sec-websocket-key: x\r\nsec-websocket-protocol: chat\r\n"), "{seen}");
    let granted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Protocol: chat\r\n\r\nearly ";
    outside.write_all(granted.as_bytes()).await.unwrap();
    assert!(read_until(&mut inside, "early ").await.contains("sec-websocket-protocol: chat\r\n"));
    inside.write_all(b"up").await.unwrap();
    read_until(&mut outside, "up").await;
    // Each half ends by itself.
    inside.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut outside).await, "");
    outside.write_all(b"last").await.unwrap();
    drop(outside);
    assert_eq!(read_to_end(&mut inside).await, "last");
    let line = &proxy.lines(1).await[0];
    assert_eq!(
        (&line["status"], &line["bytes_in"], &line["bytes_out"]),
        (&101.into(), &2.into(), &10.into())
    );
}

#[tokio::test]
async fn a_caller_who_closes_his_half_is_answered() {
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener)]);
    let (mut inside, _served) = proxy.connect();
    inside.write_all(b"GET http://api.example/ HTTP/1.1\r\n\r\n").await.unwrap();
    inside.shutdown().await.unwrap();
    let _seen = upstream(listener, "\r\n\r\n", OK);
    let answer = read_to_end(&mut inside).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"), "{answer}");
}

#[tokio::test]
async fn a_caller_that_leaves_early_leaves_its_line() {
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener)]);
    let (mut inside, _) = proxy.connect();
    inside
        .write_all(b"POST http://api.example/secret HTTP/1.1\r\nContent-Length: 4\r\n\r\ntold")
        .await
        .unwrap();
    let (mut outside, _): (TcpStream, _) = listener.accept().await.unwrap();
    read_until(&mut outside, "told").await;
    drop(inside);
    let line = &proxy.lines(1).await[0];
    assert_eq!((&line["method"], &line["path"]), (&"POST".into(), &"/secret".into()));
    assert!(line["reason"].is_string(), "{line}");
}

#[tokio::test]
async fn a_line_of_the_log_is_short_and_one_line() {
    let listener = listen().await;
    let proxy = Proxy::new(&[("api.example", &listener)]);
    let _seen = upstream(listener, "\r\n\r\n", OK);
    let long = "x".repeat(30_000);
    let request =
        format!("{} http://api.example/{long} HTTP/1.1\r\nConnection: close\r\n\r\n", "M".repeat(5000));
    assert!(proxy.ask(&request).await.starts_with("HTTP/1.1 200 "));
    let line = proxy.lines(1).await.pop().unwrap();
    assert!(line.to_string().len() < 2500, "{}", line.to_string().len());
}
