//! The link in a real container without a network, as the first program beside the engine's init.

use super::{Link, accept};
use std::io::{Read, Write};
use std::process::Command;

#[test]
fn a_container_without_a_network_reaches_the_socket_and_nothing_else() {
    let link = Link::new();
    let listener = link.listen();
    let daemon = std::thread::spawn(move || {
        let mut names = Vec::new();
        for _ in 0..2 {
            let (name, mut stream) = accept(&listener);
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let body = String::from_utf8_lossy(&head).lines().next().unwrap().to_owned();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
            names.push(name);
        }
        names
    });
    let script = "curl -sS -m 5 -x http://host.docker.internal:47100 http://example.com/a; echo; \
                  curl -sS -m 5 --noproxy '*' http://host.docker.internal:47101/b; echo; \
                  curl -s -m 5 --noproxy '*' http://1.1.1.1/; echo $?; exit 9";
    let mount = format!("{}:/run/clauderon:ro", link.directory.path().display());
    let output = Command::new("docker")
        .args(["run", "--rm", "--label", "clauderon.owner=contract", "--network", "none", "--init"])
        .args(["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "0:0"])
        .args(["--add-host", "host.docker.internal:127.0.0.1", "-v", &mount])
        .args(["--entrypoint", "/run/clauderon/link", crate::support::world::IMAGE])
        .args(["run", "--bind", "proxy=47100", "--bind", "hooks=47101", "--", "bash", "-c", script])
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(9), "{words}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(words, "GET http://example.com/a HTTP/1.1\nGET /b HTTP/1.1\n7\n");
    assert_eq!(daemon.join().unwrap(), ["proxy\n", "hooks\n"]);
}
