//! `WebSocket` of others: python's `websockets` on both sides.

use super::upstream::{serve, whole};
use super::{LONG, Setting, Wire, server};
use hyper::Response;
use tokio::time::timeout;

async fn talk(wire: &Wire, url: &str, words: &[&str]) -> String {
    let mut client = wire.peer("ws_client.py", &[&[url], words].concat());
    client.env("WS_CA", wire.path("ca.pem"));
    let output = timeout(LONG, client.output()).await.expect("it does not end").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_opened_by_the_upstreams_own_word_and_carries_both_ways() {
    let setting = Setting::new();
    let (_server, address) = server(setting.peer("ws_server.py")).await;
    let wire = setting.host("api.example", address).start().await;
    let said = talk(&wire, "wss://api.example/echo", &["hello", "large", "close"]).await;
    assert_eq!(said, "chat\nhello\n3145728\n4000 enough\n");
    let said = talk(&wire, "wss://api.example/denied", &[]).await;
    assert_eq!(said, "refused 401\n");
    let lines = wire.lines(2).await;
    assert_eq!((&lines[0]["status"], &lines[0]["path"]), (&101.into(), &"/echo".into()));
    assert!(lines[0]["bytes_in"].as_u64().unwrap() > 3 << 20, "{lines:?}");
    assert!(lines[0]["bytes_out"].as_u64().unwrap() > 3 << 20, "{lines:?}");
    assert_eq!((&lines[1]["status"], &lines[1]["decision"]), (&401.into(), &"pass".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_asked_without_a_websocket() {
    let setting = Setting::new();
    let upstream = serve(&setting.identity, &["h2"], |_| async { Response::new(whole("reached")) }).await;
    let mut setting = setting.host("api.example", upstream.address);
    setting.policy.hosts.get_mut("api.example").unwrap().model = true;
    let wire = setting.start().await;
    assert_eq!(talk(&wire, "wss://api.example/v1/responses", &[]).await, "refused 426\n");
    assert_eq!(upstream.connections(), 0);
    let line = &wire.lines(1).await[0];
    assert_eq!((&line["status"], &line["decision"]), (&426.into(), &"deny".into()));
}
