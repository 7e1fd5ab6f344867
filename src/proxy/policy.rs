//! Pure. Which destinations a session may reach.

use crate::manifest::host::most_specific;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the agents' models answer: what is said there is read for its usage.
pub const MODEL_HOSTS: [&str; 3] = ["api.anthropic.com", "api.openai.com", "chatgpt.com"];

/// What is said of destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// By name or address, in lower case; `*.example` is every name below `example`, and `*` any.
    pub hosts: BTreeMap<String, Host>,
}

/// What is said of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The address to dial, `host:port`; naming one permits a private destination.
    pub address: Option<String>,
    /// Certificates, as PEM, that are believed beside the system's.
    pub authority: Option<String>,
    /// A model answers there: a `WebSocket` is declined, and answers asked for uncompressed.
    pub model: bool,
}

impl Policy {
    /// What is said of a destination: by its name, else by the longest pattern that fits.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.find(name).map(|(_, host)| host)
    }

    /// The same, with the name or pattern that says it.
    pub fn find(&self, name: &str) -> Option<(&str, &Host)> {
        most_specific(&self.hosts, name)
    }

    /// With the hosts of the agents' models known as such.
    #[must_use]
    pub fn with_models(mut self) -> Self {
        for name in MODEL_HOSTS {
            let said = self.host(name).cloned().unwrap_or_default();
            self.hosts.insert(name.to_owned(), Host { model: true, ..said });
        }
        self
    }
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To what the name resolves to, if that is no special address.
    Resolve {
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// To exactly this address, which the manifest names.
    Named {
        /// `host:port`.
        address: String,
    },
}

/// Decides where a request for a host and port goes.
pub fn decide(host: &str, port: u16, policy: &Policy) -> Decision {
    match policy.host(host).and_then(|host| host.address.clone()) {
        Some(address) => Decision::Named { address },
        None => Decision::Resolve { host: host.to_owned(), port },
    }
}

/// Why an address is dialled only where the manifest names it; `None` for a public one.
pub fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, ..) => Some("unspecified"),
        (127, ..) => Some("loopback"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("private"),
        (169, 254, _) => Some("link-local"),
        // Azure's, though it looks public.
        (168, 63, 129) => Some("a cloud's metadata"),
        (100, 64..=127, _) => Some("carrier-grade NAT"),
        (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113) | (198, 18..=19, _) | (192, 88, 99) => {
            Some("reserved")
        }
        (224..=239, ..) => Some("multicast"),
        (240.., ..) => Some("reserved"),
        _ => None,
    }
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    if let Some(inner) = embedded_v4(segments) {
        return Some(special_v4(inner).unwrap_or("an IPv4 address inside an IPv6 one"));
    }
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        [0xfc00..=0xfdff, ..] => Some("private"),
        [0xfe80..=0xfeff, ..] => Some("link-local"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        // Only 2000::/3 is handed out; documentation, benchmarks and ORCHID lie inside it.
        [0x2001, 0x0db8 | 0x0002 | 0x0000 | 0x0010..=0x002f, ..] | [0x3fff, 0..=0x0fff, ..] => {
            Some("reserved")
        }
        [0x2000..=0x3fff, ..] => None,
        _ => Some("reserved"),
    }
}

/// Mapped, compatible, NAT64 and 6to4 forms of an IPv4 address.
fn embedded_v4(segments: [u16; 8]) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        // `::` and `::1` are no dress of an IPv4 address.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0 | 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_in_every_dress() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "2002:7f00:1::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(special(address.parse().unwrap()).is_some(), "{address}");
        }
        for address in
            ["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "2a00::1"]
        {
            assert_eq!(special(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn a_named_host_is_dialled_where_the_manifest_says() {
        let address = |address: &str| Host { address: Some(address.to_owned()), ..Host::default() };
        let policy = Policy {
            hosts: BTreeMap::from([
                ("a.example".to_owned(), address("127.0.0.1:8443")),
                ("b.example".to_owned(), Host::default()),
                ("*.c.example".to_owned(), address("10.0.0.1:1")),
                ("*.d.c.example".to_owned(), address("10.0.0.2:2")),
            ]),
        };
        let named = Decision::Named { address: "127.0.0.1:8443".to_owned() };
        assert_eq!(decide("a.example", 443, &policy), named);
        for host in ["b.example", "x.a.example", "d.example", "xc.example"] {
            assert_eq!(decide(host, 443, &policy), Decision::Resolve { host: host.to_owned(), port: 443 });
        }
        for (host, address) in [("x.c.example", "10.0.0.1:1"), ("x.d.c.example", "10.0.0.2:2")] {
            let named = Decision::Named { address: address.to_owned() };
            assert_eq!(decide(host, 443, &policy), named, "{host}");
        }
    }

    #[test]
    fn a_model_named_in_the_manifest_keeps_its_address() {
        let named = Host { address: Some("127.0.0.1:1".to_owned()), ..Host::default() };
        let policy = Policy { hosts: BTreeMap::from([("*.com".to_owned(), named.clone())]) };
        let policy = policy.with_models();
        assert_eq!(policy.host("chatgpt.com"), Some(&Host { model: true, ..named }));
        assert!(policy.host("api.anthropic.com").unwrap().model && !policy.host("x.com").unwrap().model);
    }
}
