//! curl: HTTP/1.1 and HTTP/2 on either leg.

use super::upstream::{serve, whole};
use super::{Setting, Wire, listen};
use crate::support::wire::judged;
use clauderon::proxy::judge::Open;
use http_body_util::BodyExt;
use hyper::{Request, Response, Version};
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Says what came: protocol, method, URL, headers, how much of a body.
async fn mirror(request: Request<hyper::body::Incoming>) -> Response<super::upstream::Body> {
    let (parts, body) = request.into_parts();
    let mut text = format!("{:?} {} {}\n", parts.version, parts.method, parts.uri);
    for (name, value) in &parts.headers {
        writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    let body = body.collect().await.unwrap().to_bytes();
    writeln!(text, "body of {}", body.len()).unwrap();
    Response::builder().header("x-answered", "1").body(whole(text)).unwrap()
}

async fn mirrored(protocols: &[&str]) -> (Wire, super::upstream::Upstream) {
    let setting = Setting::new();
    let upstream = serve(&setting.identity, protocols, mirror).await;
    let wire = setting.host("api.example", upstream.address).host("other.example", upstream.address);
    (wire.start().await, upstream)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_leg_speaks_what_its_peer_speaks_and_both_the_same_where_they_can() {
    for (protocols, outside) in [
        (&["h2", "http/1.1"][..], [Version::HTTP_11, Version::HTTP_2]),
        (&["http/1.1"], [Version::HTTP_11; 2]),
        (&["h2"], [Version::HTTP_2; 2]),
    ] {
        let (wire, _upstream) = mirrored(protocols).await;
        for (flag, inside, outside) in [("--http1.1", "1.1", outside[0]), ("--http2", "2", outside[1])] {
            let written = ["-w", "%{http_version} %{ssl_verify_result}", "https://api.example/a?b=c"];
            let got = wire.curl(&[&[flag, "-d", "hello"], &written[..]].concat()).await;
            assert!(got.starts_with(&format!("{outside:?} POST ")), "{flag} {protocols:?}: {got}");
            assert!(got.contains("/a?b=c\n") && got.contains("body of 5\n"), "{got}");
            assert!(got.ends_with(&format!("\n{inside} 0")), "{flag} {protocols:?}: {got}");
        }
        for line in wire.lines(2).await {
            assert_eq!((&line["host"], &line["port"]), (&"api.example".into(), &443.into()));
            assert_eq!((&line["method"], &line["path"]), (&"POST".into(), &"/a".into()));
            assert_eq!((&line["status"], &line["decision"]), (&200.into(), &"pass".into()));
            assert_eq!((&line["bytes_in"], &line["reason"]), (&5.into(), &().into()), "{line}");
            assert!(line["bytes_out"].as_u64().unwrap() > 20, "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_an_upstream_serves_one_request_after_the_other() {
    for protocols in [&["http/1.1"][..], &["h2"]] {
        let (wire, upstream) = mirrored(protocols).await;
        for _ in 0..3 {
            wire.curl(&["https://api.example/", "https://api.example/again"]).await;
        }
        assert_eq!(upstream.connections(), 1, "{protocols:?}");
        // Another host at the same address is another upstream.
        wire.curl(&["https://other.example/"]).await;
        assert_eq!(upstream.connections(), 2, "{protocols:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_share_no_connection() {
    let setting = Setting::new();
    let upstream = serve(&setting.identity, &["h2"], mirror).await;
    let setting = setting.host("api.example", upstream.address);
    let other = judged(Arc::clone(&setting.installation), setting.policy.clone(), Arc::new(Open));
    let wire = setting.start().await;
    let other = listen(other, wire.stop.clone()).await;
    for _ in 0..2 {
        wire.curl(&["https://api.example/"]).await;
        wire.curl(&["-x", &format!("http://{other}"), "https://api.example/"]).await;
    }
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_port_plain_http_and_heads_of_any_form() {
    let (wire, _upstream) = mirrored(&["h2", "http/1.1"]).await;
    let got = wire.curl(&["--http1.1", "https://api.example:8443/"]).await;
    assert!(got.contains("host: api.example:8443\n"), "{got}");
    assert_eq!(wire.lines(1).await[0]["port"], 8443);
    let setting = Setting::new();
    let upstream = serve(&setting.identity, &[], mirror).await;
    let wire = setting.host("api.example", upstream.address).start().await;
    let got = wire.curl(&["http://api.example:8080/absolute"]).await;
    assert!(got.contains("GET /absolute\n") && got.contains("host: api.example:8080\n"), "{got}");
    // The same through CONNECT.
    let got = wire.curl(&["-p", "http://api.example/inside"]).await;
    assert!(got.contains("GET /inside\n") && got.contains("host: api.example\n"), "{got}");
    let paths: Vec<_> = wire.lines(2).await.iter().map(|line| line["path"].clone()).collect();
    assert_eq!(paths, ["/absolute", "/inside"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_heads_pass_and_huge_ones_are_refused() {
    let (wire, _upstream) = mirrored(&["h2", "http/1.1"]).await;
    for flag in ["--http1.1", "--http2"] {
        let header = |length: usize| format!("X-Large: {}", "x".repeat(length));
        let got = wire.curl(&[flag, "-H", &header(60_000), "https://api.example/"]).await;
        assert!(got.len() > 60_000, "{flag}: {}", got.len());
        std::fs::write(wire.path("huge"), header(200_000)).unwrap();
        let mut huge = wire.command("curl");
        huge.args(["-sS", "-m", "20", flag, "-o", "/dev/null", "-w", "%{http_code}", "-H", "@huge"]);
        let output = huge.arg("https://api.example/").output().await.unwrap();
        let code = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(code == "431" || !output.status.success(), "{flag}: {code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_megabytes_waits_to_be_told_to_continue() {
    let (wire, _upstream) = mirrored(&["h2", "http/1.1"]).await;
    std::fs::write(wire.path("upload"), vec![7; 24 << 20]).unwrap();
    for flag in ["--http1.1", "--http2"] {
        let continued = ["-H", "Expect: 100-continue", "-T", "upload", "--expect100-timeout", "40"];
        let got = wire.curl(&[&[flag], &continued[..], &["https://api.example/"]].concat()).await;
        assert!(got.contains(&format!("body of {}\n", 24 << 20)), "{flag}: {got}");
        assert!(!got.contains("expect:"), "{flag}: {got}");
    }
    for line in wire.lines(2).await {
        assert_eq!(line["bytes_in"], 24 << 20);
        assert!(line["ms"].as_u64().unwrap() < 30_000, "nobody said to continue: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_not_believed_is_said_to_be() {
    let setting = Setting::new();
    let upstream = serve(&super::identity(), &["h2"], mirror).await;
    let wire = setting.host("api.example", upstream.address).start().await;
    let got = wire.curl(&["-w", "%{http_code}", "https://api.example/"]).await;
    assert!(got.ends_with("502") && got.contains("{ca: PATH.pem}"), "{got}");
    let line = &wire.lines(1).await[0];
    assert!(line["reason"].as_str().unwrap().contains("certificate"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_asked_for_what_can_be_read() {
    let setting = Setting::new();
    let upstream = serve(&setting.identity, &["h2", "http/1.1"], mirror).await;
    let mut setting = setting.host("api.example", upstream.address).host("other.example", upstream.address);
    setting.policy.hosts.get_mut("api.example").unwrap().model = true;
    let wire = setting.start().await;
    for (host, encoding) in [("api.example", "identity"), ("other.example", "deflate, gzip, br, zstd")] {
        let got = wire.curl(&["--compressed", &format!("https://{host}/")]).await;
        assert!(got.contains(&format!("accept-encoding: {encoding}\n")), "{host}: {got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_keep_their_heads() {
    for protocols in [&["http/1.1"][..], &["h2"]] {
        let setting = Setting::new();
        let upstream = serve(&setting.identity, protocols, |request| async move {
            let status = request.uri().path().trim_start_matches('/').parse().unwrap();
            let text = if status == 200 && request.method() == "GET" { "hello" } else { "" };
            let mut response = Response::builder().status::<u16>(status);
            if request.method() == "HEAD" {
                response = response.header("content-length", "5");
            }
            response.body(whole(text)).unwrap()
        });
        let upstream = upstream.await;
        let wire = setting.host("api.example", upstream.address).start().await;
        for flag in ["--http1.1", "--http2"] {
            let head = wire.curl(&[flag, "-I", "https://api.example/200"]).await.to_ascii_lowercase();
            assert!(head.contains("content-length: 5\r\n"), "{protocols:?} {flag}: {head}");
            for (path, code) in [("/204", "204"), ("/304", "304"), ("/500", "500"), ("/200", "hello200")] {
                let url = format!("https://api.example{path}");
                assert_eq!(
                    wire.curl(&[flag, "-w", "%{http_code}", &url]).await,
                    code,
                    "{protocols:?} {flag}"
                );
            }
        }
        assert!(wire.lines(10).await.iter().all(|line| line["reason"].is_null()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_asks_too_much_at_once_is_told_so_and_goes_on() {
    let setting = Setting::new();
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let upstream = serve(&setting.identity, &["h2"], move |_| {
        let waiting = Arc::clone(&waiting);
        async move {
            drop(waiting.acquire().await.unwrap());
            Response::new(whole("late"))
        }
    });
    let upstream = upstream.await;
    let wire = setting.host("api.example", upstream.address).start().await;
    // 600 at once, over connections of 100 streams each.
    let mut clients = Vec::new();
    for number in 0..6 {
        let mut curl = wire.command("curl");
        curl.args(["-sS", "-m", "50", "--http2", "-Z", "--parallel-max", "100", "-w", "%{http_code}\\n"]);
        curl.args(["-o", "/dev/null", &format!("https://api.example/{number}/[1-100]")]);
        clients.push(curl.stdout(std::process::Stdio::piped()).spawn().unwrap());
    }
    let lines = wire.lines(1).await;
    assert_eq!(lines[0]["status"], 429, "{lines:?}");
    gate.add_permits(1000);
    let mut codes = String::new();
    for client in clients {
        codes += &String::from_utf8(client.wait_with_output().await.unwrap().stdout).unwrap();
    }
    let (late, refused) = (codes.matches("200").count(), codes.matches("429").count());
    assert!(late >= 512 && refused >= 1 && late + refused == 600, "{late} and {refused}");
}
