//! Names and spellings of what must not be reached, and rules that are told in another way.

use super::{sessions, status};
use std::net::TcpListener;
use std::time::Duration;

/// `127.0.0.1` and its neighbours, metadata and the host's own services, in every dress.
const SPELLINGS: [&str; 45] = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0177.1",
    "127.0x0.00.1",
    "0",
    "0.0.0.0",
    "0x0",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7F00:1]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1%25eth0]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost.localdomain",
    "127%2e0%2e0%2e1",
    "%31%32%37.0.0.1",
    "host.docker.internal",
    "gateway.docker.internal",
    "172.17.0.1",
    "2886795265",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "169.254.43518",
    "[fd00:ec2::254]",
    "168.63.129.16",
];

#[test]
fn no_spelling_of_an_address_of_this_machine_is_dialled() {
    let sessions = sessions();
    let services = [TcpListener::bind("0.0.0.0:0").unwrap(), TcpListener::bind("[::]:0").unwrap()];
    let own = std::process::Command::new("hostname").arg("-I").output().unwrap();
    let own = String::from_utf8(own.stdout).unwrap();
    let own =
        own.split_whitespace().map(|it| if it.contains(':') { format!("[{it}]") } else { it.to_owned() });
    let names: Vec<String> = SPELLINGS.iter().map(|it| (*it).to_owned()).chain(own).collect();
    let mut requests = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let port = services[index % 2].local_addr().unwrap().port();
        requests
            .push(format!("GET http://{name}:{port}/ HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"));
        requests.push(format!("CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"));
    }
    for (answer, request) in sessions.say("a", &requests).iter().zip(&requests) {
        // What is no name at all leads nowhere; all else is refused for what it is.
        assert!([400, 403, 502].contains(&status(answer)), "{request}{answer}");
        assert!(answer.contains("clauderon") || status(answer) == 400, "{request}{answer}");
    }
    for service in services {
        service.set_nonblocking(true).unwrap();
        assert!(service.accept().is_err(), "a service of the host was reached");
    }
}

#[test]
fn a_rule_for_an_address_holds_in_every_spelling_of_it() {
    let sessions = sessions();
    // 93.184.215.14 and 2606:4700:4700::1111, which the manifest forbids.
    let spellings = [
        "93.184.215.14",
        "93.184.215.14.",
        "1572394766",
        "0x5db8d70e",
        "0135.184.215.14",
        "93.184.55054",
        "93.0xb8.215.14",
        "93%2e184.215.14",
        "[2606:4700:4700::1111]",
        "[2606:4700:4700:0:0:0:0:1111]",
        "[2606:4700:4700::1111%251]",
        "[2606:4700:4700::1111%1]",
        "[2606:4700:4700::1111%25]",
        "[2606:4700:4700::1111%25eth0]",
    ];
    let get = |it: &&str| format!("GET http://{it}/ HTTP/1.1\r\nHost: {it}\r\nConnection: close\r\n\r\n");
    // A CONNECT to what is forbidden whole is told so inside; one to what is no host goes no further.
    let connect =
        |it: &&str| format!("CONNECT {it}:443 HTTP/1.1\r\nHost: {it}:443\r\nConnection: close\r\n\r\n");
    let odd = spellings.iter().filter(|it| it.contains('%'));
    let requests: Vec<String> = spellings.iter().map(get).chain(odd.map(connect)).collect();
    for (answer, request) in sessions.say("a", &requests).iter().zip(&requests) {
        assert!([400, 403].contains(&status(answer)), "{request}{answer}");
    }
}

#[test]
fn a_redirect_leads_where_a_request_may_go_and_nowhere_else() {
    let sessions = sessions();
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    for (target, expected) in [
        ("http:~~up.example~fine".to_owned(), "200"),
        (format!("http:~~127.0.0.1:{port}~"), "403"),
        (format!("http:~~2130706433:{port}~"), "403"),
        ("http:~~169.254.169.254~latest~meta-data~".to_owned(), "403"),
        ("http:~~never.example~".to_owned(), "403"),
        (format!("https:~~127.0.0.1:{port}~"), "000"),
    ] {
        // `--noproxy ''`: curl leaves 127.0.0.1 out otherwise, and would reach its own container.
        let got = sessions.curl("a", &format!("-L --noproxy '' 'http://up.example/to/{target}'"));
        assert_eq!(got, expected, "{target}");
    }
    service.set_nonblocking(true).unwrap();
    assert!(service.accept().is_err(), "a service of the host was reached");
}

#[test]
fn a_method_that_a_header_names_is_judged_as_well() {
    let sessions = sessions();
    for header in ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override"] {
        for (url, method, other, expected) in [
            ("http://reading.example/overridden", "GET", "DELETE", "403"),
            ("http://reading.example/a.git/git-upload-pack", "POST", "PUT", "403"),
            ("http://reading.example/read", "GET", "HEAD", "200"),
            ("http://posting.example/overridden", "POST", "delete", "403"),
            ("http://posting.example/posted", "POST", "POST", "200"),
            ("http://up.example/free", "POST", "DELETE", "200"),
        ] {
            let got = sessions.curl("a", &format!("-X {method} -H '{header}: {other}' {url}"));
            assert_eq!(got, expected, "{header}: {other} on {method} {url}");
        }
    }
    assert!(!sessions.upstream.heard("/overridden"));
}

#[test]
fn a_message_in_absolute_form_is_read_in_one_way() {
    let sessions = sessions();
    let hidden = "GET http://up.example/hidden HTTP/1.1\r\nHost: up.example\r\n\r\n";
    let inner = "GET /hidden HTTP/1.1\r\nHost: never.example\r\n\r\n";
    let mut requests = Vec::new();
    for head in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Content-Length: 0\r\nContent-Length: 45",
        "Content-Length: -1",
        "Content-Length: 0x4",
        "X: 1\rTransfer-Encoding: chunked",
        "Connection: content-length, transfer-encoding\r\nContent-Length: 62",
        "Expect: 100-continue\r\nContent-Length: 62",
        "Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAA\r\nContent-Length: 62",
    ] {
        let begin = format!("POST http://up.example/seen HTTP/1.1\r\nHost: up.example\r\n{head}\r\n\r\n");
        requests.push(format!("{begin}0\r\n\r\n{inner}"));
    }
    for target in [
        "http://up.example/a\rX: y",
        "http://up.example/a b",
        "http://up.example\\@never.example/",
        "http://never.example#@up.example/",
        "http://up.example@never.example/",
        "http:/never.example/",
        "//never.example/",
        "ftp://up.example/",
        "*",
    ] {
        requests.push(format!("GET {target} HTTP/1.1\r\nHost: up.example\r\nConnection: close\r\n\r\n"));
    }
    requests.push(format!("CONNECT up.example:80 HTTP/1.1\r\nContent-Length: 4\r\n\r\n{hidden}"));
    let answers = sessions.say("a", &requests);
    for (answer, request) in answers.iter().zip(&requests) {
        assert!(!answer.contains("HTTP/1.1 101"), "{request}{answer}");
    }
    // The one host may be asked; what stands inside of a message is never a request of its own to another.
    std::thread::sleep(Duration::from_millis(200));
    let audit = std::fs::read_to_string(sessions.world.home().join("audit.jsonl")).unwrap();
    let reached = |line: &&str| line.contains("never.example") && !line.contains("\"deny\"");
    assert_eq!(audit.lines().find(reached), None);
    assert!(!sessions.upstream.heard("GET /hidden HTTP/1.1\r\nhost: never.example"));
    // A Host header of another's does not travel with the URL.
    let lie = "GET http://up.example/lied HTTP/1.1\r\nHost: liar.example\r\nX-Forwarded-Host: x\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&sessions.say("a", &[lie.to_owned()])[0]), 200);
    assert!(
        sessions.upstream.heard("GET /lied HTTP/1.1\r\n") && !sessions.upstream.heard("ost: liar.example")
    );
}
