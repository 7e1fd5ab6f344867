//! Pure. Names of hosts, and the addresses that may stand in for them.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::BTreeMap;

use super::diagnostic::quoted;
use super::finding::Wrong;

/// A host's name or literal address, in lower case.
pub fn host_name(text: &str) -> Result<String, Wrong> {
    let name = text.to_ascii_lowercase();
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    if is_name(&name) {
        return Ok(name);
    }
    let wrong = Wrong::new(format!("{} is not a host name", quoted(text)));
    let help = if text.contains('*') {
        "`*` is all hosts, `*.acme.dev` all below a name; it stands at the begin and nowhere else"
    } else if text.contains("://") || text.contains('/') || text.contains(':') {
        "only the name, without scheme, port or path, such as `api.acme.lan`"
    } else {
        "such as `api.acme.lan`, without a dot at its end"
    };
    Err(wrong.help(help))
}

/// What `proxy.hosts` names: a host, all below a name (`*.acme.dev`), or all (`*`).
pub fn host_pattern(text: &str) -> Result<String, Wrong> {
    match text.strip_prefix("*.") {
        _ if text == "*" => Ok(text.to_owned()),
        Some(below) if below.parse::<IpAddr>().is_err() && is_name(&below.to_ascii_lowercase()) => {
            Ok(text.to_ascii_lowercase())
        }
        _ => host_name(text),
    }
}

/// What is said of a host: by its name, else by the longest pattern that fits. With the name or pattern that says it.
pub fn most_specific<'a, T>(hosts: &'a BTreeMap<String, T>, host: &str) -> Option<(&'a str, &'a T)> {
    let patterns = host.match_indices('.').map(|(at, _)| format!("*{}", &host[at..]));
    let mut names = std::iter::once(host.to_owned()).chain(patterns).chain(["*".to_owned()]);
    names.find_map(|name| hosts.get_key_value(&name)).map(|(name, said)| (name.as_str(), said))
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // What ends in digits alone is read as an address by resolvers, such as `127.1`.
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    name.len() <= 253 && !numeric && name.split('.').all(label)
}

/// An address to dial: `HOST:PORT` with a name, an IPv4 address or an IPv6 address in brackets.
pub fn address(text: &str) -> Result<String, Wrong> {
    let wrong = || {
        Wrong::new(format!("{} is not an address", quoted(text)))
            .help("a host and a port, such as `10.0.0.5:8443`, `db.lan:5432` or `[fd00::5]:443`")
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|port| digits && *port > 0).ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => format!("[{}]", inner.parse::<Ipv6Addr>().map_err(|_| wrong())?),
        None if host.contains(':') => return Err(wrong()),
        None => host_name(host).map_err(|_| wrong())?,
    };
    Ok(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for (text, expected) in [
            ("API.Acme.lan", "api.acme.lan"),
            ("host.docker.internal", "host.docker.internal"),
            ("10.0.0.5", "10.0.0.5"),
            ("::1", "::1"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(host_name(text).unwrap(), expected);
        }
        let long = "a".repeat(64);
        for text in [
            "",
            ".",
            "a..b",
            "a.",
            "-a",
            "a-",
            "*.acme.dev",
            "http://a",
            "a:443",
            "127.1",
            "0x7f.1",
            "ä.de",
            &long,
        ] {
            assert!(host_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_of_hosts() {
        for (text, expected) in [("*", "*"), ("*.Acme.dev", "*.acme.dev"), ("a.b", "a.b"), ("*.dev", "*.dev")]
        {
            assert_eq!(host_pattern(text).unwrap(), expected);
        }
        for text in ["**", "*.", "*acme.dev", "a.*.dev", "*.*.dev", "*.1.2.3.4", "*.1", "*:443"] {
            assert!(host_pattern(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("127.0.0.1:8443", "127.0.0.1:8443"),
            ("DB.lan:1", "db.lan:1"),
            ("[FD00::5]:443", "[fd00::5]:443"),
        ] {
            assert_eq!(address(text).unwrap(), expected);
        }
        for text in [
            "",
            "a",
            "a:",
            ":1",
            "a:0",
            "a:65536",
            "a:+1",
            "a:1:2",
            "fd00::5:443",
            "[::1]",
            "[x]:1",
            "[1.2.3.4]:1",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
