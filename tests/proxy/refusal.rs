//! What is not dialled, and how that is said.

use super::{Proxy, head, upstream};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn no_spelling_of_a_private_destination_is_dialled() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([]);
    let port = address.port();
    let spellings = [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.0x1",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "192.168.0.1",
        "100.64.0.1",
    ];
    for spelling in spellings {
        for request in [
            format!("CONNECT {spelling}:{port} HTTP/1.1\r\n\r\n"),
            format!("GET http://{spelling}:{port}/ HTTP/1.1\r\nHost: example.com\r\n\r\n"),
        ] {
            let answer = proxy.ask(&request).await;
            let status = answer.get(9..12).unwrap_or_default();
            // A resolver may know nothing of an odd spelling; dialled it is not.
            assert!(["400", "403", "502"].contains(&status), "{request}: {answer}");
            if ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254"].contains(&spelling) {
                assert_eq!(status, "403", "{request}: {answer}");
            }
        }
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err(),
        "it was dialled"
    );
    let lines = proxy.lines(spellings.len() * 2).await;
    assert!(lines.iter().all(|line| line["bytes_out"] == 0 && line["reason"].is_string()));
}

#[tokio::test]
async fn a_refusal_names_the_rule_and_the_key_to_change() {
    let proxy = Proxy::naming([]);
    for (host, rule) in [("10.1.2.3", "private"), ("[::1]", "loopback"), ("169.254.169.254", "link-local")] {
        let answer = proxy.ask(format!("CONNECT {host}:8443 HTTP/1.1\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("\r\ncontent-type: text/plain"), "{answer}");
        assert!(answer.contains(rule), "{answer}");
        let (_, yaml) = answer.split_once("clauderon up`:\n\n").expect(&answer);
        let manifest: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
        let key = host.trim_matches(['[', ']']);
        assert!(manifest["proxy"]["hosts"][key]["address"].is_string(), "{yaml}");
    }
    for line in proxy.lines(3).await {
        assert_eq!(
            (&line["decision"], &line["status"], &line["port"]),
            (&"deny".into(), &403.into(), &8443.into())
        );
    }
}

#[tokio::test]
async fn what_is_no_proxy_request_is_said_to_be_none() {
    let (listener, address) = upstream().await;
    let proxy = Proxy::naming([("api.example", address)]);
    let cases = [
        ("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n", "this is a proxy"),
        ("OPTIONS * HTTP/1.1\r\nHost: api.example\r\n\r\n", "this is a proxy"),
        ("CONNECT api.example HTTP/1.1\r\n\r\n", "CONNECT needs a port"),
        ("CONNECT api.example:0 HTTP/1.1\r\n\r\n", "no host and port"),
        ("CONNECT user@api.example:443 HTTP/1.1\r\n\r\n", "a name and a password"),
        ("GET http://user:word@api.example/ HTTP/1.1\r\n\r\n", "a name and a password"),
        ("GET https://api.example/ HTTP/1.1\r\n\r\n", "CONNECT"),
        ("GET ftp://api.example/ HTTP/1.1\r\n\r\n", "CONNECT"),
    ];
    for (request, words) in cases {
        let answer = proxy.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(words), "{request}: {answer}");
    }
    for line in proxy.lines(cases.len()).await {
        assert_eq!((&line["decision"], &line["status"]), (&"deny".into(), &400.into()), "{line}");
        assert!(!line.to_string().contains("word@"), "{line}");
    }
    for request in [
        "CONNECT api.example:99999 HTTP/1.1\r\n\r\n",
        "CONNECT http://api.example:443/ HTTP/1.1\r\n\r\n",
        "GET http:///etc/passwd HTTP/1.1\r\n\r\n",
        "GET http://api.example:port/ HTTP/1.1\r\n\r\n",
        "GET http://api.example:99999/ HTTP/1.1\r\n\r\n",
        "GET http://api.example:/ HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\0\x01",
    ] {
        let answer = proxy.ask(request).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{request:?}: {answer}");
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err(),
        "it was dialled"
    );
}

#[tokio::test]
async fn a_name_is_named_in_any_case_and_with_its_dot_and_no_other_is() {
    let (_listener, address) = upstream().await;
    let proxy = Proxy::naming([("api.invalid", address)]);
    for (host, status) in
        [("API.invalid", "200"), ("api.invalid.", "200"), ("x.api.invalid", "502"), ("xapi.invalid", "502")]
    {
        let mut client = proxy.connect();
        client.write_all(format!("CONNECT {host}:443 HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
        let answer = head(&mut client).await;
        assert_eq!(answer.get(9..12), Some(status), "{host}: {answer}");
    }
}

#[tokio::test]
async fn texts_of_the_callers_are_cut_in_the_log() {
    let proxy = Proxy::naming([]);
    let long = "x".repeat(20_000);
    proxy.ask(format!("{long} http://127.0.0.1/{long} HTTP/1.1\r\n\r\n")).await;
    let line = &proxy.lines(1).await[0];
    assert!(line.to_string().len() < 4096, "{} bytes", line.to_string().len());
}
