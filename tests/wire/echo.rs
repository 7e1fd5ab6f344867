//! A destination that shows what it was sent, in every part of its answer: nothing of a value comes back in.

use super::Setting;
use super::lent::{at, file, lending};
use super::upstream::{made, serve, whole};
use bytes::Bytes;
use hyper::body::Frame;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, IF_RANGE, RANGE};
use hyper::{Response, StatusCode};
use std::time::Duration;

const CANARY: &str = "canary-of-the-host-7f3a";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_destination_echoes_is_masked() {
    for protocol in ["--http1.1", "--http2"] {
        let setting = Setting::new();
        let path = file(&setting, "token", CANARY);
        let upstream = serve(&setting.identity, &["h2", "http/1.1"], |request| async move {
            let sent = request.headers()[AUTHORIZATION].clone();
            assert_eq!(request.headers()[ACCEPT_ENCODING], "identity");
            let text = sent.to_str().unwrap().to_owned();
            assert_eq!(text, format!("Bearer {CANARY}"));
            let (sender, body) = made();
            tokio::spawn(async move {
                // Byte by byte, with an event before each that is not to wait.
                for byte in text.bytes() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    sender.send(Frame::data(Bytes::from(vec![byte]))).await.unwrap();
                }
                sender
                    .send(Frame::data(Bytes::from(format!("; whole: {text}; cut: {}", &text[..12]))))
                    .await
                    .unwrap();
                let mut trailers = HeaderMap::new();
                trailers.insert("x-trailer", sent.clone());
                sender.send(Frame::trailers(trailers)).await.unwrap();
            });
            let mut response = Response::new(body);
            for name in ["x-echo", "set-cookie", "location"] {
                response.headers_mut().insert(name, request.headers()[AUTHORIZATION].clone());
            }
            response
        });
        let upstream = upstream.await;
        let (wire, _) = lending(setting, at(&path, ""), &upstream, None).await;
        let got = wire.curl(&[protocol, "-i", "https://api.example/"]).await;
        assert!(!got.contains(CANARY), "{protocol}: {got}");
        let masked = format!("Bearer {}", "*".repeat(CANARY.len()));
        assert!(got.matches(&masked).count() >= 5, "three headers and twice in the body: {got}");
        assert!(got.contains("cut: Bearer canar"), "what is no value is left alone: {got}");
    }
}

/// What a lent value looks like in the texts of others.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_masked_as_others_write_it() {
    const VALUE: &str = "canary/of+the?host/7f3a";
    let setting = Setting::new();
    let path = file(&setting, "token", VALUE);
    let upstream = serve(&setting.identity, &["h2", "http/1.1"], |request| async move {
        // Of a part of an answer no value can be found.
        assert!(request.headers().get(RANGE).is_none() && request.headers().get(IF_RANGE).is_none());
        let slashed = VALUE.replace('/', "\\/");
        Response::new(whole(format!("{{\"a\": \"{slashed}\"}} ?a=canary%2Fof%2Bthe%3Fhost%2F7f3a .")))
    });
    let upstream = upstream.await;
    let (wire, _) = lending(setting, at(&path, ""), &upstream, None).await;
    let got = wire.curl(&["-H", "Range: bytes=0-7", "-H", "If-Range: x", "https://api.example/"]).await;
    assert_eq!(got, format!("{{\"a\": \"{}\"}} ?a={} .", "*".repeat(25), "*".repeat(31)));
}

/// A request that asks for a `WebSocket` is lent to as any other, and its answer is masked too.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_asked_for_unmasks_nothing() {
    for status in [StatusCode::OK, StatusCode::SWITCHING_PROTOCOLS, StatusCode::UNAUTHORIZED] {
        let setting = Setting::new();
        let path = file(&setting, "token", CANARY);
        let upstream = serve(&setting.identity, &["http/1.1"], move |request| async move {
            assert_eq!(request.headers()[ACCEPT_ENCODING], "identity");
            let sent = &request.headers()[AUTHORIZATION];
            let mut response = Response::builder().status(status).header("x-echo", sent);
            if status == StatusCode::SWITCHING_PROTOCOLS {
                response = response.header("connection", "upgrade").header("upgrade", "websocket");
            }
            response.body(whole(format!("body {}", sent.to_str().unwrap()))).unwrap()
        });
        let upstream = upstream.await;
        let (wire, _) = lending(setting, at(&path, ""), &upstream, None).await;
        let asking = ["--http1.1", "-i", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket"];
        let mut curl = wire.command("curl");
        curl.args(["-sS", "-m", "5"]).args(asking).arg("https://api.example/");
        let got = curl.output().await.unwrap().stdout;
        let got = String::from_utf8_lossy(&got);
        assert!(got.contains(status.as_str()) && got.contains("Bearer ****"), "{status}: {got}");
        assert!(!got.contains(CANARY), "{status}: {got}");
    }
}
