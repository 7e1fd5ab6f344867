//! Bodies flow both ways while they are made; what ends ends in order.

use super::upstream::{made, serve};
use super::{SOON, Setting, Wire, server};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper::{HeaderMap, Response};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// An upstream whose one answer is made by the test.
async fn told(protocols: &[&str]) -> (Wire, mpsc::Sender<Frame<Bytes>>) {
    let setting = Setting::new();
    let (sender, body) = made();
    let body = Arc::new(Mutex::new(Some(body)));
    let upstream = serve(&setting.identity, protocols, move |_| {
        let body = body.lock().unwrap().take().unwrap();
        let response = Response::builder().header("content-type", "text/event-stream");
        let response = response.header("trailer", "x-sum").body(body).unwrap();
        async { response }
    });
    let upstream = upstream.await;
    (setting.host("api.example", upstream.address).start().await, sender)
}

fn data(text: &str) -> Frame<Bytes> {
    Frame::data(Bytes::from(text.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_one_by_one_and_trailers_at_the_end() {
    for (protocols, flag) in
        [(["http/1.1"], "--http1.1"), (["h2"], "--http2"), (["http/1.1"], "--http2"), (["h2"], "--http1.1")]
    {
        let (wire, sender) = told(&protocols).await;
        let mut curl = wire.command("curl");
        curl.args(["-sSN", "-m", "50", flag, "-H", "TE: trailers", "-D", "head", "https://api.example/"]);
        let mut child = curl.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for number in 0..5 {
            sender.send(data(&format!("data: {number}\n"))).await.unwrap();
            let line = timeout(SOON, lines.next_line()).await.expect("it is held back").unwrap();
            assert_eq!(line.unwrap(), format!("data: {number}"), "{flag}");
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "5".parse().unwrap());
        sender.send(Frame::trailers(trailers)).await.unwrap();
        drop(sender);
        assert!(timeout(SOON, child.wait()).await.unwrap().unwrap().success());
        let head = std::fs::read_to_string(wire.path("head")).unwrap().to_ascii_lowercase();
        assert!(head.contains("\r\nx-sum: 5\r\n"), "{protocols:?} {flag}: {head}");
        let line = &wire.lines(1).await[0];
        assert_eq!((&line["bytes_out"], &line["reason"]), (&40.into(), &().into()), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_passed_on_while_it_is_made() {
    let setting = Setting::new();
    let (heard, mut hears) = mpsc::channel(16);
    let upstream = serve(&setting.identity, &["h2", "http/1.1"], move |mut request| {
        let heard = heard.clone();
        async move {
            while let Some(Ok(frame)) = request.frame().await {
                if let Some(chunk) = frame.into_data().ok().filter(|chunk| !chunk.is_empty()) {
                    heard.send(chunk).await.unwrap();
                }
            }
            Response::new(super::upstream::whole("all of it"))
        }
    });
    let upstream = upstream.await;
    let wire = setting.host("api.example", upstream.address).start().await;
    for flag in ["--http1.1", "--http2"] {
        let mut curl = wire.command("curl");
        curl.args([
            "-sS",
            "-m",
            "50",
            flag,
            "-X",
            "POST",
            "-T",
            "-",
            "-H",
            "Expect:",
            "https://api.example/",
        ]);
        let mut child = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        for word in ["one", "two"] {
            input.write_all(word.as_bytes()).await.unwrap();
            let chunk = timeout(SOON, hears.recv()).await.expect("it is held back").unwrap();
            assert_eq!(chunk, word.as_bytes(), "{flag}");
        }
        drop(input);
        let mut answer = String::new();
        child.stdout.take().unwrap().read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "all of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_is_not_read_ahead_of_a_container_that_does_not_read() {
    for (protocols, flag) in [(["http/1.1"], "--http1.1"), (["h2"], "--http2")] {
        let (wire, sender) = told(&protocols).await;
        let mut curl = wire.command("curl");
        curl.args(["-sSN", "-m", "50", flag, "https://api.example/"]);
        let child = curl.stdout(Stdio::piped()).spawn().unwrap();
        let chunk = Bytes::from(vec![0; 1 << 20]);
        let mut taken = 0;
        while timeout(Duration::from_secs(1), sender.send(Frame::data(chunk.clone()))).await.is_ok() {
            taken += 1;
            assert!(taken < 40, "{flag}: all is read ahead");
        }
        drop(child);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_its_upstream_and_leaves_its_line() {
    for (protocols, flag) in [(["http/1.1"], "--http1.1"), (["h2"], "--http2")] {
        let (wire, sender) = told(&protocols).await;
        let mut curl = wire.command("curl");
        curl.args(["-sSN", "-m", "50", flag, "https://api.example/"]);
        let mut child = curl.stdout(Stdio::piped()).spawn().unwrap();
        sender.send(data("begun\n")).await.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        timeout(SOON, lines.next_line()).await.unwrap().unwrap();
        child.kill().await.unwrap();
        timeout(SOON, sender.closed()).await.expect("the upstream is held open");
        let line = &wire.lines(1).await[0];
        assert!(line["reason"].is_string(), "{line}");
        assert_eq!(line["bytes_out"], 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_what_was_begun_is_finished_and_nothing_new_is_taken() {
    for (protocols, flag) in [(["http/1.1"], "--http1.1"), (["h2"], "--http2")] {
        let (wire, sender) = told(&protocols).await;
        let mut curl = wire.command("curl");
        curl.args(["-sSN", "-m", "50", flag, "https://api.example/"]);
        let mut child = curl.stdout(Stdio::piped()).spawn().unwrap();
        sender.send(data("begun\n")).await.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        timeout(SOON, lines.next_line()).await.unwrap().unwrap();
        wire.stop.cancel();
        tokio::time::sleep(Duration::from_millis(200)).await;
        sender.send(data("finished\n")).await.unwrap();
        drop(sender);
        let line = timeout(SOON, lines.next_line()).await.unwrap().unwrap();
        assert_eq!(line.as_deref(), Some("finished"), "{flag}");
        assert!(timeout(SOON, child.wait()).await.unwrap().unwrap().success(), "{flag}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_what_does_not_end_is_broken_off() {
    let (wire, sender) = told(&["h2"]).await;
    let mut curl = wire.command("curl");
    curl.args(["-sSN", "-m", "50", "https://api.example/"]);
    let mut child = curl.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    sender.send(data("begun\n")).await.unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    timeout(SOON, lines.next_line()).await.unwrap().unwrap();
    wire.stop.cancel();
    assert!(!timeout(SOON, child.wait()).await.expect("it goes on for ever").unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_of_others_streams_both_ways_with_its_trailers() {
    let setting = Setting::new();
    let (_server, address) = server(setting.peer("grpc_server.py")).await;
    let wire = setting.host("api.example", address).start().await;
    let mut client = wire.peer("grpc_client.py", &["api.example:443"]);
    client.env("grpc_proxy", wire.url()).env("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", wire.path("ca.pem"));
    let output = timeout(super::LONG, client.output()).await.expect("it does not end").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, "unary: HELLO\nbidi: 0 1 2 3 4\ntrailer: 5\nfailure: NOT_FOUND no such thing\n");
    let lines = wire.lines(3).await;
    assert!(lines.iter().all(|line| line["method"] == "POST" && line["status"] == 200), "{lines:?}");
}
