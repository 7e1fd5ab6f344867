//! Dials a destination: exactly an address that was looked at, so that a name that resolves differently the second time
//! leads nowhere else.

use super::policy::{Decision, special};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const RESOLVE: Duration = Duration::from_secs(10);
const DIAL: Duration = Duration::from_secs(15);

/// Turns `host:port` into addresses.
pub trait Resolve: Send + Sync {
    /// All addresses of it. The place is held until nothing is looked up any more, whoever waits for it.
    fn resolve(
        &self,
        target: String,
        place: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl Resolve for System {
    fn resolve(
        &self,
        target: String,
        place: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        async move {
            if let Ok(address) = target.parse() {
                return Ok(vec![address]);
            }
            // A thread that waits for a name server is not stopped: the place goes with it.
            let looked_up = tokio::task::spawn_blocking(move || {
                let _place = place;
                Ok(target.to_socket_addrs()?.collect())
            });
            looked_up.await?
        }
        .boxed()
    }
}

/// How one session looks names up.
pub(super) struct Lookup {
    /// Who knows them.
    pub resolver: Arc<dyn Resolve>,
    /// How many at once.
    pub places: Arc<Semaphore>,
}

impl Lookup {
    async fn addresses(&self, target: String) -> Option<Vec<SocketAddr>> {
        let looked_up = async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            self.resolver.resolve(target, place).await.ok()
        };
        tokio::time::timeout(RESOLVE, looked_up).await.ok().flatten()
    }
}

/// Why nothing was dialled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy says no.
    #[error("`{host}` is {what} ({address})")]
    Refused {
        /// What was asked for.
        host: String,
        /// The address it led to.
        address: IpAddr,
        /// What sort of address that is.
        what: &'static str,
    },
    /// The name leads nowhere.
    #[error("`{host}` has no address")]
    Unknown {
        /// What was asked for.
        host: String,
    },
    /// Nobody answered.
    #[error("`{host}` does not answer")]
    Dial {
        /// What was asked for.
        host: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The session has too many connections.
    #[error("too many connections are open to dial `{host}`")]
    Crowded {
        /// What was asked for.
        host: String,
    },
    /// It does not prove who it is, or speaks no TLS.
    #[error("`{host}` cannot be trusted")]
    Tls {
        /// What was asked for.
        host: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// The addresses of a destination, each of which may be dialled.
pub(super) async fn look_up(decision: &Decision, lookup: &Lookup) -> Result<Vec<SocketAddr>, Error> {
    let (host, target, named) = match decision {
        Decision::Named { address } => (address.clone(), address.clone(), true),
        Decision::Resolve { host, port } => (host.clone(), format!("{}:{port}", bracketed(host)), false),
    };
    let unknown = || Error::Unknown { host: host.clone() };
    let addresses = lookup.addresses(target).await.ok_or_else(unknown)?;
    if addresses.is_empty() {
        return Err(unknown());
    }
    if !named {
        // One special address among the answers is a trick: none is dialled.
        for address in &addresses {
            if let Some(what) = special(address.ip()).or_else(|| own(address.ip())) {
                return Err(Error::Refused { host, address: address.ip(), what });
            }
        }
    }
    Ok(addresses)
}

/// Dials where the decision says, after one look-up.
pub(super) async fn dial(decision: &Decision, lookup: &Lookup) -> Result<TcpStream, Error> {
    let addresses = look_up(decision, lookup).await?;
    let host = match decision {
        Decision::Named { address: host } | Decision::Resolve { host, .. } => host,
    };
    let mut last = Error::Unknown { host: host.clone() };
    for address in addresses.into_iter().take(4) {
        match tokio::time::timeout(DIAL, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A stream without it is slower and no worse.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(source)) => last = Error::Dial { host: host.clone(), source },
            Err(_) => last = Error::Dial { host: host.clone(), source: std::io::ErrorKind::TimedOut.into() },
        }
    }
    Err(last)
}

/// A host as it stands before a port.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// A public address that this machine itself has: what listens there is a service of the host. Only an own address can
/// be bound, unless the kernel is told otherwise (`ip_nonlocal_bind`): then an address that nobody has can be, too.
fn own(address: IpAddr) -> Option<&'static str> {
    let nobodys = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    };
    let bound = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
    (bound(address) && !bound(nobodys)).then_some("an address of this machine")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error as IoError, ErrorKind};
    use std::sync::Mutex;

    /// Answers this, and remembers what it was asked.
    #[derive(Clone, Default)]
    struct Stub(Option<Vec<SocketAddr>>, Arc<Mutex<Vec<String>>>);

    impl Resolve for Stub {
        fn resolve(
            &self,
            target: String,
            _: OwnedSemaphorePermit,
        ) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
            self.1.lock().unwrap().push(target);
            let answer = self.0.clone().ok_or_else(|| IoError::from(ErrorKind::Other));
            async { answer }.boxed()
        }
    }

    fn lookup(stub: &Stub) -> Lookup {
        Lookup { resolver: Arc::new(stub.clone()), places: Arc::new(Semaphore::new(1)) }
    }

    #[test]
    fn an_address_of_this_machine_is_known() {
        assert!(own("127.0.0.1".parse().unwrap()).is_some());
        for address in ["1.1.1.1", "192.0.2.1", "2606:4700::1111"] {
            assert_eq!(own(address.parse().unwrap()), None, "{address}");
        }
    }

    #[tokio::test]
    async fn one_special_address_among_the_answers_is_refused_before_any_is_dialled() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let decision = Decision::Resolve { host: "rebound.example".to_owned(), port };
        for answers in [
            vec!["127.0.0.1"],
            vec!["1.1.1.1", "127.0.0.1"],
            vec!["::ffff:127.0.0.1"],
            vec!["64:ff9b::7f00:1"],
        ] {
            let addresses =
                answers.iter().map(|answer| SocketAddr::new(answer.parse().unwrap(), port)).collect();
            let stub = Stub(Some(addresses), Arc::default());
            let error = dial(&decision, &lookup(&stub)).await.unwrap_err();
            assert!(matches!(error, Error::Refused { .. }), "{answers:?}: {error}");
        }
        assert!(listener.accept().is_err(), "it was dialled");
    }

    /// Holds its place for ever, as a thread does that waits for a name server.
    struct Silent(Arc<Mutex<Vec<OwnedSemaphorePermit>>>);

    impl Resolve for Silent {
        fn resolve(
            &self,
            _: String,
            place: OwnedSemaphorePermit,
        ) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
            self.0.lock().unwrap().push(place);
            std::future::pending().boxed()
        }
    }

    #[tokio::test]
    async fn names_that_nobody_answers_for_take_only_their_sessions_places() {
        let waiting = Arc::default();
        let silent = Silent(Arc::clone(&waiting));
        let lookup = Lookup { resolver: Arc::new(silent), places: Arc::new(Semaphore::new(2)) };
        let decision = Decision::Resolve { host: "tarpit.example".to_owned(), port: 443 };
        // Who waits goes away; what was begun stays.
        for _ in 0..9 {
            let gone = tokio::time::timeout(Duration::from_millis(10), dial(&decision, &lookup)).await;
            assert!(gone.is_err());
        }
        assert_eq!(waiting.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_the_answer_dialled() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let decision = Decision::Named { address: "db.example:5432".to_owned() };
        let stub = Stub(Some(vec![address]), Arc::default());
        let stream = dial(&decision, &lookup(&stub)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert!(stream.nodelay().unwrap());
        assert_eq!(*stub.1.lock().unwrap(), ["db.example:5432"]);
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_said_to_have_none() {
        let decision = Decision::Resolve { host: "none.example".to_owned(), port: 80 };
        for stub in [Stub(Some(Vec::new()), Arc::default()), Stub::default()] {
            let error = dial(&decision, &lookup(&stub)).await.unwrap_err();
            assert_eq!(error.to_string(), "`none.example` has no address");
        }
    }
}
