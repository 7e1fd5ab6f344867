//! A throw-away certificate authority and one leaf for every host the agents call.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::error::ModelError;

/// The names the leaf is good for: what Claude Code 2.1.197 and Codex 0.169 were seen to call.
const NAMES: [&str; 8] = [
    "api.anthropic.com",
    "api.openai.com",
    "chatgpt.com",
    "ab.chatgpt.com",
    "api.github.com",
    "github.com",
    "localhost",
    "127.0.0.1",
];

/// What the server serves with, and what its clients have to trust.
pub struct Identity {
    /// The certificate of the authority, as PEM.
    pub authority_pem: String,
    /// TLS for HTTP/1.1, with the leaf and its key.
    pub tls: Arc<ServerConfig>,
}

/// Makes a new authority and a leaf signed by it.
pub fn generate() -> Result<Identity, ModelError> {
    let authority_key = KeyPair::generate()?;
    let parameters = authority_parameters()?;
    let authority = parameters.self_signed(&authority_key)?;
    let leaf_key = KeyPair::generate()?;
    let leaf = leaf_parameters()?.signed_by(&leaf_key, &Issuer::new(parameters, authority_key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivatePkcs8KeyDer::from(leaf_key.serialize_der()).into(),
        )?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Identity { authority_pem: authority.pem(), tls: Arc::new(tls) })
}

fn authority_parameters() -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.distinguished_name.push(DnType::CommonName, "clauderon scripted model CA");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(parameters)
}

fn leaf_parameters() -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(NAMES.map(String::from))?;
    parameters.distinguished_name.push(DnType::CommonName, "clauderon scripted model");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_share_no_authority() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert!(one.authority_pem.starts_with("-----BEGIN CERTIFICATE-----"));
        assert_ne!(one.authority_pem, two.authority_pem);
        assert_eq!(one.tls.alpn_protocols, [b"http/1.1"]);
    }
}
