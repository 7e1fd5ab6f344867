//! CONNECT.

use super::{Proxy, head, rest, upstream};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CONNECT: &str = "CONNECT model.example:443 HTTP/1.1\r\nHost: model.example:443\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\n";

#[tokio::test]
async fn a_tunnel_carries_both_ways_ends_each_way_by_itself_and_is_logged() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("model.example", address)]);
    let mut client = proxy.connect();
    // What follows the head at once is the tunnel's.
    client.write_all([CONNECT, "early "].concat().as_bytes()).await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200 "));
    client.write_all(b"late").await.unwrap();
    client.shutdown().await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    assert_eq!(rest(&mut server).await, "early late");
    server.write_all(b"answer").await.unwrap();
    drop(server);
    assert_eq!(rest(&mut client).await, "answer");
    let line = &proxy.lines(1).await[0];
    assert_eq!(line["project"], "shop");
    assert_eq!(line["session"], "login");
    assert_eq!(line["host"], "model.example");
    assert_eq!(line["port"], 443);
    assert_eq!(line["method"], "CONNECT");
    assert_eq!(line["decision"], "tunnel");
    assert_eq!(line["status"], 200);
    assert_eq!((&line["path"], &line["reason"], &line["credential"]), (&().into(), &().into(), &().into()));
    assert_eq!((&line["bytes_in"], &line["bytes_out"]), (&10.into(), &6.into()));
    line["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(!line.to_string().contains("c2VjcmV0"));
}

#[tokio::test]
async fn many_megabytes_cross_in_both_directions_at_once() {
    const LENGTH: usize = 16 << 20;
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("model.example", address)]);
    let mut client = proxy.connect();
    client.write_all(CONNECT.as_bytes()).await.unwrap();
    head(&mut client).await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut reading, mut writing) = stream.split();
        tokio::io::copy(&mut reading, &mut writing).await.unwrap();
    });
    let sent: Vec<u8> = (0..LENGTH).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let (mut reading, mut writing) = client.split();
    let mut got = Vec::new();
    let sending = async {
        writing.write_all(&sent).await.unwrap();
        writing.shutdown().await.unwrap();
    };
    let ((), read) = tokio::join!(sending, reading.read_to_end(&mut got));
    read.unwrap();
    assert!(got == sent, "{} of {} bytes, or others", got.len(), sent.len());
    let line = &proxy.lines(1).await[0];
    assert_eq!((&line["bytes_in"], &line["bytes_out"]), (&LENGTH.into(), &LENGTH.into()));
}

#[tokio::test]
async fn a_container_that_vanishes_leaves_no_upstream_open_and_a_line() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("model.example", address)]);
    let mut client = proxy.connect();
    client.write_all(CONNECT.as_bytes()).await.unwrap();
    head(&mut client).await;
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(b"unread").await.unwrap();
    drop(client);
    assert_eq!(rest(&mut server).await, "");
    drop(server);
    proxy.lines(1).await;
}

#[tokio::test]
async fn a_tunnel_ends_when_the_rules_are_changed() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("model.example", address)]);
    let mut client = proxy.connect();
    client.write_all(CONNECT.as_bytes()).await.unwrap();
    head(&mut client).await;
    let (mut server, _) = listener.accept().await.unwrap();
    let open = std::sync::Arc::new(clauderon::proxy::judge::Open);
    proxy.caller.change(clauderon::proxy::policy::Policy::default(), open).unwrap();
    assert_eq!(rest(&mut server).await, "");
    assert_eq!(proxy.lines(1).await[0]["reason"], "the rules were changed");
}

#[tokio::test]
async fn a_connect_with_a_body_is_refused() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("model.example", address)]);
    for extra in ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"] {
        let answer = proxy.ask(format!("CONNECT model.example:443 HTTP/1.1\r\n{extra}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("CONNECT has no body"), "{answer}");
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err(),
        "it was dialled"
    );
    assert!(proxy.lines(2).await.iter().all(|line| line["decision"] == "deny"));
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_a_bad_gateway() {
    let (listener, address) = upstream().await;
    drop(listener);
    let proxy = Proxy::naming([("model.example", address)]);
    let answer = proxy.ask(CONNECT).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.contains("does not answer"), "{answer}");
    let line = &proxy.lines(1).await[0];
    assert_eq!((&line["status"], &line["decision"]), (&502.into(), &"tunnel".into()));
}
