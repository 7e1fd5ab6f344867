//! Hook events: to the daemon, or into the spool, never lost and never forged.

use super::{Link, accept};
use serde_json::Value;
use std::io::{Read, Write};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

fn hook(link: &Link, event: &str, data: &[u8]) -> Output {
    let spool = link.spool();
    let words = ["hook", event, "--session", "s-1", "--token", "t-1", "--spool", spool.to_str().unwrap()];
    let mut command = link.command(words);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(data).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    output
}

/// The spooled messages.
fn spooled(link: &Link) -> Vec<Value> {
    let paths: Vec<_> = std::fs::read_dir(link.spool()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(
        paths.iter().all(|path| path.extension().is_some_and(|extension| extension == "json")),
        "{paths:?}"
    );
    paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
}

/// Answers one request with the given bytes; what was asked comes back.
fn serve(link: &Link, answer: &'static [u8]) -> std::thread::JoinHandle<(String, Value)> {
    let listener = link.listen();
    std::thread::spawn(move || {
        let (name, mut stream) = accept(&listener);
        assert_eq!(name, "hooks\n");
        let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let count = stream.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "the request broke off");
            text.extend_from_slice(&buffer[..count]);
            let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(text[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
            if text.len() == end + 4 + length.parse::<usize>().unwrap() {
                stream.write_all(answer).unwrap();
                return (head, serde_json::from_slice(&text[end + 4..]).unwrap());
            }
        }
    })
}

#[test]
fn an_event_that_is_refused_is_spooled() {
    for answer in
        [&b"HTTP/1.1 401 Unauthorized\r\n\r\n"[..], b"HTTP/1.1 500 Oh\r\n\r\n", b"SSH-2.0-strange\r\n", b""]
    {
        let link = Link::new();
        let daemon = serve(&link, answer);
        hook(&link, "Stop", b"{}");
        daemon.join().unwrap();
        assert_eq!(spooled(&link).len(), 1, "{}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn a_daemon_that_never_answers_does_not_hold_the_agent_up() {
    let link = Link::new();
    let _listener = link.listen();
    let start = Instant::now();
    hook(&link, "Stop", b"{}");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(spooled(&link).len(), 1);
}

#[test]
fn an_odd_event_name_forges_no_field() {
    let link = Link::new();
    let event = "a\",\"session_id\":\"other\n";
    hook(&link, event, b"{}");
    let messages = spooled(&link);
    assert_eq!(messages[0]["event"], event);
    assert_eq!(messages[0]["session_id"], "s-1");
}

#[test]
fn data_without_end_is_read_to_its_end_and_cut() {
    let link = Link::new();
    let data = vec![b'x'; 12 << 20];
    hook(&link, "PostToolUse", &data);
    let messages = spooled(&link);
    let kept = messages[0]["data"].as_str().unwrap();
    assert!(kept.len() >= 1 << 20 && kept.len() <= 8 << 20, "{}", kept.len());
}

#[test]
fn a_hook_that_is_called_wrongly_disturbs_nobody() {
    let link = Link::new();
    for words in [&["hook"][..], &["hook", "Stop"], &["hook", "Stop", "--session"]] {
        let output = link.command(words.iter().copied()).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success() && !output.stderr.is_empty(), "{output:?}");
    }
}
