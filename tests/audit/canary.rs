//! Random requests with a canary in every place that can hold a credential: no line of the log holds it.

use crate::support::wire::{installation, judged, named};
use clauderon::manifest::project::{Host, HostAccess, Rule};
use clauderon::proxy::caller::Caller;
use clauderon::proxy::denials::Denials;
use clauderon::proxy::forward::serve;
use clauderon::proxy::policy::Policy;
use clauderon::proxy::ruled::Ruled;
use clauderon::proxy::rules::Rules;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Tokens as they are made out there. The last piece is what must stand nowhere.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9]{32}",
        "[0-9a-f]{40}",
        "[A-Za-z0-9_-]{64}",
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}",
        "sk-ant-oat01-[A-Za-z0-9_-]{12,90}",
        "sk-proj-[a-z]{10,20}",
        "gh[opsur]_[A-Za-z0-9]{10,36}",
        "github_pat_[A-Za-z0-9_]{10,82}",
        "xox[abprs]-[0-9]{10,12}-[a-z]{10}",
        "eyJ[A-Za-z0-9_-]{20}\\.eyJ[A-Za-z0-9_-]{20}\\.[A-Za-z0-9_-]{20}",
        "clauderon-proxy-[a-z]{8}",
    ]
}

/// The same with some letters written as `%41`.
fn escaped(token: &str, which: u64) -> String {
    let escape = |(at, letter): (usize, char)| match which >> (at % 64) & 1 {
        1 => format!("%{:02X}", u32::from(letter)),
        _ => letter.to_string(),
    };
    token.chars().enumerate().map(escape).collect()
}

/// A request and whether its canary may only be looked for as it is.
fn request() -> impl Strategy<Value = (String, String)> {
    let place = prop_oneof![4 => Just("api.example"), 1 => Just("closed.example"), 1 => Just("no.example")];
    (token(), 0..16u8, place, any::<u64>(), "[a-z]{1,8}").prop_map(|(token, kind, host, which, word)| {
        let absolute = |rest: &str| format!("GET http://{host}{rest} HTTP/1.1\r\nHost: {host}\r\n");
        let head = match kind {
            0 => absolute(&format!("/{word}?key={token}")),
            1 => absolute(&format!("/{word}/{token}/{word}")),
            2 => absolute(&format!("/{word}/{}?{token}", escaped(&token, which))),
            3 => absolute(&format!("/{word}%2F{token}")),
            4 => absolute(&format!("/{word};{token}")),
            5 => format!("GET http://{word}:{token}@{host}/ HTTP/1.1\r\n"),
            6 => format!("GET http://{token}@{host}/ HTTP/1.1\r\n"),
            7 => format!("CONNECT {word}:{token}@{host}:443 HTTP/1.1\r\n"),
            8 => absolute("/") + &format!("Authorization: Bearer {token}\r\nX-Api-Key: {token}\r\n"),
            9 => absolute("/") + &format!("Proxy-Authorization: Basic {token}\r\nCookie: {word}={token}\r\n"),
            10 => format!("POST http://{host}/{word} HTTP/1.1\r\nContent-Length: {}\r\n", token.len()),
            11 => format!("GET http://{host}/ HTTP/1.1\r\nHost: {token}.{host}\r\nUser-Agent: {token}\r\n"),
            12 => format!("GET /{token} HTTP/1.1\r\nHost: {token}\r\n"),
            13 => format!("GET http://{host}/{word}/https://{word}:{token}@x.example/ HTTP/1.1\r\n"),
            14 => format!(
                "CONNECT {host}:80 HTTP/1.1\r\n\r\nGET /{token}?{token} HTTP/1.1\r\nHost: {word}-{token}.example\r\n"
            ),
            _ => format!(
                "CONNECT {host}:80 HTTP/1.1\r\n\r\nGET http://{word}:{token}@{host}/{token} HTTP/1.1\r\nX: {token}\r\n"
            ),
        };
        let body = if kind == 10 { token.as_str() } else { "" };
        (format!("{head}Connection: close\r\n\r\n{body}"), token)
    })
}

/// A server that says its caller's words back, in a header and in its body.
async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = vec![0; 64 << 10];
                let count = stream.read(&mut heard).await.unwrap_or(0);
                let heard = String::from_utf8_lossy(&heard[..count]).replace("\r\n", " ");
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nX-Heard: {heard}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{heard}",
                    heard.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

fn proxy(directory: &std::path::Path, address: std::net::SocketAddr) -> (Arc<Caller>, Arc<Denials>) {
    let names = ["api.example", "closed.example"];
    let policy = Policy { hosts: names.map(|name| (name.to_owned(), named(address))).into() };
    let open = Rule { access: HostAccess::ReadWrite, ..Rule::default() };
    let host = |rules| Host { rules, address: None, ca: None, place: "clauderon.yaml:3".to_owned() };
    let hosts = BTreeMap::from([
        ("api.example".to_owned(), host(vec![open])),
        ("closed.example".to_owned(), host(Vec::new())),
    ]);
    let rules = Rules { hosts, ..Rules::default() };
    let caller = judged(Arc::new(installation(directory).0), policy, Arc::new(Ruled::new(rules)));
    let denials = Arc::new(Denials::default());
    let caller = Arc::into_inner(caller).unwrap().counting(Arc::clone(&denials));
    (Arc::new(caller), denials)
}

#[tokio::test]
async fn no_line_and_no_event_holds_a_canary_wherever_it_was_put() {
    let directory = tempfile::tempdir().unwrap();
    let (caller, denials) = proxy(directory.path(), echo().await);
    let mut runner = TestRunner::deterministic();
    let mut canaries = Vec::new();
    for _ in 0..600 {
        let (request, canary) = request().new_tree(&mut runner).unwrap().current();
        let (mut inside, outside) = duplex(64 << 10);
        let served = tokio::spawn(serve(outside, Arc::clone(&caller), CancellationToken::new()));
        inside.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // An answer may break off.
        let read = inside.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("no end came");
        drop(inside);
        let _ = served.await;
        canaries.push((request, canary));
    }
    let log = std::fs::read_to_string(directory.path().join("audit.jsonl")).unwrap();
    let told = denials.take().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(log.lines().count() > 400 && told.lines().count() > 3, "{told}");
    assert_eq!(log.matches("\"deny\"").count() as u64, denials.total());
    for decision in ["\"decision\":\"pass\"", "\"status\":200", "\"status\":403", "\"status\":421"] {
        assert!(log.contains(decision), "no line with {decision}");
    }
    let (log, told) = (log.to_ascii_lowercase(), told.to_ascii_lowercase());
    for (request, canary) in canaries {
        let canary = canary.to_ascii_lowercase();
        // Not even its end, behind a beginning that is known.
        for part in [canary.as_str(), &canary[canary.len() - 8..]] {
            assert!(!log.contains(part) && !told.contains(part), "{part} of {request}");
        }
    }
}
