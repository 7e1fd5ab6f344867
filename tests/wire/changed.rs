//! Rules that change under an exchange: what they forbid now ends, what they allow goes on unnoticed.

use super::adversary::shake;
use super::lent::{at, file, lending};
use super::upstream::{made, serve, whole};
use super::{SOON, Setting, Wire};
use bytes::Bytes;
use clauderon::manifest::project::{Host as Said, Rule};
use clauderon::proxy::judge::Open;
use clauderon::proxy::policy::Policy;
use clauderon::proxy::ruled::Ruled;
use clauderon::proxy::rules::Rules;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Frame;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::timeout;

const PROTOCOLS: [&str; 2] = ["--http1.1", "--http2"];

/// A policy that has the same hosts, and rules of `api.example`.
fn ruled(rules: Vec<Rule>) -> Arc<Ruled> {
    let host = Said { rules, ..Said::default() };
    Arc::new(Ruled::new(Rules { hosts: [("api.example".to_owned(), host)].into(), ..Rules::default() }))
}

fn begin(wire: &Wire, arguments: &[&str]) -> Child {
    let mut curl = wire.command("curl");
    curl.args(["-sSN", "-m", "50"]).args(arguments).arg("https://api.example/");
    curl.stdout(Stdio::piped()).spawn().unwrap()
}

/// What curl has got when it ends, and whether it ended well.
async fn end(mut child: Child) -> (String, bool) {
    let mut got = String::new();
    let output = child.stdout.take();
    timeout(SOON, output.unwrap().read_to_string(&mut got)).await.expect("it goes on").unwrap();
    let status = timeout(SOON, child.wait()).await.expect("curl does not end").unwrap();
    (got, status.success())
}

/// Reads until what came ends so.
async fn until(stream: &mut (impl AsyncRead + Unpin), end: &str) {
    let mut got = Vec::new();
    while !got.ends_with(end.as_bytes()) {
        let read = timeout(SOON, stream.read_buf(&mut got)).await;
        assert!(read.expect("it waits").unwrap() > 0, "{}", String::from_utf8_lossy(&got));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_both_ways_is_broken_off_where_its_host_is_closed() {
    let setting = Setting::new();
    let (sender, body) = made();
    let (heard, mut hears) = mpsc::channel(9);
    let body = Arc::new(Mutex::new(Some(body)));
    // It reads what comes while it answers.
    let upstream = serve(&setting.identity, &["h2", "http/1.1"], move |request| {
        let (body, heard) = (body.lock().unwrap().take().unwrap(), heard.clone());
        tokio::spawn(async move {
            let mut sent = request.into_body();
            while let Some(Ok(frame)) = sent.frame().await {
                heard.send(frame.into_data().unwrap()).await.unwrap();
            }
            heard.send(Bytes::from("over")).await.unwrap();
        });
        async { Response::new(body) }
    });
    let upstream = upstream.await;
    let wire = setting.host("api.example", upstream.address).start().await;
    let mut stream = shake(&wire, "api.example:443", "api.example").await;
    let head = b"POST / HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nout\r\n";
    stream.write_all(head).await.unwrap();
    assert_eq!(timeout(SOON, hears.recv()).await.unwrap().unwrap(), "out");
    sender.send(Frame::data(Bytes::from("in"))).await.unwrap();
    until(&mut stream, "in\r\n").await;
    // First rules that allow it all the same.
    wire.caller.change(wire.policy.clone(), ruled(vec![Rule::default()])).unwrap();
    stream.write_all(b"4\r\nmore\r\n").await.unwrap();
    assert_eq!(timeout(SOON, hears.recv()).await.unwrap().unwrap(), "more");
    sender.send(Frame::data(Bytes::from("on"))).await.unwrap();
    until(&mut stream, "on\r\n").await;
    wire.caller.change(wire.policy.clone(), ruled(Vec::new())).unwrap();
    let mut rest = String::new();
    // Not in the orderly way, which would be the end of the body.
    let ended = timeout(SOON, stream.read_to_string(&mut rest)).await.expect("it goes on");
    assert!(rest.is_empty(), "{ended:?} {rest}");
    assert_eq!(timeout(SOON, hears.recv()).await.expect("the destination is still told").unwrap(), "over");
    let line = &wire.lines(1).await[0];
    assert!(line["reason"].as_str().unwrap().contains("the rules were changed"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_end_is_broken_off_where_its_host_is_closed() {
    for protocol in PROTOCOLS {
        let setting = Setting::new();
        let (sender, body) = made();
        let body = Arc::new(Mutex::new(Some(body)));
        let upstream = serve(&setting.identity, &["h2", "http/1.1"], move |_| {
            let body = body.lock().unwrap().take().unwrap();
            async { Response::new(body) }
        });
        let upstream = upstream.await;
        let wire = setting.host("api.example", upstream.address).start().await;
        let mut child = begin(&wire, &[protocol]);
        sender.send(Frame::data(Bytes::from("in"))).await.unwrap();
        until(child.stdout.as_mut().unwrap(), "in").await;
        wire.caller.change(wire.policy.clone(), ruled(Vec::new())).unwrap();
        // It always has more to say.
        tokio::spawn(async move { while sender.send(Frame::data(Bytes::from("."))).await.is_ok() {} });
        let (rest, well) = end(child).await;
        assert!(!well, "{protocol}: {rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_waited_for_is_not_given_by_a_closed_host() {
    for protocol in PROTOCOLS {
        let setting = Setting::new();
        let (asked, mut asks) = mpsc::channel(9);
        let upstream = serve(&setting.identity, &["h2", "http/1.1"], move |_| {
            let asked = asked.clone();
            async move {
                asked.send(()).await.unwrap();
                std::future::pending::<()>().await;
                Response::new(whole("never"))
            }
        });
        let upstream = upstream.await;
        let wire = setting.host("api.example", upstream.address).start().await;
        let child = begin(&wire, &[protocol, "-w", "%{http_code}"]);
        timeout(SOON, asks.recv()).await.unwrap();
        wire.caller.change(wire.policy.clone(), ruled(Vec::new())).unwrap();
        let (got, _) = end(child).await;
        assert!(got.contains("the rules were changed") && got.ends_with("403"), "{protocol}: {got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_taken_back_credential_or_address_opened_is_closed() {
    for taken in ["credential", "address"] {
        let setting = Setting::new();
        let path = file(&setting, "token", "canary-of-the-host");
        let (sender, body) = made();
        let body = Arc::new(Mutex::new(Some(body)));
        let upstream = serve(&setting.identity, &["h2"], move |_| {
            let body = body.lock().unwrap().take().unwrap();
            async { Response::new(body) }
        });
        let upstream = upstream.await;
        let (wire, _) = lending(setting, at(&path, ""), &upstream, None).await;
        let mut child = begin(&wire, &["--http2"]);
        sender.send(Frame::data(Bytes::from("in"))).await.unwrap();
        until(child.stdout.as_mut().unwrap(), "in").await;
        match taken {
            // The host itself stays open.
            "credential" => wire.caller.change(wire.policy.clone(), ruled(vec![Rule::default()])).unwrap(),
            _ => wire.caller.change(Policy::default(), Arc::new(Open)).unwrap(),
        }
        let (rest, well) = end(child).await;
        assert_eq!((rest.as_str(), well), ("", false), "{taken}");
    }
}
