//! Credentials on the wire: read anew, tried once more, and renewed by the host alone.

use super::upstream::{Upstream, serve, whole};
use super::{Setting, Wire};
use clauderon::credential::keeper::Keeper;
use clauderon::credential::known::{Kind, bindings};
use clauderon::credential::lending::Lending;
use clauderon::manifest::project::{Credential, Source, Target};
use clauderon::proxy::errand::Errand;
use clauderon::proxy::lending::Lent;
use clauderon::proxy::policy::{Host, Policy};
use clauderon::proxy::ruled::Ruled;
use clauderon::proxy::rules::Rules;
use clauderon::secret::Secret;
use http_body_util::BodyExt;
use hyper::header::AUTHORIZATION;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Seen = Arc<Mutex<Vec<String>>>;

/// An upstream that takes one value alone, and writes down what it was sent.
async fn guarded(setting: &Setting, good: &'static str) -> (Upstream, Seen) {
    let seen = Seen::default();
    let writing = Arc::clone(&seen);
    let upstream = serve(&setting.identity, &["h2", "http/1.1"], move |request| {
        let writing = Arc::clone(&writing);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let sent = parts.headers.get(AUTHORIZATION).map_or("none", |it| it.to_str().unwrap()).to_owned();
            writing.lock().unwrap().push(format!("{sent} {}", body.len()));
            let status = if sent == good { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            Response::builder().status(status).body(whole(format!("body of {}", body.len()))).unwrap()
        }
    });
    (upstream.await, seen)
}

/// A provider that gives the token `renewed` once it is asked, slowly, and writes down what it was asked.
async fn provider(setting: &Setting, status: u16, answer: Value) -> (Upstream, Seen) {
    let seen = Seen::default();
    let writing = Arc::clone(&seen);
    let upstream = serve(&setting.identity, &["http/1.1"], move |request| {
        let (writing, answer) = (Arc::clone(&writing), answer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            writing.lock().unwrap().push(format!("{} {}", parts.uri.path(), String::from_utf8_lossy(&body)));
            tokio::time::sleep(Duration::from_millis(300)).await;
            Response::builder().status(status).body(whole(answer.to_string())).unwrap()
        }
    });
    (upstream.await, seen)
}

/// Lends a source as `key` to `api.example`; logins are renewed at `provider`.
pub(super) async fn lending(
    setting: Setting,
    source: Source,
    at: &Upstream,
    provider: Option<&Upstream>,
) -> (Wire, Arc<Keeper>) {
    let mut policy = Policy { hosts: BTreeMap::new() };
    for name in ["platform.claude.com", "auth.openai.com"] {
        let address = provider.map_or("127.0.0.1:9".to_owned(), |provider| provider.address.to_string());
        let authority = Some(setting.identity.authority.clone());
        policy.hosts.insert(name.to_owned(), Host { address: Some(address), authority, ..Host::default() });
    }
    let keeper = Arc::new(Keeper::new(Arc::new(Errand::new(&setting.installation, policy).unwrap())));
    let target = Target {
        host: "api.example".to_owned(),
        port: 443,
        header: "Authorization".to_owned(),
        value: "Bearer {}".to_owned(),
    };
    let credential = Credential { target: Some(target), ..Credential::default() };
    let bindings = bindings("key", &credential, Kind::Token);
    let lending = Lending { name: "key".to_owned(), source: Some(source), bindings };
    let lent = Lent::new("id".to_owned(), vec![lending], Arc::clone(&keeper), Box::new(|_, _| ()));
    let setting = setting.host("api.example", at.address).host("other.example", at.address);
    // Who asks for a token from inside is to be answered before anything is dialled.
    let setting = match provider {
        Some(provider) => {
            setting.host("platform.claude.com", provider.address).host("auth.openai.com", provider.address)
        }
        None => setting,
    };
    (setting.judge(Ruled::lending(Rules::default(), lent)).start().await, keeper)
}

pub(super) fn file(setting: &Setting, name: &str, text: &str) -> PathBuf {
    let path = setting.directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

pub(super) fn at(path: &Path, pointer: &str) -> Source {
    Source::File { path: path.to_owned(), pointer: pointer.to_owned(), fixed: false }
}

const PLACEHOLDER: [&str; 2] = ["-H", "Authorization: Bearer clauderon-proxy-key"];

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_anew_when_it_changes() {
    let setting = Setting::new();
    let (upstream, seen) = guarded(&setting, "Bearer second").await;
    let path = file(&setting, "token", "first\n");
    let (wire, _) = lending(setting, at(&path, ""), &upstream, None).await;
    assert_eq!(wire.curl(&["-w", " %{http_code}", "https://api.example/"]).await, "body of 0 401");
    std::fs::write(path.with_extension("new"), "second\n").unwrap();
    std::fs::rename(path.with_extension("new"), &path).unwrap();
    looked_at().await;
    assert_eq!(wire.curl(&["-w", " %{http_code}", "https://api.example/"]).await, "body of 0 200");
    // What is gone is told, and nothing of before is sent.
    std::fs::remove_file(&path).unwrap();
    looked_at().await;
    let got = wire.curl(&["-w", " %{http_code}", "https://api.example/"]).await;
    assert!(got.ends_with("403") && got.contains("cannot be read"), "{got}");
    assert_eq!(*seen.lock().unwrap(), ["Bearer first 0", "Bearer second 0"]);
}

/// A file is looked at again after this.
async fn looked_at() {
    tokio::time::sleep(Duration::from_millis(60)).await;
}

fn fixed(path: &Path, pointer: &str) -> Source {
    Source::File { path: path.canonicalize().unwrap(), pointer: pointer.to_owned(), fixed: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_agreed_to_and_became_a_link_is_not_followed() {
    let setting = Setting::new();
    let (upstream, seen) = guarded(&setting, "Bearer own").await;
    let root = setting.directory.path().to_owned();
    for directory in ["project", "private"] {
        std::fs::create_dir(root.join(directory)).unwrap();
    }
    let path = file(&setting, "project/token", "own");
    let private = file(&setting, "private/token", "canary");
    let (wire, _) = lending(setting, fixed(&path, ""), &upstream, None).await;
    let ask = async || {
        looked_at().await;
        wire.curl(&["-w", " %{http_code}", "https://api.example/"]).await
    };
    assert_eq!(ask().await, "body of 0 200");
    // The file itself.
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&private, &path).unwrap();
    let got = ask().await;
    assert!(got.ends_with("403") && got.contains("is a link now") && got.contains("clauderon up"), "{got}");
    // A directory on the way to it.
    std::fs::remove_dir_all(root.join("project")).unwrap();
    std::os::unix::fs::symlink("private", root.join("project")).unwrap();
    assert!(ask().await.ends_with("403"));
    // A pipe and a directory in its place end at once.
    std::fs::remove_file(root.join("project")).unwrap();
    std::fs::create_dir_all(&path).unwrap();
    assert!(ask().await.ends_with("403"));
    std::fs::remove_dir(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(ask().await.ends_with("403"));
    // And it is lent again once it is a file.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "own").unwrap();
    assert_eq!(ask().await, "body of 0 200");
    assert_eq!(*seen.lock().unwrap(), ["Bearer own 0", "Bearer own 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_own_login_may_be_a_link_that_leads_elsewhere_later() {
    let setting = Setting::new();
    let (upstream, seen) = guarded(&setting, "Bearer first").await;
    let path = setting.directory.path().join("login");
    for generation in ["first", "second"] {
        file(&setting, generation, generation);
    }
    std::os::unix::fs::symlink("first", &path).unwrap();
    let (wire, _) = lending(setting, at(&path, ""), &upstream, None).await;
    let ask = async || {
        looked_at().await;
        wire.curl(&["-w", " %{http_code}", "https://api.example/"]).await
    };
    assert_eq!(ask().await, "body of 0 200");
    std::os::unix::fs::symlink("second", path.with_extension("new")).unwrap();
    std::fs::rename(path.with_extension("new"), &path).unwrap();
    assert_eq!(ask().await, "body of 0 401");
    assert_eq!(*seen.lock().unwrap(), ["Bearer first 0", "Bearer second 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_login_is_written_where_it_was_agreed_to_or_nowhere() {
    let setting = Setting::new();
    let (upstream, seen) = guarded(&setting, "Bearer new-canary").await;
    let (provider, _) = provider(&setting, 200, answer()).await;
    let root = setting.directory.path().to_owned();
    for directory in ["project", "private"] {
        std::fs::create_dir(root.join(directory)).unwrap();
        file(&setting, &format!("{directory}/login"), &claude(1));
    }
    let source = fixed(&root.join("project/login"), "/claudeAiOauth/accessToken");
    let (wire, _) = lending(setting, source, &upstream, Some(&provider)).await;
    // While the provider answers, the directory becomes a link to another.
    let asking = wire.curl(&["-w", " %{http_code}", "https://api.example/"]);
    let turning = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        std::fs::rename(root.join("project"), root.join("moved")).unwrap();
        std::os::unix::fs::symlink("private", root.join("project")).unwrap();
    };
    let (got, ()) = tokio::join!(asking, turning);
    assert_eq!(got, "body of 0 200", "{:?}", seen.lock().unwrap());
    assert_eq!(std::fs::read_to_string(root.join("private/login")).unwrap(), claude(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ended_before_all_time_is_renewed_like_any_other() {
    let setting = Setting::new();
    let (upstream, _) = guarded(&setting, "Bearer new-canary").await;
    let (provider, _) = provider(&setting, 200, answer()).await;
    let path = file(&setting, "login", &claude(i64::MIN));
    let (wire, _) =
        lending(setting, at(&path, "/claudeAiOauth/accessToken"), &upstream, Some(&provider)).await;
    assert_eq!(wire.curl(&["-w", " %{http_code}", "https://api.example/"]).await, "body of 0 200");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_401_a_credential_is_read_anew_once_and_the_request_sent_once_more() {
    let setting = Setting::new();
    let (upstream, seen) = guarded(&setting, "Bearer v2").await;
    let count = setting.directory.path().join("count");
    let script = format!("echo >> '{0}'; printf v; wc -l < '{0}'", count.display());
    let source = Source::Command { argv: ["sh", "-c", &script].map(str::to_owned).to_vec(), timeout: 10 };
    let (wire, _) = lending(setting, source, &upstream, None).await;
    let large = wire.path("large");
    std::fs::write(&large, vec![b'x'; 1 << 20]).unwrap();
    let body = format!("@{}", large.display());
    let got =
        wire.curl(&[&PLACEHOLDER[..], &["--data-binary", &body, "https://api.example/"]].concat()).await;
    assert_eq!(got, "body of 1048576");
    assert_eq!(*seen.lock().unwrap(), ["Bearer v1 1048576", "Bearer v2 1048576"]);
    assert_eq!(wire.curl(&["https://api.example/"]).await, "body of 0");
    assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), 2, "the second value is kept");
    let line = &wire.lines(2).await[0];
    assert_eq!(
        (&line["status"], &line["decision"], &line["credential"]),
        (&200.into(), &"inject".into(), &"key".into())
    );
    assert_eq!(line["bytes_in"], 1 << 20, "what was sent twice was read once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_large_to_keep_passes_with_its_401_and_the_next_request_has_the_new_value() {
    let setting = Setting::new();
    let (upstream, seen) = guarded(&setting, "Bearer v2").await;
    let count = setting.directory.path().join("count");
    let script = format!("echo >> '{0}'; printf v; wc -l < '{0}'", count.display());
    let source = Source::Command { argv: ["sh", "-c", &script].map(str::to_owned).to_vec(), timeout: 10 };
    let (wire, _) = lending(setting, source, &upstream, None).await;
    let large = wire.path("large");
    std::fs::write(&large, vec![b'x'; 3 << 20]).unwrap();
    let body = format!("@{}", large.display());
    let got = wire.curl(&["-w", " %{http_code}", "--data-binary", &body, "https://api.example/"]).await;
    assert_eq!(got, "body of 3145728 401");
    assert_eq!(wire.curl(&["-w", " %{http_code}", "https://api.example/"]).await, "body of 0 200");
    assert_eq!(*seen.lock().unwrap(), ["Bearer v1 3145728", "Bearer v2 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_rejected_at_will_causes_no_storm() {
    let setting = Setting::new();
    let (upstream, seen) = guarded(&setting, "Bearer never").await;
    let count = setting.directory.path().join("count");
    let script = format!("echo >> '{0}'; printf same", count.display());
    let source = Source::Command { argv: ["sh", "-c", &script].map(str::to_owned).to_vec(), timeout: 10 };
    let (wire, _) = lending(setting, source, &upstream, None).await;
    for _ in 0..5 {
        assert_eq!(wire.curl(&["-w", " %{http_code}", "https://api.example/"]).await, "body of 0 401");
    }
    assert_eq!(
        std::fs::read_to_string(&count).unwrap().lines().count(),
        2,
        "once at first, once after the first 401"
    );
    assert_eq!(seen.lock().unwrap().len(), 5, "the same value is not sent twice");
}

fn claude(ends: i64) -> String {
    json!({"claudeAiOauth": {
        "accessToken": "old-canary", "refreshToken": "refresh-canary", "expiresAt": ends,
        "scopes": ["user:inference"], "subscriptionType": "max", "kept": {"as": "it is"},
    }, "other": 1})
    .to_string()
}

fn answer() -> Value {
    json!({"access_token": "new-canary", "refresh_token": "next-canary", "expires_in": 3600, "scope": "user:inference"})
}

/// Fifty requests at once; answers what each was told.
async fn fifty(wire: &Wire) -> Vec<String> {
    let mut arguments = vec!["-Z", "--parallel-max", "50", "-w", "%{http_code}\n"];
    arguments.extend(std::iter::repeat_n("https://api.example/", 50));
    let got = wire.curl(&arguments).await;
    got.replace("body of 0", "").lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_against_a_login_that_has_ended_renew_it_once() {
    for (document, pointer, asked, ends) in [
        (claude(1000), "/claudeAiOauth/accessToken", "/v1/oauth/token ", "/claudeAiOauth/refreshToken"),
        (
            json!({"OPENAI_API_KEY": null, "tokens": {
                // Its claims are {"exp":1000}.
                "access_token": "e30.eyJleHAiOjEwMDB9.old-canary", "refresh_token": "refresh-canary",
                "id_token": "old", "account_id": "acct"}})
            .to_string(),
            "/tokens/access_token",
            "/oauth/token ",
            "/tokens/refresh_token",
        ),
    ] {
        let setting = Setting::new();
        let (upstream, seen) = guarded(&setting, "Bearer new-canary").await;
        let (renewing, asked_for) = provider(&setting, 200, answer()).await;
        let path = file(&setting, "login.json", &document);
        let (wire, _) = lending(setting, at(&path, pointer), &upstream, Some(&renewing)).await;
        let got = fifty(&wire).await;
        assert!(got.len() == 50 && got.iter().all(|code| code == "200"), "{got:?}");
        let questions = asked_for.lock().unwrap().clone();
        assert_eq!(questions.len(), 1, "{questions:?}");
        assert!(questions[0].starts_with(asked) && questions[0].contains("refresh-canary"), "{questions:?}");
        assert!(seen.lock().unwrap().iter().all(|sent| sent == "Bearer new-canary 0"));
        let written: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(written.pointer(pointer).unwrap(), "new-canary");
        assert_eq!(written.pointer(ends).unwrap(), "next-canary", "the next renewal needs it");
        if pointer.starts_with("/claude") {
            assert_eq!(written["claudeAiOauth"]["kept"]["as"], "it is");
            assert!(written["claudeAiOauth"]["expiresAt"].as_i64().unwrap() > 1_000_000_000_000);
        }
        let audit = std::fs::read_to_string(wire.path("audit.jsonl")).unwrap();
        assert!(!audit.contains("canary"), "{audit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_that_are_rejected_renew_the_login_once_and_all_succeed() {
    let setting = Setting::new();
    let (upstream, _) = guarded(&setting, "Bearer new-canary").await;
    let (renewing, asked_for) = provider(&setting, 200, answer()).await;
    let path = file(&setting, "login.json", &claude(4_102_444_800_000));
    let (wire, _) =
        lending(setting, at(&path, "/claudeAiOauth/accessToken"), &upstream, Some(&renewing)).await;
    let got = fifty(&wire).await;
    assert!(got.len() == 50 && got.iter().all(|code| code == "200"), "{got:?}");
    assert_eq!(asked_for.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_makes_its_requests_fail_does_not_have_the_login_renewed_at_will() {
    let setting = Setting::new();
    let (upstream, _) = guarded(&setting, "Bearer never").await;
    let (renewing, asked_for) = provider(&setting, 200, answer()).await;
    let path = file(&setting, "login.json", &claude(4_102_444_800_000));
    let source = at(&path, "/claudeAiOauth/accessToken");
    let (wire, _) = lending(setting, source, &upstream, Some(&renewing)).await;
    for _ in 0..5 {
        assert_eq!(wire.curl(&["-w", " %{http_code}", "https://api.example/"]).await, "body of 0 401");
    }
    assert_eq!(asked_for.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_be_renewed_is_told_without_any_of_it() {
    for (status, reply) in [
        (400, json!({"error": "refresh-canary is not known"})),
        (200, json!(["new-canary"])),
        (500, json!(1)),
    ] {
        let setting = Setting::new();
        let (upstream, seen) = guarded(&setting, "Bearer new-canary").await;
        let (renewing, asked_for) = provider(&setting, status, reply).await;
        let path = file(&setting, "login.json", &claude(1000));
        let (wire, _) =
            lending(setting, at(&path, "/claudeAiOauth/accessToken"), &upstream, Some(&renewing)).await;
        let got = wire.curl(&["-w", "%{http_code}", "https://api.example/"]).await;
        assert!(got.ends_with("403") && got.contains("has ended") && !got.contains("canary"), "{got}");
        let got = fifty(&wire).await;
        assert!(!got.concat().contains("canary"), "{got:?}");
        assert_eq!(asked_for.lock().unwrap().len(), 1, "it rests before it is tried again");
        assert_eq!(seen.lock().unwrap().len(), 0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), claude(1000));
        let audit = std::fs::read_to_string(wire.path("audit.jsonl")).unwrap();
        assert!(!audit.contains("canary"), "{audit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_owner_has_renewed_is_taken_and_not_renewed_again() {
    let setting = Setting::new();
    let (upstream, _) = guarded(&setting, "Bearer new-canary").await;
    let (renewing, asked_for) = provider(&setting, 200, answer()).await;
    let path = file(&setting, "login.json", &claude(4_102_444_800_000));
    let (wire, keeper) =
        lending(setting, at(&path, "/claudeAiOauth/accessToken"), &upstream, Some(&renewing)).await;
    let source = at(&path, "/claudeAiOauth/accessToken");
    assert_eq!(keeper.value("id", &source).await.unwrap().expose(), "old-canary");
    std::fs::write(&path, claude(4_102_444_800_000).replace("old-canary", "new-canary")).unwrap();
    looked_at().await;
    assert_eq!(wire.curl(&["-w", "%{http_code}", "https://api.example/"]).await, "body of 0200");
    assert_eq!(asked_for.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_asked_for_from_inside_is_a_placeholder_and_its_provider_is_never_asked() {
    let setting = Setting::new();
    let (upstream, _) = guarded(&setting, "none").await;
    let (renewing, asked_for) = provider(&setting, 200, answer()).await;
    let path = file(&setting, "token", "value");
    let (wire, _) = lending(setting, at(&path, ""), &upstream, Some(&renewing)).await;
    for (url, flag) in [
        ("https://platform.claude.com/v1/oauth/token", "--http1.1"),
        ("https://platform.claude.com/v1/oauth/token?x=1", "--http2"),
        ("https://platform.claude.com/v1/%6fauth//token", "--http2"),
        ("https://auth.openai.com/oauth/token", "--http2"),
    ] {
        let question = r#"{"grant_type":"authorization_code","code":"real"}"#;
        let got = wire.curl(&[flag, "--path-as-is", "-d", question, url]).await;
        let got: Value = serde_json::from_str(&got).unwrap();
        assert!(got["access_token"].as_str().unwrap().contains("clauderon-proxy"), "{got}");
        assert!(got["refresh_token"].as_str().unwrap().contains("clauderon-proxy"), "{got}");
    }
    assert_eq!(asked_for.lock().unwrap().len(), 0);
    assert!(wire.lines(4).await.iter().all(|line| line["decision"] == "deny"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_urls_pass_unswapped_and_other_hosts_are_refused() {
    let setting = Setting::new();
    let upstream = serve(&setting.identity, &["h2"], |request| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(whole(format!("{query} {}", String::from_utf8_lossy(&body))))
    });
    let upstream = upstream.await;
    let path = file(&setting, "token", "canary");
    let (wire, _) = lending(setting, at(&path, ""), &upstream, None).await;
    for host in ["api.example", "other.example"] {
        let url = format!("https://{host}/?q=clauderon-proxy-key");
        assert_eq!(
            wire.curl(&["-d", "clauderon-proxy-key", &url]).await,
            "q=clauderon-proxy-key clauderon-proxy-key"
        );
    }
    let got =
        wire.curl(&[&PLACEHOLDER[..], &["-w", "%{http_code}", "https://other.example/"]].concat()).await;
    assert!(got.ends_with("403") && got.contains("credentials.key"), "{got}");
    let got =
        wire.curl(&["-u", "user:clauderon-proxy-key", "-w", "%{http_code}", "https://other.example/"]).await;
    assert!(got.ends_with("403"), "{got}");
    let got =
        wire.curl(&[&PLACEHOLDER[..], &["-w", "%{http_code}", "https://api.example:8443/"]].concat()).await;
    assert!(got.ends_with("403") && got.contains("https://api.example:443"), "{got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_over_for_one_session_is_not_anothers() {
    let setting = Setting::new();
    let (upstream, _) = guarded(&setting, "Bearer canary").await;
    let (wire, keeper) = lending(setting, Source::Env("TOKEN".to_owned()), &upstream, None).await;
    let ask = || async { wire.curl(&["-w", "%{http_code}", "https://api.example/"]).await };
    let value = || BTreeMap::from([("TOKEN".to_owned(), Secret::new("canary".to_owned()))]);
    keeper.hand("other", value());
    let got = ask().await;
    assert!(got.ends_with("403") && got.contains("`TOKEN` was not handed over"), "{got}");
    keeper.hand("id", value());
    assert!(ask().await.ends_with("200"));
    keeper.forget("id");
    assert!(ask().await.ends_with("403"));
}
