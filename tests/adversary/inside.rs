//! What an agent finds inside: no way out but the proxy, nothing of another session's, nothing of the host's.

use super::{sessions, status};
use crate::support::world::files_with;

#[test]
fn there_is_no_device_route_or_privilege_to_leave_by() {
    let sessions = sessions();
    let listener = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = sessions.run(
        "a",
        &format!(
            r#"
        tried() {{ if "$@" >/dev/null 2>&1; then echo "it worked: $*"; fi; }}
        for device in /sys/class/net/*; do [ "${{device##*/}}" = lo ] || echo "device $device"; done
        [ "$(wc -l </proc/net/route)" -le 1 ] || cat /proc/net/route
        grep -v ' lo$' /proc/net/ipv6_route
        for address in 172.17.0.1 1.1.1.1 169.254.169.254 '[2606:4700::1111]' '[fe80::1]'; do
            tried timeout 3 curl -s -m 2 --noproxy '*' "http://$address/"
        done
        tried bash -c 'exec 3<>/dev/udp/172.17.0.1/{port} && echo out >&3'
        tried bash -c 'exec 3<>/dev/udp/1.1.1.1/53 && echo out >&3'
        tried timeout 5 getent hosts example.com
        tried timeout 5 getent hosts db.up.example
        tried perl -MSocket -e 'socket(my $s, AF_INET, SOCK_RAW, 1) or exit 1'
        tried perl -e 'socket(my $s, 17, 3, 768) or exit 1'
        tried perl -e 'socket(my $s, 40, 1, 0) and connect($s, pack("SSLLx4", 40, 0, 22, 2)) or exit 1'
        tried unshare --net true
        tried unshare --user --map-root-user --net mount -t tmpfs none /mnt
        tried mount -t tmpfs none /mnt
        tried mount -o remount,rw /run/clauderon
        tried mount -o remount,rw /workspace/.git/config
        tried mknod /tmp/disk b 8 0
        tried umount /workspace/.git/config
        tried bash -c 'echo 1 >/proc/sys/kernel/core_pattern'
        tried bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
        tried chroot / true
        tried dmesg
        for socket in /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock /run/podman/podman.sock; do
            [ -e $socket ] && echo "$socket is here"
        done
        grep -q '^CapEff:.0000000000000000' /proc/self/status || grep Cap /proc/self/status
        grep -q '^NoNewPrivs:.1' /proc/self/status || echo 'new privileges'
        grep -q '^Seccomp:.2' /proc/self/status || echo 'no seccomp'
        awk 'NF == 8 && $8 ~ /^@/ {{ print "abstract socket " $8 }}' /proc/net/unix
        true"#
        ),
    );
    assert_eq!(said, "");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.recv(&mut [0; 8]).is_err(), "a datagram left the container");
}

#[test]
fn nothing_of_another_session_or_of_the_daemon_is_inside() {
    let sessions = sessions();
    let home = sessions.world.home();
    let ids: Vec<String> =
        sessions.world.ps().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    let token = |id: &str| std::fs::read_to_string(home.join("sessions").join(id).join("token")).unwrap();
    let key = std::fs::read_to_string(home.join("authority/key.pem")).unwrap();
    let secrets = [
        ("the other's token", token(&ids[1]).trim().to_owned()),
        ("the other's id", ids[1].clone()),
        ("the authority's key", key.lines().nth(1).unwrap().to_owned()),
    ];
    // Files, and what processes and mounts tell. The question comes by standard input: it must not find itself.
    for (what, secret) in &secrets {
        let script = "SECRET=$(cat); grep -rlsaF -D skip -m 1 --exclude-dir=sys --exclude-dir=proc -f <(echo \"$SECRET\") /; \
                      cat /proc/[0-9]*/{environ,cmdline,mountinfo} 2>/dev/null | grep -aF -m 1 -f <(echo \"$SECRET\")";
        let answer = sessions.world.run_with(&["exec", "a", "--", "bash", "-c", script], secret.as_bytes());
        assert_eq!(answer.stdout, "", "{what} is inside of `a`");
    }
    let sockets =
        sessions.run("a", "find / -xdev -type s 2>/dev/null; find /run/clauderon /workspace -type s");
    assert!(sockets.lines().all(|line| line == "/run/clauderon/link.sock"), "{sockets}");
    let inspected = crate::support::world::inspect(&sessions.world.container("a")).to_string();
    for (what, secret) in secrets.iter().filter(|(what, _)| *what != "the other's id") {
        assert!(!inspected.contains(secret), "{what} is in what the engine tells of `a`");
    }
    let own = token(&ids[0]);
    assert!(!inspected.contains(own.trim()), "a token is in what the engine tells");
}

#[test]
fn the_sessions_socket_is_no_door_to_the_daemon() {
    let sessions = sessions();
    let before = sessions.daemon();
    let said = sessions.run(
        "a",
        r#"
        say() { timeout 15 perl -MIO::Socket::UNIX -e '
            my $s = IO::Socket::UNIX->new(Peer => "/run/clauderon/link.sock") or die "no socket";
            print $s $ARGV[0]; $s->flush; print "answered: $_" while <$s>' "$1" & }
        say $'control\n{"do":"status"}\n'
        say $'{"do":"stop"}\n'
        say $'{"do":"stop"}\n{"do":"stop"}\n'
        say $'PROXY\nGET http://up.example/ HTTP/1.1\r\n\r\n'
        say $'proxy \nGET http://up.example/ HTTP/1.1\r\n\r\n'
        say $'hooks\r\nGET / HTTP/1.1\r\n\r\n'
        say "$(head -c 100000 /dev/zero | tr '\0' x)"
        say $'\n\n\n\n'
        wait 2>/dev/null"#,
    );
    assert!(!said.contains("answered"), "{said}");
    assert_eq!(sessions.daemon(), before);
}

#[test]
fn texts_of_requests_are_kept_nowhere() {
    let sessions = sessions();
    let canary = format!("canary{}", uuid::Uuid::now_v7().simple());
    let said = sessions.run(
        "a",
        &format!(
            r#"
        ask() {{ curl -s -m 20 -H 'X-Note: {canary}' -H 'Authorization: Bearer {canary}' -H 'Cookie: c={canary}' "$@"; }}
        ask "http://up.example/noted?{canary}" -d 'note={canary}' -o /dev/null
        ask "http://never.example/?{canary}" -d {canary} -o /dev/null
        ask "http://reading.example/?{canary}" -d {canary} -o /dev/null
        ask "http://127.0.0.2/?{canary}" -o /dev/null
        ask "https://never.example/?{canary}" -o /dev/null
        ask "https://api.anthropic.com/nothing?{canary}" -u user:{canary} -o /dev/null
        ask "http://up.example/half?{canary}" -o /dev/null
        ask "http://up.example/garbage?{canary}" -o /dev/null
        ask -x 'http://user:{canary}@127.0.0.1:47100' http://up.example/ -o /dev/null
        ask 'http://user:{canary}@up.example/' -o /dev/null
        ask --proxy-header 'X-Note: {canary}' https://api.anthropic.com/nothing -o /dev/null
        printf 'GET http://u:{canary}@up.example/ HTTP/1.1\r\n\r\n' | timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/47100; cat >&3; cat <&3'"#
        ),
    );
    assert!(!said.contains(&canary), "a refusal repeats what it was asked: {said}");
    assert!(sessions.upstream.heard(&canary), "the request did not pass");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(files_with(&sessions.world.home(), &canary), Vec::<std::path::PathBuf>::new());
}

#[test]
fn an_upstream_learns_nothing_of_the_proxy_or_the_host() {
    let sessions = sessions();
    let echoed = sessions.run(
        "a",
        "curl -s -m 20 -A agent -H 'Proxy-Authorization: Basic eDp5' -H 'Proxy-Connection: keep-alive' -H 'X-Kept: 1' http://up.example/echo",
    );
    let mut lines: Vec<String> =
        echoed.lines().map(str::to_ascii_lowercase).filter(|it| !it.is_empty()).collect();
    lines.sort();
    assert_eq!(
        lines,
        ["accept: */*", "get /echo http/1.1", "host: up.example", "user-agent: agent", "x-kept: 1"]
    );
}

#[test]
fn a_bomb_is_passed_on_as_it_came() {
    let sessions = sessions();
    sessions.curl("a", "http://up.example/");
    let (_, before) = sessions.costs();
    let sizes = sessions.run(
        "a",
        "for n in 1 2 3 4; do curl -s -m 50 -o /dev/null -w '%{size_download}\n' http://up.example/bomb & done; wait",
    );
    let expected = super::upstream::bomb().len().to_string();
    assert!(sizes.lines().count() == 4 && sizes.lines().all(|size| size == expected), "{sizes}");
    let (_, after) = sessions.costs();
    assert!(after < before + 32 * 1024, "memory went from {before} to {after} KiB");
}

#[test]
fn headers_do_not_grow_out_of_a_request() {
    let sessions = sessions();
    let ask = |head: &str| format!("GET http://up.example/{head}\r\nConnection: close\r\n\r\n");
    let answers = sessions.say(
        "a",
        &[
            ask("in%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: up.example"),
            ask("in HTTP/1.1\r\nHost: up.example\r\nX: a\rX-Injected: 1"),
            ask("in HTTP/1.1\r\nHost: up.example\r\nX: a\r\n X-Injected: 1"),
            ask("in HTTP/1.1\r\nHost: up.example\r\nX\u{e9}-Injected: 1"),
            ask("split HTTP/1.1\r\nHost: up.example"),
        ],
    );
    assert!(answers.iter().all(|answer| status(answer) >= 200), "{answers:?}");
    assert!(!sessions.upstream.heard("\nX-Injected") && !sessions.upstream.heard("\rX-Injected"));
    assert!(!answers[4].to_ascii_lowercase().contains("set-cookie"), "{}", answers[4]);
}
