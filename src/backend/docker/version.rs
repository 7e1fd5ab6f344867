//! The engine's API version on the wire. `bollard` 0.21.1 drops the version's prefix from every path, so that requests
//! would run at the engine's own newest API; here it is asked for once and put back.

use bollard::API_DEFAULT_VERSION as NEWEST;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::Uri;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// An engine that is well answers within milliseconds; one on a machine under load in seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the version is not known.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: usize,
    minor: usize,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The newest version that the engine at a socket and the client both know. `GET /_ping` costs the engine nothing;
/// `GET /version` would have it start its runtimes.
pub async fn negotiate(socket: &Path) -> Result<Version, Failure> {
    let late = |_| Err(format!("no answer within {} s", PATIENCE.as_secs()).into());
    let told = tokio::time::timeout(PATIENCE, ping(socket)).await.unwrap_or_else(late)?;
    let newest = Version { major: NEWEST.major_version, minor: NEWEST.minor_version };
    Ok(told.min(newest))
}

async fn ping(socket: &Path) -> Result<Version, Failure> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = hyper::Request::get("/_ping").header(HOST, "docker").body(Empty::<Bytes>::new())?;
    let mut answer = std::pin::pin!(sender.send_request(request));
    let response = tokio::select! {
        response = &mut answer => response?,
        ended = connection => {
            ended?;
            // Whoever hangs up may have answered before.
            answer.await?
        }
    };
    let told = response.headers().get("api-version").and_then(|value| value.to_str().ok());
    told.and_then(Version::parse).ok_or_else(|| {
        format!("it does not tell the version of its API and answers `{}`", response.status()).into()
    })
}

/// The same address with the version before its path; left alone where a version stands there already.
pub fn put_back(uri: &Uri, version: Version) -> Uri {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let rest = path.strip_prefix("/v").unwrap_or_default();
    if rest.starts_with(|first: char| first.is_ascii_digit()) {
        return uri.clone();
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = format!("/v{version}{path}").parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_before_the_path_once() {
        let uri: Uri = "unix://2f72756e/containers/json?all=true".parse().unwrap();
        let version = Version::parse("1.41").unwrap();
        let versioned = put_back(&uri, version);
        assert_eq!(versioned, "unix://2f72756e/v1.41/containers/json?all=true");
        assert_eq!(put_back(&versioned, version), versioned);
        let volumes: Uri = "unix://2f72756e/volumes".parse().unwrap();
        assert_eq!(put_back(&volumes, version), "unix://2f72756e/v1.41/volumes");
    }

    #[test]
    fn versions_are_numbers() {
        assert!(Version::parse("1.9").unwrap() < Version::parse("1.41").unwrap());
        assert_eq!(Version::parse("v1"), None);
        assert_eq!(Version::parse("1.x"), None);
    }
}
