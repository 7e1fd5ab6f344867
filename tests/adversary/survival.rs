//! The daemon is killed under streams, and upstreams answer as badly as they can.

use super::{Sessions, sessions};
use crate::support::world::{eventually, inspect};
use crate::wire::upstream::{made, serve};
use crate::wire::{NAMES, identity};
use bytes::Bytes;
use hyper::Response;
use hyper::body::Frame;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn upstreams_that_are_down_slow_resetting_or_talk_garbage_end_in_an_error() {
    let sessions = sessions();
    // An answer that breaks off before anything of it came has no status either.
    for (path, expected) in [
        ("garbage", "502 0"),
        ("none", "502 0"),
        ("head", "502 0"),
        ("heads", "502 0"),
        ("lengths", "502 0"),
        ("switch", "502 0"),
        ("split", "502 0"),
        ("slow", "200 0"),
        ("half", "200 "),
        ("chunk", ""),
        ("chunks", "200 "),
    ] {
        let script =
            format!("curl -s -m 20 -o /dev/null -w '%{{http_code}} ' http://up.example/{path}; echo -n $?");
        let start = Instant::now();
        let said = sessions.run("a", &script);
        assert!(said.starts_with(expected), "{path}: {said}");
        // What breaks off in the middle is not taken for the whole.
        assert!(path == "slow" || expected.ends_with('0') || !said.ends_with(" 0"), "{path}: {said}");
        assert!(start.elapsed() < Duration::from_secs(10), "{path} took {:?}", start.elapsed());
    }
    let down = sessions.run("a", "curl -s -m 20 -w ' %{http_code}' http://no-such-host.example/");
    assert!(down.contains("no address") && down.ends_with(" 502"), "{down}");
    // Ten that say nothing hold up nobody.
    let script = "for n in 1 2 3 4 5 6 7 8 9 10; do curl -s -m 3 http://up.example/silent & done; \
                  curl -s -m 5 http://up.example/; wait";
    assert_eq!(sessions.run("a", script), "reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_during_twenty_streams_ends_them_and_comes_back_as_it_was() {
    let identity = identity();
    let upstream = serve(&identity, &["h2", "http/1.1"], |_| async {
        let (sender, body) = made();
        tokio::spawn(async move {
            while sender.send(Frame::data(Bytes::from_static(b"data: more\n\n"))).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Response::new(body)
    });
    let upstream = upstream.await;
    let sessions = Sessions::begin();
    let world = &sessions.world;
    world.write("streams-ca.pem", &identity.authority);
    let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    let host =
        format!("  hosts:\n    {}: {{address: \"{}\", ca: streams-ca.pem}}\n", NAMES[0], upstream.address);
    world.write("clauderon.yaml", &text.replace("  hosts:\n", &host));
    world.run(&["up", "--wait", "--yes"]).ok();
    let facts = |session: &str| {
        let container = inspect(&world.container(session));
        (container["Id"].clone(), container["State"]["StartedAt"].clone())
    };
    let authority = || std::fs::read_to_string(world.home().join("authority/certificate.pem")).unwrap();
    let (before, certificate) = ((facts("a"), facts("b")), authority());
    // Half of them over HTTP/1.1, half over HTTP/2, some without TLS to the proxy.
    let script = "for n in $(seq 20); do
        ( curl -sN -m 50 --http$([ $((n % 2)) = 0 ] && echo 2 || echo 1.1) https://api.example/$n -o /tmp/stream$n; echo \"ended $?\" ) &
        done; touch /tmp/begun; wait";
    let (ended, took) = std::thread::scope(|scope| {
        let streaming = scope.spawn(|| {
            let said = sessions.run("a", script);
            (said, Instant::now())
        });
        let flowing = "cat /tmp/stream* 2>/dev/null | grep -c more; ls /tmp/stream* | wc -l";
        eventually("twenty streams flow", LONG, || sessions.run("a", flowing).lines().nth(1) == Some("20"));
        let process = rustix::process::Pid::from_raw(sessions.daemon()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
        let killed = Instant::now();
        let (said, ended) = streaming.join().unwrap();
        (said, ended - killed)
    });
    let codes: Vec<&str> = ended.lines().filter_map(|line| line.strip_prefix("ended ")).collect();
    // 28 would be a hang, 0 a stream that was taken for whole.
    assert!(codes.len() == 20 && codes.iter().all(|code| !["0", "28"].contains(code)), "{ended}");
    assert!(took < Duration::from_secs(10), "the streams hung for {took:?}");
    // Any command has the daemon back; nothing is asked of the user.
    world.run(&["ps"]).ok();
    for session in ["a", "b"] {
        let arguments = "-N -m 2 https://api.example/again";
        eventually("it streams again", LONG, || sessions.curl(session, arguments) == "200");
    }
    assert_eq!(((facts("a"), facts("b")), authority()), (before, certificate));
}
