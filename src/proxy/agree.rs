//! Pure. Where a request goes: the TLS name, the CONNECT authority and what the request itself names must agree, so that
//! a rule for one host is never applied to another.

use super::judge::Refusal;
use hyper::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, StatusCode, Version};
use std::net::IpAddr;

/// The longest name that there is.
const LONGEST_HOST: usize = 253;

/// What a connection was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whether its requests travel under TLS.
    pub secure: bool,
    /// The name, in lower case and without a dot at its end, or the address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name that TLS was opened with, written in the same way.
    pub server_name: Option<String>,
}

impl Place {
    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    fn usual_port(&self) -> u16 {
        if self.secure { 443 } else { 80 }
    }

    /// The authority of an URL that leads here.
    pub fn authority(&self) -> String {
        let name = super::connect::bracketed(&self.host);
        if self.port == self.usual_port() { name } else { format!("{name}:{}", self.port) }
    }
}

/// A host in the one way that it is compared in.
pub fn normal(host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => bare.to_ascii_lowercase(),
    }
}

/// What a CONNECT asks for; whether what travels inside is TLS is not yet known.
pub fn of_connect(parts: &Parts) -> Result<Place, Refusal> {
    let authority = authority(parts)?;
    if parts.uri.scheme().is_some() {
        return Err(odd("only http:// URLs are passed on; others go through CONNECT"));
    }
    // What follows a CONNECT is the tunnel's: a length would let the two ends disagree where it begins.
    if [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| parts.headers.contains_key(name)) {
        return Err(odd("CONNECT has no body"));
    }
    let port = authority.port_u16().ok_or_else(|| odd("CONNECT needs a port"))?;
    place(authority, port, true)
}

/// What a request in absolute form asks for. Its URL decides, whatever the Host header says.
pub fn of_url(parts: &Parts) -> Result<Place, Refusal> {
    let authority = authority(parts)?;
    if parts.uri.scheme_str() != Some("http") {
        return Err(odd("only http:// URLs are passed on; others go through CONNECT"));
    }
    // A port that is no number is not the default one.
    let port = match authority.as_str().strip_prefix(authority.host()) {
        Some("" | ":") => 80,
        _ => authority.port_u16().ok_or_else(|| odd("that is no port"))?,
    };
    place(authority, port, false)
}

fn authority(parts: &Parts) -> Result<&Authority, Refusal> {
    let authority = parts.uri.authority();
    let authority =
        authority.ok_or_else(|| odd("this is a proxy: ask it for a whole URL, or with CONNECT"))?;
    if authority.as_str().contains('@') {
        return Err(odd("a name and a password belong into a header, not before the host"));
    }
    Ok(authority)
}

fn place(authority: &Authority, port: u16, secure: bool) -> Result<Place, Refusal> {
    let host = normal(plain(authority)?);
    if !(1..=LONGEST_HOST).contains(&host.len()) || port == 0 {
        return Err(odd("that is no host and port"));
    }
    // A zone is read in the dialler's own way (`fe80::1%eth0`, `1::1%251`), and no name has an escape.
    if host.contains('%') || (host.contains(':') && host.parse::<IpAddr>().is_err()) {
        return Err(odd("that is no host: neither a name nor a plain address, without a zone or an escape"));
    }
    if is_odd_address(&host) {
        return Err(odd("that is an address in an odd spelling: write it as four decimal numbers"));
    }
    Ok(Place { secure, host, port, server_name: None })
}

/// The host of an authority, behind which there is a port or nothing.
fn plain(authority: &Authority) -> Result<&str, Refusal> {
    let host = authority.host();
    let rest = authority.as_str().strip_prefix(host);
    let fits = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    if fits { Ok(host) } else { Err(odd("that is no host and port")) }
}

/// Whether resolvers read this as an IPv4 address that no rule for it would be found by: `127.1`, `0x7f000001`,
/// `2130706433`, `0177.0.0.1`. No name ends in such a word.
fn is_odd_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let digits = |text: &str, radix| text.chars().all(|letter| letter.is_digit(radix));
    let number = last.strip_prefix("0x").map_or_else(|| digits(last, 10), |rest| digits(rest, 16));
    number && host.parse::<IpAddr>().is_err()
}

/// Checks a request that came in on a connection opened for this place.
pub fn check(place: &Place, parts: &Parts) -> Result<(), Refusal> {
    if let Some(name) = place.server_name.as_ref().filter(|name| **name != place.host) {
        return Err(misdirected(place, &format!("TLS was opened for `{name}`")));
    }
    if parts.method == Method::CONNECT {
        return Err(odd("there is no tunnel inside a connection to a host"));
    }
    let mut named = 0;
    if let Some(authority) = parts.uri.authority() {
        if parts.uri.scheme_str().is_some_and(|scheme| scheme != place.scheme()) {
            return Err(misdirected(place, "the request names another scheme"));
        }
        named += 1;
        matches(place, authority.as_str())?;
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    if let Some(host) = hosts.next() {
        named += 1;
        matches(place, host.to_str().map_err(|_| odd("the Host header is no text"))?)?;
    }
    if hosts.next().is_some() {
        return Err(odd("the request has more than one Host header"));
    }
    if named == 0 && parts.version != Version::HTTP_10 && parts.version != Version::HTTP_09 {
        return Err(odd("the request names no host"));
    }
    Ok(())
}

/// A missing port is this connection's; another is refused.
fn matches(place: &Place, text: &str) -> Result<(), Refusal> {
    let authority: Authority = text.parse().map_err(|_| odd("the request names no host"))?;
    if text.contains('@') {
        return Err(odd("a name and a password belong into a header, not before the host"));
    }
    let written = text.strip_prefix(authority.host()).is_some_and(|port| !matches!(port, "" | ":"));
    let port = if written { authority.port_u16() } else { Some(place.port) };
    if normal(plain(&authority)?) != place.host || port != Some(place.port) {
        return Err(misdirected(place, &format!("the request is for `{text}`")));
    }
    Ok(())
}

fn odd(words: &str) -> Refusal {
    Refusal::plain(StatusCode::BAD_REQUEST, words, format!("clauderon: {words}\n"))
}

/// What the request's headers said is answered, and not written down.
fn misdirected(place: &Place, what: &str) -> Refusal {
    let reason = format!("{what}, but the connection for `{}:{}`", place.host, place.port);
    let words = format!(
        "clauderon: {reason}. The name of CONNECT, of TLS and of the Host header must be one: \
         open a connection of its own for each host.\n"
    );
    let reason = format!("TLS or the request names another host than `{}:{}`", place.host, place.port);
    Refusal::plain(StatusCode::MISDIRECTED_REQUEST, reason, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn parts(uri: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn place(host: &str, port: u16) -> Place {
        Place { secure: true, host: host.to_owned(), port, server_name: None }
    }

    #[test]
    fn what_agrees_passes() {
        for (host, port, uri, hosts) in [
            ("api.example", 443, "/", vec!["api.example"]),
            ("api.example", 443, "/", vec!["API.Example:443"]),
            ("api.example", 8443, "/", vec!["api.example:8443"]),
            ("api.example", 8443, "/", vec!["api.example"]),
            ("api.example", 443, "https://api.example/x", vec![]),
            ("api.example", 443, "https://api.example/x", vec!["api.example."]),
            ("::1", 443, "/", vec!["[::1]"]),
            ("10.0.0.1", 443, "/", vec!["10.0.0.1:443"]),
        ] {
            assert!(check(&place(host, port), &parts(uri, &hosts)).is_ok(), "{host} {uri} {hosts:?}");
        }
    }

    #[test]
    fn what_does_not_agree_is_misdirected_or_odd() {
        for (status, uri, hosts) in [
            (421, "/", vec!["evil.example"]),
            (421, "/", vec!["api.example:8443"]),
            (421, "/", vec!["xapi.example"]),
            (421, "/", vec!["api.example.evil.example"]),
            (421, "https://evil.example/", vec!["api.example"]),
            (421, "https://api.example/", vec!["evil.example"]),
            (421, "http://api.example/", vec!["api.example"]),
            (421, "/", vec!["api.example:99999"]),
            (400, "/", vec!["api.example", "api.example"]),
            (400, "/", vec!["user@api.example"]),
            (400, "/", vec![""]),
            (400, "/", vec!["api.example/x"]),
            (400, "/", vec![]),
        ] {
            let refusal = check(&place("api.example", 443), &parts(uri, &hosts)).unwrap_err();
            assert_eq!(refusal.status.as_u16(), status, "{uri} {hosts:?}");
        }
    }

    #[test]
    fn an_address_is_spelled_in_one_way() {
        for spelling in [
            "127.1",
            "0",
            "0x7f.1",
            "0x7f000001",
            "0X7F000001",
            "2130706433",
            "0177.0.0.1",
            "1.0x",
            "a.1",
            "1.2.3.4.5.",
        ] {
            let parts =
                Request::builder().uri(format!("http://{spelling}/")).body(()).unwrap().into_parts().0;
            assert!(of_url(&parts).is_err(), "{spelling}");
            let connect = Request::connect(format!("{spelling}:443")).body(()).unwrap().into_parts().0;
            assert!(of_connect(&connect).is_err(), "{spelling}");
        }
        for (spelling, host) in [
            ("1.2.3.4", "1.2.3.4"),
            ("1.2.3.4.", "1.2.3.4"),
            ("[::1]", "::1"),
            ("0x7g", "0x7g"),
            ("1.a2", "1.a2"),
        ] {
            let parts =
                Request::builder().uri(format!("http://{spelling}/")).body(()).unwrap().into_parts().0;
            assert_eq!(of_url(&parts).unwrap().host, host);
        }
    }

    #[test]
    fn a_host_with_a_zone_or_an_escape_is_none() {
        for spelling in [
            "[2606:4700:4700::1111%251]",
            "[2606:4700:4700::1111%1]",
            "[fe80::1%25eth0]",
            "[::1%]",
            "api%2eexample",
            "%61pi.example",
            "[::ffff]x",
            "[2606:4700:4700::1111]x",
            "[v1.a:b]",
            "[1:2]",
            "[]",
        ] {
            // Some are no authority for the reader of URLs either, and never come here.
            let url = Request::builder().uri(format!("http://{spelling}/")).body(());
            let passed = url.is_ok_and(|request| of_url(&request.into_parts().0).is_ok());
            assert!(!passed, "{spelling}");
            let connect = Request::connect(format!("{spelling}:443")).body(());
            let passed = connect.is_ok_and(|request| of_connect(&request.into_parts().0).is_ok());
            assert!(!passed, "CONNECT {spelling}");
            let (host, request) = ("2606:4700:4700::1111", parts("/", &[spelling]));
            assert!(check(&place(host, 443), &request).is_err(), "Host: {spelling}");
        }
    }

    #[test]
    fn a_tls_name_of_another_host_refuses_every_request() {
        let place = Place { server_name: Some("evil.example".to_owned()), ..place("api.example", 443) };
        let refusal = check(&place, &parts("/", &["api.example"])).unwrap_err();
        assert_eq!(refusal.status, StatusCode::MISDIRECTED_REQUEST);
    }
}
