//! What is not dialled, and how that is said.

use super::{Proxy, head, upstream};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

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
