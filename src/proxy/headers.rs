//! Pure. The heads of messages as the other leg is to see them.

use super::agree::Place;
use hyper::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    IF_RANGE, RANGE, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Uri, Version};

/// Headers that speak of one connection and not of the message. `trailer` is not among them: it announces what the
/// message has at its end.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Makes a request's head what its destination is to see; `None` where no URL can be made of it.
pub fn onward(parts: &mut Parts, place: &Place) -> Option<()> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder().scheme(place.scheme()).authority(place.authority()).path_and_query(path);
    parts.uri = uri.build().ok()?;
    // The pool speaks what the upstream speaks.
    parts.version = Version::HTTP_11;
    let trailers = parts.headers.get_all(TE).iter().any(|value| names(value, "trailers"));
    // The body's length is told one way only: whoever reads two could end the message elsewhere.
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        parts.headers.remove(CONTENT_LENGTH);
    }
    strip(&mut parts.headers);
    // The URL names the host; the wish to be told to continue is answered when the body is first read.
    parts.headers.remove(HOST);
    parts.headers.remove(EXPECT);
    if trailers {
        parts.headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    join_cookies(&mut parts.headers);
    Some(())
}

/// Asks for an answer in which what a request was lent can be found: whole, and uncompressed. Who wants a part is free to
/// be sent all of it (RFC 9110, 14.2).
pub fn ask_readable(headers: &mut HeaderMap) {
    ask_uncompressed(headers);
    headers.remove(RANGE);
    headers.remove(IF_RANGE);
}

/// Asks for an answer that can be read as it passes.
pub fn ask_uncompressed(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Whether a request asks for a WebSocket. No other upgrade is passed on: h2c inside would carry requests that nobody
/// has looked at.
pub fn wants_websocket(parts: &Parts) -> bool {
    parts.version == Version::HTTP_11
        && parts.headers.get_all(CONNECTION).iter().any(|value| names(value, "upgrade"))
        && is_websocket(&parts.headers)
}

/// Whether `upgrade` names WebSocket and nothing else.
pub fn is_websocket(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(UPGRADE).iter();
    let first = all.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    first && all.next().is_none()
}

/// Puts back what makes a head ask for, or grant, a WebSocket.
pub fn websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Takes away what `Connection` names and what always belongs to one connection.
pub fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Who takes away a length takes away where the message ends.
        .filter(|name| name != CONTENT_LENGTH)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn names(value: &HeaderValue, wanted: &str) -> bool {
    let mut items = value.as_bytes().split(|byte| *byte == b',');
    items.any(|item| item.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
}

/// HTTP/2 may send a cookie in pieces, HTTP/1.1 knows one header.
fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if pieces.len() > 1
        && let Ok(mut joined) = HeaderValue::from_bytes(&pieces.join(&b"; "[..]))
    {
        joined.set_sensitive(true);
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn request(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/a%20b/../c?d=e");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn place() -> Place {
        Place { secure: true, host: "::1".to_owned(), port: 8443, server_name: None }
    }

    #[test]
    fn what_belongs_to_the_connection_stays_behind() {
        let mut parts = request(&[
            ("host", "x"),
            ("connection", "close, x-mine, content-length"),
            ("x-mine", "1"),
            ("proxy-authorization", "Basic x"),
            ("te", "gzip, trailers"),
            ("trailer", "x-sum"),
            ("expect", "100-continue"),
            ("http2-settings", "x"),
            ("upgrade", "h2c"),
            ("content-length", "5"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("x-kept", "1"),
        ]);
        onward(&mut parts, &place()).unwrap();
        assert_eq!(parts.uri.to_string(), "https://[::1]:8443/a%20b/../c?d=e");
        let mut names: Vec<_> = parts.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "cookie", "te", "trailer", "x-kept"]);
        assert_eq!(parts.headers[TE], "trailers");
        assert_eq!(parts.headers[COOKIE], "a=1; b=2");
    }

    #[test]
    fn a_length_told_twice_is_told_once() {
        let mut parts = request(&[("content-length", "3"), ("transfer-encoding", "chunked")]);
        onward(&mut parts, &place()).unwrap();
        assert!(parts.headers.is_empty());
    }

    #[test]
    fn only_a_websocket_is_an_upgrade() {
        let asks = |upgrade: &[(&str, &str)]| wants_websocket(&request(upgrade));
        assert!(asks(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")]));
        assert!(!asks(&[("upgrade", "websocket")]));
        assert!(!asks(&[("connection", "upgrade"), ("upgrade", "h2c")]));
        assert!(!asks(&[("connection", "upgrade"), ("upgrade", "websocket, h2c")]));
        assert!(!asks(&[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")]));
    }
}
