//! The way out: connections to upstreams, pooled per session, host, port and scheme; each dialled by the guarded
//! connector, under TLS believed by the system's roots and the host's own authority.

use super::agree::Place;
use super::body::Body;
use super::caller::Installation;
use super::connect::{Error, Lookup, dial, look_up};
use super::policy::{Policy, decide};
use super::serve::{LARGEST_HEAD, MOST_HEADERS};
use super::trust::{Trust, with};
use super::wire::Wire;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long TLS may take to be set up.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long an idle connection is kept; servers tend to keep one a little longer.
const IDLE: Duration = Duration::from_secs(45);
/// How many idle connections are kept for one host.
const MOST_IDLE: usize = 16;
/// Connections of one session at once, idle ones among them: descriptors are the whole daemon's. A further one waits for
/// the end of one of these.
const MOST: usize = 256;
/// How much of one answer is read ahead of a container that does not take it, and of all on one connection.
const WINDOW: u32 = 1 << 20;
const WINDOW_OF_ALL: u32 = 2 << 20;

/// The upstreams of one session.
pub(super) struct Upstreams {
    dialler: Arc<Dialler>,
    /// For who speaks HTTP/2.
    both: Client<Connector, Body>,
    /// For who speaks HTTP/1.1.
    http1: Client<Connector, Body>,
}

impl Upstreams {
    pub fn new(
        installation: &Installation,
        policy: Arc<Policy>,
        lookups: Arc<Semaphore>,
    ) -> Result<Self, rustls::Error> {
        let mut trusts = BTreeMap::new();
        for (name, host) in &policy.hosts {
            if let Some(pem) = &host.authority {
                trusts.insert(name.clone(), Trust::new(with(&installation.roots, pem))?);
            }
        }
        let usual = installation.usual.clone();
        let lookup = Lookup { resolver: Arc::clone(&installation.resolver), places: lookups };
        let places = Arc::new(Semaphore::new(MOST));
        let dialler = Arc::new(Dialler { places, policy, trusts, usual, lookup });
        let client = |offer| client(Connector { dialler: Arc::clone(&dialler), offer });
        Ok(Self { both: client(Offer::Both), http1: client(Offer::Http1First), dialler })
    }

    /// Sends a request over a pooled connection: by HTTP/2, where that is wished for and the upstream knows it.
    pub async fn send(
        &self,
        request: Request<Body>,
        http2: bool,
    ) -> Result<Response<Incoming>, legacy::Error> {
        let client = if http2 { &self.both } else { &self.http1 };
        client.request(request).await
    }

    /// Opens a connection that is nobody else's and speaks HTTP/1.1.
    pub async fn open(&self, place: &Place) -> Result<Wire, Error> {
        self.dialler.open(place.secure, &place.host, place.port, Offer::Http1).await
    }

    /// Opens a connection and nothing on it.
    pub async fn dial(&self, place: &Place) -> Result<TcpStream, Error> {
        dial(&decide(&place.host, place.port, &self.dialler.policy), &self.dialler.lookup).await
    }

    /// Whether a destination may be dialled, and has an address at all.
    pub async fn permit(&self, place: &Place) -> Result<(), Error> {
        let decision = decide(&place.host, place.port, &self.dialler.policy);
        look_up(&decision, &self.dialler.lookup).await.map(drop)
    }
}

fn client(connector: Connector) -> Client<Connector, Body> {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MOST_IDLE)
        .http1_max_buf_size(LARGEST_HEAD)
        .http1_max_headers(MOST_HEADERS)
        .http2_max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX))
        .http2_initial_stream_window_size(WINDOW)
        .http2_initial_connection_window_size(WINDOW_OF_ALL)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_keep_alive_timeout(Duration::from_secs(20))
        .build(connector)
}

struct Dialler {
    places: Arc<Semaphore>,
    policy: Arc<Policy>,
    trusts: BTreeMap<String, Trust>,
    usual: Trust,
    lookup: Lookup,
}

impl Dialler {
    async fn open(&self, secure: bool, host: &str, port: u16, offer: Offer) -> Result<Wire, Error> {
        let place = tokio::time::timeout(IDLE, Arc::clone(&self.places).acquire_owned()).await;
        let crowded = || Error::Crowded { host: host.to_owned() };
        let place = place.ok().and_then(Result::ok).ok_or_else(crowded)?;
        let decision = decide(host, port, &self.policy);
        let stream = dial(&decision, &self.lookup).await?;
        if !secure {
            return Ok(Wire::plain(stream, place));
        }
        let distrust = |source| Error::Tls { host: host.to_owned(), source };
        let shaken = match self.shake(stream, host, offer).await {
            Err(error) if offer == Offer::Http1First && knows_no_http1(&error) => {
                let stream = dial(&decision, &self.lookup).await?;
                self.shake(stream, host, Offer::Both).await
            }
            shaken => shaken,
        };
        Ok(Wire::secure(shaken.map_err(distrust)?, place))
    }

    async fn shake(
        &self,
        stream: TcpStream,
        host: &str,
        offer: Offer,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let trust = self.policy.find(host).and_then(|(name, _)| self.trusts.get(name)).unwrap_or(&self.usual);
        let config = if offer == Offer::Both { &trust.both } else { &trust.http1 };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        let shaken = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        tokio::time::timeout(HANDSHAKE, shaken).await.map_err(|_| std::io::ErrorKind::TimedOut)?
    }
}

/// What an upstream is offered to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    /// HTTP/1.1 alone, from which a connection can be upgraded.
    Http1,
    /// HTTP/1.1, as the caller speaks it; what knows only HTTP/2 is spoken to by that.
    Http1First,
    /// HTTP/2 where the upstream knows it, else HTTP/1.1.
    Both,
}

fn knows_no_http1(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)))
}

/// Opens connections for the pool.
#[derive(Clone)]
struct Connector {
    dialler: Arc<Dialler>,
    offer: Offer,
}

impl tower_service::Service<Uri> for Connector {
    type Response = Wire;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Wire, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (dialler, offer) = (Arc::clone(&self.dialler), self.offer);
        async move {
            let secure = uri.scheme_str() == Some("https");
            let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
            let host = super::agree::normal(uri.host().unwrap_or_default());
            dialler.open(secure, &host, port, offer).await
        }
        .boxed()
    }
}
