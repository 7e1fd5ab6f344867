//! Whom the proxy believes on its way out: the system's roots, and the authority that a host's `ca` names.

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, LazyLock};

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

/// The one implementation of the algorithms.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}

/// The roots that this system trusts.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "some of the system's roots could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::error!("the system has no trusted roots: no host without a `ca` will be believed");
    }
    roots
}

/// How to speak TLS to an upstream.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    /// With HTTP/2 where the upstream knows it.
    pub both: Arc<ClientConfig>,
    /// With HTTP/1.1 alone, from which a connection can be upgraded.
    pub http1: Arc<ClientConfig>,
}

impl Trust {
    /// Trust in these roots.
    pub fn new(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(config.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { both: Arc::new(config), http1 })
    }
}

/// The roots and those of a PEM text. What cannot be read in it is left out, and then not believed.
pub(super) fn with(roots: &RootCertStore, pem: &str) -> RootCertStore {
    let mut roots = roots.clone();
    let more = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok);
    roots.add_parsable_certificates(more);
    roots
}
