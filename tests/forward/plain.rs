//! Plain HTTP in absolute form.

use super::{Arc, CancellationToken, Proxy, UnixStream, answer, head, serve, upstream};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// The values of a header in a head, in lower case the name.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[tokio::test]
async fn two_requests_of_one_connection_go_to_their_own_hosts() {
    let (first, first_at) = upstream().await;
    let (second, second_at) = upstream().await;
    let proxy = Proxy::naming([("one.example", first_at), ("two.example", second_at)]);
    let mut client = proxy.connect();
    client.write_all(b"GET http://one.example/ HTTP/1.1\r\nHost: two.example\r\n\r\n").await.unwrap();
    let (asked, _) = answer(&first, EMPTY).await;
    assert_eq!(values(&asked, "host"), ["one.example"]);
    assert!(head(&mut client).await.starts_with("HTTP/1.1 204 "));
    client.write_all(b"GET http://two.example HTTP/1.1\r\nHost: one.example\r\n\r\n").await.unwrap();
    let (asked, _) = answer(&second, EMPTY).await;
    assert!(asked.starts_with("GET / HTTP/1.1\r\n"), "{asked}");
    assert_eq!(values(&asked, "host"), ["two.example"]);
    assert!(head(&mut client).await.starts_with("HTTP/1.1 204 "));
    // And after a plain one, a tunnel.
    client.write_all(b"CONNECT one.example:80 HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200 "));
    client.write_all(b"raw\r\n\r\n").await.unwrap();
    assert_eq!(answer(&first, EMPTY).await.0, "raw\r\n\r\n");
}

#[tokio::test]
async fn both_bodies_are_streamed() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("api.example", address)]);
    let mut client = proxy.connect();
    client
        .write_all(b"POST http://api.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await
        .unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let asked = head(&mut server).await;
    assert_eq!(values(&asked, "transfer-encoding"), ["chunked"]);
    let mut chunk = [0; 8];
    server.read_exact(&mut chunk).await.unwrap();
    assert_eq!(&chunk, b"3\r\none\r\n");
    // The answer begins before the question ends.
    server.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n").await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200 "));
    let mut event = [0; 10];
    client.read_exact(&mut event).await.unwrap();
    assert_eq!(&event, b"5\r\nevent\r\n");
    client.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    let mut end = [0; 13];
    server.read_exact(&mut end).await.unwrap();
    assert_eq!(&end, b"3\r\ntwo\r\n0\r\n\r\n");
    server.write_all(b"0\r\n\r\n").await.unwrap();
    let mut last = [0; 5];
    client.read_exact(&mut last).await.unwrap();
    assert_eq!(&last, b"0\r\n\r\n");
    let line = &proxy.lines(1).await[0];
    assert_eq!((&line["bytes_in"], &line["bytes_out"]), (&6.into(), &5.into()));
}

#[tokio::test]
async fn a_message_of_two_lengths_has_one_beyond_the_proxy() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("api.example", address)]);
    let smuggled = "0\r\n\r\nGET http://api.example/admin HTTP/1.1\r\n\r\n";
    let text = format!(
        "POST http://api.example/ HTTP/1.1\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{smuggled}",
        smuggled.len()
    );
    let mut client = proxy.connect();
    client.write_all(text.as_bytes()).await.unwrap();
    let (asked, mut server) = answer(&listener, EMPTY).await;
    assert!(values(&asked, "content-length").is_empty(), "{asked}");
    let mut body = Vec::new();
    // The connection is kept for the next request: its end does not come.
    let read = server.read_to_end(&mut body);
    assert!(tokio::time::timeout(Duration::from_millis(300), read).await.is_err());
    assert_eq!(body, b"0\r\n\r\n", "the second request hides in the first");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let (_listener, address) = upstream().await;
    let proxy = Proxy::naming([("api.example", address)]);
    let mut client = proxy.connect();
    let text = format!("GET http://api.example/ HTTP/1.1\r\nX: {}", "x".repeat(200_000));
    // The proxy stops reading in the midst of it.
    let _ = client.write_all(text.as_bytes()).await;
    assert!(head(&mut client).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_said() {
    for response in ["", "SSH-2.0-strange\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"] {
        let (listener, address) = upstream().await;
        let proxy = Proxy::naming([("api.example", address)]);
        let serving = async {
            let (_, mut stream) = answer(&listener, response).await;
            stream.shutdown().await.unwrap();
        };
        let (got, ()) = tokio::join!(proxy.ask("GET http://api.example/ HTTP/1.1\r\n\r\n"), serving);
        assert!(got.starts_with("HTTP/1.1 502 "), "{response}: {got}");
        assert!(got.contains("api.example"), "{got}");
        assert_eq!(proxy.lines(1).await[0]["status"], 502);
    }
}

#[tokio::test]
async fn a_container_that_vanishes_ends_its_upstream() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("api.example", address)]);
    let mut client = proxy.connect();
    client.write_all(b"GET http://api.example/ HTTP/1.1\r\n\r\n").await.unwrap();
    let (_, mut server) = answer(&listener, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun").await;
    head(&mut client).await;
    drop(client);
    let gone = async {
        while server.write_all(&[0; 1000]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the upstream is held open");
    proxy.lines(1).await;
}

#[tokio::test]
async fn a_caller_who_leaves_with_nothing_asked_or_all_answered_takes_no_place_any_longer() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("api.example", address)]);
    for asks in [false, true] {
        let (mut inside, outside) = UnixStream::pair().unwrap();
        let serving = tokio::spawn(serve(outside, Arc::clone(&proxy.caller), CancellationToken::new()));
        if asks {
            inside.write_all(b"GET http://api.example/ HTTP/1.1\r\n\r\n").await.unwrap();
            answer(&listener, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            head(&mut inside).await;
        }
        inside.write_all(b"GET http://api.example/ HTTP/1.1\r\nX: ").await.unwrap();
        inside.shutdown().await.unwrap();
        let left = tokio::time::timeout(Duration::from_secs(2), serving).await;
        assert!(left.is_ok(), "it is waited on, asked before: {asks}");
    }
}
