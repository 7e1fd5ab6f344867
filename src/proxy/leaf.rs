//! Leaf certificates, minted for a name when it is first asked for, and kept.

use super::ca::Authority;
use super::trust::provider;
use indexmap::IndexMap;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SanType, SerialNumber,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// Names kept at once; an agent that asks for more has the oldest minted again.
const MOST: usize = 1024;
/// How long one lasts.
const LIFE: time::Duration = time::Duration::days(30);
/// It is minted again after this.
const FRESH: Duration = Duration::from_hours(24 * 7);

/// What protocols are offered to the container.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A leaf that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be minted.
    #[error("no certificate can be made for that name")]
    Mint(#[from] rcgen::Error),
    /// TLS does not take it.
    #[error("that certificate cannot be served")]
    Serve(#[from] rustls::Error),
}

type Kept = IndexMap<String, (Instant, Arc<ServerConfig>)>;

/// The leaves of one authority. They share one key: minting is one signature.
pub struct Leaves {
    authority: Authority,
    key: KeyPair,
    kept: Mutex<Kept>,
}

impl fmt::Debug for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaves").finish_non_exhaustive()
    }
}

impl Leaves {
    /// No leaves yet.
    pub fn new(authority: Authority) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Self { authority, key, kept: Mutex::default() })
    }

    /// What to speak TLS with to a container that thinks it speaks to this name or address.
    pub fn config(&self, name: &str) -> Result<Arc<ServerConfig>, Error> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((minted, config)) = kept.get(name)
            && minted.elapsed() < FRESH
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.serve(self.mint(name)?)?);
        if kept.len() >= MOST {
            kept.shift_remove_index(0);
        }
        kept.insert(name.to_owned(), (Instant::now(), Arc::clone(&config)));
        Ok(config)
    }

    fn mint(&self, name: &str) -> Result<CertificateDer<'static>, rcgen::Error> {
        let mut parameters = CertificateParams::default();
        let alternative = match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.try_into()?),
        };
        let now = OffsetDateTime::now_utc();
        parameters.subject_alt_names = vec![alternative];
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "clauderon session");
        parameters.not_before = now - time::Duration::days(1);
        parameters.not_after = now + LIFE;
        // Two certificates of one issuer with one number are refused by some.
        parameters.serial_number = Some(SerialNumber::from_slice(uuid::Uuid::new_v4().as_bytes()));
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        Ok(parameters.signed_by(&self.key, self.authority.issuer())?.der().clone())
    }

    fn serve(&self, leaf: CertificateDer<'static>) -> Result<ServerConfig, rustls::Error> {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf], key.into())?;
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::proxy::ca;

    fn leaves() -> Leaves {
        let directory = tempfile::tempdir().unwrap();
        let authority = ca::load(&Home::at(directory.path()), OffsetDateTime::now_utc()).unwrap();
        Leaves::new(authority).unwrap()
    }

    #[test]
    fn a_name_is_minted_once_and_the_number_kept_is_bounded() {
        let leaves = leaves();
        let first = leaves.config("first.example").unwrap();
        assert!(Arc::ptr_eq(&first, &leaves.config("first.example").unwrap()));
        for number in 0..MOST {
            leaves.config(&format!("n{number}.example")).unwrap();
        }
        assert_eq!(leaves.kept.lock().unwrap().len(), MOST);
        assert!(!Arc::ptr_eq(&first, &leaves.config("first.example").unwrap()));
    }

    #[test]
    fn names_and_addresses_are_told_apart_and_each_has_its_own_number() {
        let leaves = leaves();
        let mut numbers = Vec::new();
        for (name, kind) in [("a.example", "DNSName"), ("10.0.0.1", "IPAddress"), ("::1", "IPAddress")] {
            let der = leaves.mint(name).unwrap();
            let (_, leaf) = x509_parser::parse_x509_certificate(&der).unwrap();
            let names = leaf.subject_alternative_name().unwrap().unwrap();
            let names: Vec<_> = names.value.general_names.iter().map(|it| format!("{it:?}")).collect();
            assert!(names.len() == 1 && names[0].starts_with(kind), "{names:?}");
            assert!(!leaf.is_ca());
            numbers.push(leaf.raw_serial().to_vec());
        }
        numbers.dedup();
        assert_eq!(numbers.len(), 3);
        assert!(leaves.config("ünï.example").is_err());
    }

    #[test]
    fn what_a_renewed_authority_signs_is_believed_by_who_read_the_old_certificate() {
        use rustls::client::WebPkiServerVerifier;
        use rustls::client::danger::ServerCertVerifier;
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let now = OffsetDateTime::now_utc();
        // Long ago, so that it is renewed today.
        let old = ca::load(&home, now - time::Duration::days(400)).unwrap().certificate().to_owned();
        let renewed = ca::load(&home, now).unwrap();
        assert_ne!(old, renewed.certificate());
        let leaf = Leaves::new(renewed).unwrap().mint("a.example").unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(old.as_bytes()).unwrap()).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build().unwrap();
        let name = ServerName::try_from("a.example").unwrap();
        verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::now()).unwrap();
    }
}
