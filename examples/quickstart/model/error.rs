//! What can keep the scripted model from starting.

use std::path::{Path, PathBuf};

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error("cannot {verb} `{}`: {source}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// The file in question.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The script is not what a script looks like.
    #[error("the script `{name}` does not parse: {source}")]
    Script {
        /// Where the script came from.
        name: String,
        /// Where and why parsing ended.
        source: serde_json::Error,
    },
    /// The address could not be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up with the certificate.
    #[error("cannot set up tls: {0}")]
    Tls(#[from] rustls::Error),
}

impl ModelError {
    /// Tells which file an error of the system's was about.
    pub fn file(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { verb, path, source }
    }
}
