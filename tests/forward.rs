//! The proxy at its limits: streams, early ends, counts and words; `proxy.rs` has what it lets through and what not.

mod plain;
mod refusal;
mod tunnel;

use crate::support::wire::{carried, installation, named};
use clauderon::proxy::caller::Caller;
use clauderon::proxy::forward::serve;
use clauderon::proxy::policy::Policy;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

/// A proxy for one session, whose log is a file of the test's own.
struct Proxy {
    directory: tempfile::TempDir,
    caller: Arc<Caller>,
}

impl Proxy {
    /// A proxy whose policy names these hosts, each carried unread where it is asked for by CONNECT.
    fn naming<const N: usize>(hosts: [(&str, SocketAddr); N]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let hosts = hosts.map(|(name, address)| (name.to_owned(), named(address)));
        let policy = Policy { hosts: BTreeMap::from(hosts) };
        let caller = carried(Arc::new(installation(directory.path()).0), policy);
        Self { directory, caller }
    }

    /// A connection of the container's.
    fn connect(&self) -> UnixStream {
        let (inside, outside) = UnixStream::pair().unwrap();
        tokio::spawn(serve(outside, Arc::clone(&self.caller), CancellationToken::new()));
        inside
    }

    /// What is answered to one request, the only one of its connection.
    async fn ask(&self, request: impl AsRef<str>) -> String {
        let mut stream = self.connect();
        let only = request.as_ref().replacen(" HTTP/1.1\r\n", " HTTP/1.1\r\nConnection: close\r\n", 1);
        stream.write_all(only.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    /// The log's lines, once there are as many.
    async fn lines(&self, count: usize) -> Vec<Value> {
        let path = self.directory.path().join("audit.jsonl");
        for _ in 0..200 {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert!(lines.len() <= count, "{text}");
            if lines.len() == count {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the log has not {count} lines: {}", std::fs::read_to_string(path).unwrap());
    }
}

/// All that still comes, within some seconds.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut text));
    if let Err(error) = read.await.expect("the connection does not end") {
        panic!("{error} after {}", String::from_utf8_lossy(&text));
    }
    String::from_utf8(text).unwrap()
}

/// A message's head, the empty line included.
async fn head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = Vec::new();
    let read = async {
        while !text.ends_with(b"\r\n\r\n") {
            text.push(stream.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("no head came");
    String::from_utf8(text).unwrap()
}

/// An upstream and its address.
async fn upstream() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Accepts one connection, reads a head and answers; what came comes back, with the stream.
async fn answer(listener: &TcpListener, response: &str) -> (String, TcpStream) {
    let accepted = tokio::time::timeout(Duration::from_secs(10), listener.accept());
    let (mut stream, _) = accepted.await.expect("nobody came").unwrap();
    let asked = head(&mut stream).await;
    stream.write_all(response.as_bytes()).await.unwrap();
    (asked, stream)
}
