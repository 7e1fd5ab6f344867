//! The proxy's authority is believed inside by each tool that agents use, not by curl alone: those of this machine are
//! mounted into a real container, and ask a host that the proxy answers for.

use crate::support::world::World;
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// What a command of this machine prints, without its end of line.
fn said(program: &str, args: &[&str]) -> String {
    let output =
        Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Where a program really is.
fn found(name: &str) -> String {
    let path = said("sh", &["-c", &format!("command -v {name}")]);
    Path::new(&path).canonicalize().unwrap().display().to_string()
}

#[test]
fn each_tool_inside_believes_the_proxy() {
    let world = World::with_model(&json!({"turns": [{"when": "", "steps": [{"say": "All well."}]}]}));
    let python = said("python3", &["-c", "import os, sys; print(os.path.realpath(sys.executable))"]);
    let of_python = "import sys, sysconfig; print(sysconfig.get_path('stdlib') if sys.base_prefix == '/usr' else sys.base_prefix + '/lib')";
    let library = said("python3", &["-c", of_python]);
    let (node, rust) = (found("node"), said("rustc", &["--print", "sysroot"]));
    world.manifest(&format!(
        "volumes: [\"{python}:{python}:ro\", \"{library}:{library}:ro\", \"{node}:/opt/node:ro\", \"{rust}/bin/cargo:/opt/cargo:ro\"]\n\
         sessions: {{a: hello}}\n"
    ));
    let address = std::fs::read_to_string(world.path("address")).unwrap();
    let host =
        format!("  hosts:\n    ab.chatgpt.com: {{address: \"{}\", ca: model-ca.pem}}\n", address.trim());
    let text = std::fs::read_to_string(world.root().join("clauderon.yaml")).unwrap();
    world.write("clauderon.yaml", &text.replace("  hosts:\n", &host));
    world.run(&["up", "--wait", "--yes"]).ok();
    let inside = |script: &str| {
        let answer = world.run(&["exec", "-T", "a", "--", "bash", "-c", script]);
        answer.stdout + &answer.stderr
    };
    // The scripted model knows no such path: to be told so, each has to believe who tells it.
    for (tool, script) in [
        ("curl", "curl -sS -m 20 -o /dev/null -w '%{http_code}' https://ab.chatgpt.com/x".to_owned()),
        ("git", "git ls-remote https://ab.chatgpt.com/x.git 2>&1 | sed 's/not found/404/'".to_owned()),
        (
            "python",
            format!(
                "{python} -c \"import urllib.request, urllib.error\ntry: urllib.request.urlopen('https://ab.chatgpt.com/x', timeout=20)\nexcept urllib.error.HTTPError as error: print(error.code)\""
            ),
        ),
        (
            "node",
            "/opt/node -e \"const tls = require('tls'), http = require('http'); const to = new URL(process.env.HTTPS_PROXY); http.request({host: to.hostname, port: to.port, method: 'CONNECT', path: 'ab.chatgpt.com:443'}).on('connect', (_, socket) => { const link = tls.connect({socket, servername: 'ab.chatgpt.com'}, () => { link.write('GET /x HTTP/1.1\\r\\nHost: ab.chatgpt.com\\r\\nConnection: close\\r\\n\\r\\n'); link.on('data', data => process.stdout.write(data)); }); }).end()\"".to_owned(),
        ),
        ("cargo", "/opt/cargo search x --index sparse+https://ab.chatgpt.com/ 2>&1 | sed 's/not found/404/'".to_owned()),
    ] {
        let told = inside(&script);
        assert!(told.contains("404"), "{tool}: {told}");
    }
}
