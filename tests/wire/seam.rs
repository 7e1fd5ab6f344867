//! The seam between the wire and the policies.

use super::upstream::{made, serve, whole};
use super::{SOON, Setting};
use bytes::Bytes;
use clauderon::proxy::judge::{Asked, Injection, Judge, Observer, Refusal, Verdict};
use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Response, StatusCode};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// Lends a credential to one path, refuses another, and writes down what it sees.
#[derive(Clone, Default)]
struct Lender(Arc<Mutex<Vec<String>>>);

struct Watch(Lender);

impl Lender {
    fn say(&self, words: String) {
        self.0.lock().unwrap().push(words);
    }
}

impl Judge for Lender {
    fn judge(&self, asked: &Asked<'_>) -> Verdict {
        let Asked { secure, host, port, method, path, query, .. } = asked;
        self.say(format!("{method} {secure} {host}:{port} {path} {query:?}"));
        match *path {
            "/lent" => Verdict::Inject(Injection {
                credential: "key".to_owned(),
                headers: vec![(AUTHORIZATION, "Bearer real".parse().unwrap())],
            }),
            "/refused" => {
                Verdict::Refuse(Refusal::plain(StatusCode::FORBIDDEN, "`access` is read-only", "read-only\n"))
            }
            _ if *host == "other.example" => {
                Verdict::Refuse(Refusal::plain(StatusCode::FORBIDDEN, "`hosts` has it not", "not named\n"))
            }
            _ => Verdict::Pass,
        }
    }

    fn observe(&self, _: &Asked<'_>) -> Result<Option<Arc<dyn Observer>>, Refusal> {
        Ok(Some(Arc::new(Watch(self.clone()))))
    }
}

impl Observer for Watch {
    fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        self.0.say(format!("answered {status} {:?}", headers.get("x-seen")));
    }

    fn sent(&self, chunk: &[u8]) {
        self.0.say(format!("sent {}", String::from_utf8_lossy(chunk)));
    }

    fn received(&self, chunk: &[u8]) {
        self.0.say(format!("received {}", String::from_utf8_lossy(chunk)));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.say("over".to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_sees_every_request_lends_refuses_and_watches() {
    let setting = Setting::new();
    let upstream = serve(&setting.identity, &["h2", "http/1.1"], |request| async move {
        let (parts, body) = request.into_parts();
        body.collect().await.unwrap();
        let authorization = parts.headers.get(AUTHORIZATION).map_or("none", |it| it.to_str().unwrap());
        Response::builder().header("x-seen", "1").body(whole(authorization.to_owned())).unwrap()
    });
    let upstream = upstream.await;
    let lender = Lender::default();
    let wire = setting.host("api.example", upstream.address).judge(lender.clone()).start().await;
    let with = ["-H", "Authorization: Bearer placeholder", "-d", "body"];
    let got = wire.curl(&[&with[..], &["https://api.example:8443/lent?a=b"]].concat()).await;
    assert_eq!(got, "Bearer real");
    let words = [
        "CONNECT true api.example:8443  None",
        "POST true api.example:8443 /lent Some(\"a=b\")",
        "sent body",
        "answered 200 OK Some(\"1\")",
        "received Bearer real",
        "over",
    ];
    let seen = async {
        while lender.0.lock().unwrap().len() < words.len() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, seen).await.unwrap();
    assert_eq!(*lender.0.lock().unwrap(), words);
    let got = wire.curl(&["-w", "%{http_code}", "https://api.example/refused"]).await;
    assert_eq!(got, "read-only\n403");
    assert_eq!(wire.curl(&["https://api.example/else"]).await, "none");
    // TRACE would show what was lent.
    let got = wire.curl(&["-X", "TRACE", "-w", "%{http_code}", "https://api.example/lent"]).await;
    assert!(got.ends_with("405") && !got.contains("real"), "{got}");
    // A host that is refused whole is refused inside, where a caller reads why; nothing is looked up or dialled.
    let got = wire.curl(&["-w", "%{http_code}", "https://other.example/"]).await;
    assert_eq!(got, "not named\n403");
    let lines = wire.lines(5).await;
    assert_eq!((&lines[0]["decision"], &lines[0]["credential"]), (&"inject".into(), &"key".into()));
    assert_eq!(
        (&lines[1]["decision"], &lines[1]["reason"]),
        (&"deny".into(), &"`access` is read-only".into())
    );
    assert_eq!((&lines[4]["decision"], &lines[4]["method"]), (&"deny".into(), &"GET".into()));
    let log = std::fs::read_to_string(wire.path("audit.jsonl")).unwrap();
    assert!(!log.contains("real") && !log.contains("placeholder"), "{log}");
}

/// Refuses everything.
struct Closed;

impl Judge for Closed {
    fn judge(&self, _: &Asked<'_>) -> Verdict {
        Verdict::Refuse(Refusal::plain(StatusCode::FORBIDDEN, "closed", "closed now\n"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rules_hold_from_the_next_request_on_and_what_is_under_way_is_finished() {
    let setting = Setting::new();
    let (sender, body) = made();
    let body = Arc::new(Mutex::new(Some(body)));
    let upstream = serve(&setting.identity, &["h2"], move |_| {
        let body = body.lock().unwrap().take().unwrap_or_else(|| whole("again"));
        async { Response::new(body) }
    });
    let upstream = upstream.await;
    let wire = setting.host("api.example", upstream.address).start().await;
    // Two requests, one after the other, on one connection.
    let mut curl = wire.command("curl");
    curl.args(["-sSN", "-m", "50", "https://api.example/first", "https://api.example/second"]);
    let mut child = curl.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    sender.send(Frame::data(Bytes::from("begun "))).await.unwrap();
    let mut begun = [0; 6];
    timeout(SOON, output.read_exact(&mut begun)).await.unwrap().unwrap();
    wire.caller.change(wire.policy.clone(), Arc::new(Closed)).unwrap();
    sender.send(Frame::data(Bytes::from("finished "))).await.unwrap();
    drop(sender);
    let mut rest = String::new();
    timeout(SOON, output.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, "finished closed now\n");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_a_caller_whose_body_is_under_way() {
    let setting = Setting::new();
    let wire = setting.judge(Closed).start().await;
    let body = "x".repeat(100_000);
    for _ in 0..50 {
        let got =
            wire.curl(&["-H", "Expect:", "-d", &body, "-w", "%{http_code}", "https://other.example/"]).await;
        assert!(got.ends_with("403"), "{got}");
    }
}
