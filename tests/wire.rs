//! The intercepting proxy before clients and servers of others: curl, python, git, npm, pip, cargo.

mod adversary;
mod changed;
mod curl;
mod echo;
mod lent;
mod peers;
mod seam;
mod streams;
mod tools;
pub mod upstream;

use crate::support::wire::{installation, judged};
use clauderon::proxy::caller::{Caller, Installation};
use clauderon::proxy::forward::serve;
use clauderon::proxy::judge::{Judge, Open};
use clauderon::proxy::policy::{Host, Policy};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A client of others starts in this time, on a machine that is busy.
const LONG: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(10);
/// The names that upstreams have certificates for.
pub const NAMES: [&str; 5] =
    ["api.example", "other.example", "registry.example", "platform.claude.com", "auth.openai.com"];

/// Certificates of upstreams, signed by an authority of their own.
pub struct Identity {
    pub authority: String,
    certificate: String,
    key: String,
}

pub fn identity() -> Identity {
    let authority_key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(NAMES.map(String::from)).unwrap();
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf = leaf.signed_by(&key, &Issuer::new(parameters, authority_key)).unwrap();
    Identity { authority: authority.pem(), certificate: leaf.pem(), key: key.serialize_pem() }
}

/// A proxy that listens on a port, and what is around it.
struct Wire {
    directory: tempfile::TempDir,
    caller: Arc<Caller>,
    policy: Policy,
    address: SocketAddr,
    stop: CancellationToken,
}

/// A wire that is not begun yet.
struct Setting {
    directory: tempfile::TempDir,
    identity: Identity,
    installation: Arc<Installation>,
    policy: Policy,
    judge: Arc<dyn Judge>,
}

impl Setting {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (installation, certificate) = installation(directory.path());
        let identity = identity();
        for (name, text) in [
            ("ca.pem", &certificate),
            ("upstream-ca.pem", &identity.authority),
            ("upstream.pem", &identity.certificate),
            ("upstream.key", &identity.key),
        ] {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let policy = Policy { hosts: BTreeMap::new() };
        let installation = Arc::new(installation);
        Self { directory, identity, installation, policy, judge: Arc::new(Open) }
    }

    /// Names a host, dialled at an address and believed by the upstreams' authority.
    fn host(mut self, name: &str, address: SocketAddr) -> Self {
        let authority = Some(self.identity.authority.clone());
        let host = Host { address: Some(address.to_string()), authority, ..Host::default() };
        self.policy.hosts.insert(name.to_owned(), host);
        self
    }

    /// A server in python, with the upstreams' certificate.
    fn peer(&self, script: &str) -> Command {
        let mut command = Command::new(python());
        command.arg(peer(script)).args(["upstream.pem", "upstream.key"]);
        command.current_dir(self.directory.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    fn judge(mut self, judge: impl Judge + 'static) -> Self {
        self.judge = Arc::new(judge);
        self
    }

    async fn start(self) -> Wire {
        let Self { directory, installation, policy, judge, .. } = self;
        let caller = judged(installation, policy.clone(), judge);
        let stop = CancellationToken::new();
        let address = listen(Arc::clone(&caller), stop.clone()).await;
        Wire { directory, caller, policy, address, stop }
    }
}

/// Has a session's proxy listen on a port.
async fn listen(caller: Arc<Caller>, stop: CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(stream, Arc::clone(&caller), stop.clone()));
        }
    });
    address
}

impl Wire {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A program that finds the proxy and trusts it by its environment, as in a container.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            command.env(name, self.url());
        }
        for name in [
            "SSL_CERT_FILE",
            "NODE_EXTRA_CA_CERTS",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "GIT_SSL_CAINFO",
            "CARGO_HTTP_CAINFO",
        ] {
            command.env(name, self.path("ca.pem"));
        }
        for name in ["NO_PROXY", "no_proxy", "PIP_FIND_LINKS", "PIP_CERT", "PIP_INDEX_URL"] {
            command.env_remove(name);
        }
        command.env("HOME", self.directory.path()).current_dir(self.directory.path());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a program to its good end and answers what it printed.
    async fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output();
        let output = timeout(LONG, output).await.expect("it does not end").unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}\n{stdout}\n{stderr}\n{}",
            output.status,
            std::fs::read_to_string(self.path("audit.jsonl")).unwrap_or_default()
        );
        stdout.into_owned()
    }

    /// Runs curl, which says nothing but the answer.
    async fn curl(&self, arguments: &[&str]) -> String {
        self.run("curl", &[&["-sS", "-m", "50"], arguments].concat()).await
    }

    /// A client in python.
    fn peer(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(python().to_str().unwrap());
        command.arg(peer(script)).args(arguments);
        command
    }

    /// The log's lines, once there are as many.
    async fn lines(&self, count: usize) -> Vec<Value> {
        let read = async {
            loop {
                let text = std::fs::read_to_string(self.path("audit.jsonl")).unwrap();
                let lines: Vec<Value> =
                    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                if lines.len() >= count {
                    return lines;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, read).await.expect("the log has too few lines")
    }

    /// A connection through CONNECT, before anything is said on it.
    async fn connect(&self, authority: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(SOON, stream.read_u8()).await.expect("no answer").unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        stream
    }
}

/// The python that `scripts/peers` installs.
fn python() -> PathBuf {
    let python = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("peers/bin/python");
    assert!(python.exists(), "`scripts/peers` installs {}", python.display());
    python
}

fn peer(script: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/peers").join(script)
}

/// A server of others that prints its port when it listens.
async fn server(mut command: Command) -> (Child, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(LONG, lines.next_line()).await.expect("the server does not begin").unwrap();
    let port: u16 = line.expect("the server ended").parse().unwrap();
    (child, SocketAddr::from(([127, 0, 0, 1], port)))
}
