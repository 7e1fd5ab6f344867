//! The ways to a destination, and one connection over them.

use super::{Error, Words};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Where to connect, how, and as whom.
pub struct Ways {
    via: Vec<String>,
    turn: AtomicUsize,
    to: String,
    token: String,
    http2: bool,
    tls: TlsConnector,
}

impl Ways {
    /// As the words say.
    pub fn new(words: &Words) -> Result<Arc<Self>, Error> {
        let http2 = words.text("protocol", "h1") == "h2";
        let mut roots = RootCertStore::empty();
        for path in words.text("ca", "").split(',') {
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| format!("{path}: {error}"))?;
            roots.add_parsable_certificates(certificates.filter_map(Result::ok));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        // A new connection is a whole handshake, whoever is asked.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(Self {
            via: words.text("via", "").split(',').map(str::to_owned).collect(),
            turn: AtomicUsize::new(0),
            to: words.text("to", "localhost:8443").to_owned(),
            token: words.text("token", "").to_owned(),
            http2,
            tls: TlsConnector::from(Arc::new(config)),
        }))
    }

    async fn reach(&self) -> Result<Box<dyn Stream>, Error> {
        let via = &self.via[self.turn.fetch_add(1, Ordering::Relaxed) % self.via.len()];
        let (kind, address) = via.split_once(':').ok_or("`via` is KIND:ADDRESS")?;
        let mut stream: Box<dyn Stream> = if kind == "unix" {
            Box::new(UnixStream::connect(address).await?)
        } else {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        };
        if kind != "direct" {
            let word = if kind == "unix" { "proxy\n" } else { "" };
            let head = format!("{word}CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", self.to);
            stream.write_all(head.as_bytes()).await?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut answer).await? == 0 {
                    return Err("the proxy hung up".into());
                }
            }
            if !answer.get(9..).is_some_and(|rest| rest.starts_with(b"200")) {
                return Err(String::from_utf8_lossy(&answer).into_owned().into());
            }
        }
        Ok(stream)
    }

    /// Opens a connection.
    pub async fn open(&self) -> Result<Connection, Error> {
        let host = self.to.rsplit_once(':').map_or(self.to.as_str(), |(host, _)| host).to_owned();
        let stream = self.tls.connect(ServerName::try_from(host)?, self.reach().await?).await?;
        let io = TokioIo::new(stream);
        let sender = if self.http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.initial_stream_window_size(4 << 20).initial_connection_window_size(4 << 20);
            let (sender, connection) = builder.handshake(io).await?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            Sender::Http1(sender)
        };
        Ok(Connection { sender, to: self.to.clone(), token: self.token.clone() })
    }
}

enum Sender {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

/// A connection on which one request is made after the other.
pub struct Connection {
    sender: Sender,
    to: String,
    token: String,
}

impl Connection {
    /// Asks, and waits for the answer's head.
    pub async fn ask(&mut self, path: &str) -> Result<Response<Incoming>, Error> {
        let request = Request::builder().header(AUTHORIZATION, &self.token);
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                let request = request.uri(path).header(HOST, &self.to).body(Empty::new())?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                let request = request.uri(format!("https://{}{path}", self.to)).body(Empty::new())?;
                sender.send_request(request).await?
            }
        };
        if !response.status().is_success() {
            return Err(format!("{path} was answered {}", response.status()).into());
        }
        Ok(response)
    }

    /// Asks, reads the answer to its end and answers how long it was.
    pub async fn get(&mut self, path: &str) -> Result<usize, Error> {
        let mut body = self.ask(path).await?.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok(length)
    }
}
