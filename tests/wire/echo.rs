//! A destination that shows what it was sent, in every part of its answer: nothing of a value comes back in.

use super::Setting;
use super::lent::{at, file, lending};
use super::upstream::{made, serve};
use bytes::Bytes;
use hyper::Response;
use hyper::body::Frame;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap};
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
