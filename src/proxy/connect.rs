//! Dials a destination: exactly an address that was looked at, so that a name that resolves differently the second time
//! leads nowhere else.

use super::policy::{Decision, special};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};

const RESOLVE: Duration = Duration::from_secs(10);
const DIAL: Duration = Duration::from_secs(15);

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
}

/// Dials where the decision says.
pub async fn dial(decision: &Decision) -> Result<TcpStream, Error> {
    let (host, target, named) = match decision {
        Decision::Named { address } => (address.clone(), address.clone(), true),
        Decision::Resolve { host, port } => {
            let bracketed =
                if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.clone() };
            (host.clone(), format!("{bracketed}:{port}"), false)
        }
    };
    let unknown = || Error::Unknown { host: host.clone() };
    let looked_up = tokio::time::timeout(RESOLVE, lookup_host(target)).await.map_err(|_| unknown())?;
    let addresses: Vec<SocketAddr> = looked_up.map_err(|_| unknown())?.collect();
    if !named {
        // One special address among the answers is a trick: none is dialled.
        for address in &addresses {
            if let Some(what) = special(address.ip()).or_else(|| own(address.ip())) {
                return Err(Error::Refused { host, address: address.ip(), what });
            }
        }
    }
    let mut last = unknown();
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

    #[test]
    fn an_address_of_this_machine_is_known() {
        assert!(own("127.0.0.1".parse().unwrap()).is_some());
        for address in ["1.1.1.1", "192.0.2.1", "2606:4700::1111"] {
            assert_eq!(own(address.parse().unwrap()), None, "{address}");
        }
    }
}
