//! The installation's certificate authority: made once, kept in the home, renewed on the same key before it ends, so
//! that containers which trust its old certificate trust what it signs. The key never enters a container.

use crate::fs;
use crate::home::Home;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;
use time::{Duration, OffsetDateTime};

/// How long a certificate lasts.
const LIFE: Duration = Duration::days(2 * 365);
/// It is renewed when less than this is left: a container that runs may have read it long ago.
const REST: Duration = Duration::days(365);
/// Clocks differ.
const SKEW: Duration = Duration::days(1);

/// An authority that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the home.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// The lock on it.
    #[error("could not lock `{path}`", path = path.display())]
    Lock {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A key that is none.
    #[error("`{path}` holds no key: remove it, and `clauderon up --recreate` makes a new authority", path = path.display())]
    Key {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// A certificate that could not be made.
    #[error("could not make a certificate")]
    Make(#[from] rcgen::Error),
}

/// The authority.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Its certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What signs leaves.
    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

/// Reads the authority, makes it where there is none, renews it where it nears its end.
pub fn load(home: &Home, now: OffsetDateTime) -> Result<Authority, Error> {
    let directory = home.authority();
    fs::create_private_dir(&directory)?;
    let path = directory.join("lock");
    // The command line and the daemon may both be the first.
    let lock = fs::append(&path)?;
    lock.lock().map_err(|source| Error::Lock { path, source })?;
    let key = key(&directory.join("key.pem"))?;
    let path = directory.join("certificate.pem");
    let before = if fs::exists(&path) { fs::read_to_string(&path)? } else { String::new() };
    let parameters = parameters(&key, now);
    let certificate = if serves(&before, &key, &parameters.distinguished_name, now) {
        before
    } else {
        let made = parameters.self_signed(&key)?.pem();
        fs::replace(&path, made.as_bytes(), 0o600)?;
        made
    };
    Ok(Authority { certificate, issuer: Issuer::new(parameters, key) })
}

fn key(path: &std::path::Path) -> Result<KeyPair, Error> {
    if fs::exists(path) {
        let text = fs::read_to_string(path)?;
        return KeyPair::from_pem(&text).map_err(|source| Error::Key { path: path.to_owned(), source });
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    fs::replace(path, key.serialize_pem().as_bytes(), 0o600)?;
    Ok(key)
}

/// It signs the certificates of servers and nothing else, no further authorities included. Its name follows from its
/// key: a renewed certificate is the same authority, and two installations are two.
fn parameters(key: &KeyPair, now: OffsetDateTime) -> CertificateParams {
    let digest = Sha256::digest(key.subject_public_key_info());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, format!("clauderon proxy {short}"));
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name;
    parameters.not_before = now - SKEW;
    parameters.not_after = now + LIFE;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters
}

/// Whether a certificate is this key's, has this name, and lasts.
fn serves(pem: &str, key: &KeyPair, name: &DistinguishedName, now: OffsetDateTime) -> bool {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(&der) else { return false };
    let called = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let wanted = match name.get(&DnType::CommonName) {
        Some(rcgen::DnValue::Utf8String(wanted)) => Some(wanted.as_str()),
        _ => None,
    };
    let validity = parsed.validity();
    parsed.public_key().raw == key.subject_public_key_info()
        && called == wanted
        && validity.not_before.timestamp() <= now.unix_timestamp()
        && validity.not_after.timestamp() > (now + REST).unix_timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_made_once_and_its_key_is_the_users_alone() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let now = OffsetDateTime::now_utc();
        let first = load(&home, now).unwrap();
        let again = load(&home, now + Duration::days(300)).unwrap();
        assert_eq!(first.certificate(), again.certificate());
        let mode = |name: &str| home.authority().join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("key.pem"), mode("")), (0o600, 0o700));
        assert!(!first.certificate().contains("PRIVATE"));
    }

    #[test]
    fn it_is_renewed_on_the_same_key_before_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let now = OffsetDateTime::now_utc();
        let first = load(&home, now).unwrap();
        let renewed = load(&home, now + Duration::days(400)).unwrap();
        assert_ne!(first.certificate(), renewed.certificate());
        let keys = [&first, &renewed].map(|it| it.issuer().key().subject_public_key_info());
        assert_eq!(keys[0], keys[1]);
    }

    #[test]
    fn what_is_no_key_is_said_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let now = OffsetDateTime::now_utc();
        load(&home, now).unwrap();
        fs::replace(&home.authority().join("key.pem"), b"gone", 0o600).unwrap();
        assert!(matches!(load(&home, now), Err(Error::Key { .. })));
        assert_eq!(fs::read_to_string(&home.authority().join("key.pem")).unwrap(), "gone");
    }
}
