//! A proxy for one session of a test, in the test's own process.

use clauderon::home::Home;
use clauderon::proxy::audit::Audit;
use clauderon::proxy::ca;
use clauderon::proxy::caller::{Caller, Installation};
use clauderon::proxy::judge::{Asked, Judge, Verdict};
use clauderon::proxy::policy::{Host, Policy};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// An installation whose log is `audit.jsonl` in this directory, and the certificate that its containers trust.
/// It believes no root of the system's.
pub fn installation(directory: &Path) -> (Installation, String) {
    let audit = Arc::new(Audit::open(&directory.join("audit.jsonl")).unwrap());
    let authority = ca::load(&Home::at(directory), time::OffsetDateTime::now_utc()).unwrap();
    let certificate = authority.certificate().to_owned();
    (Installation::new(audit, authority, rustls::RootCertStore::empty()).unwrap(), certificate)
}

/// Carries everything unread that comes by CONNECT.
struct Carrying;

impl Judge for Carrying {
    fn judge(&self, _: &Asked<'_>) -> Verdict {
        Verdict::Tunnel
    }
}

/// The session `login` of the project `shop`, for which everything that comes by CONNECT is carried unread.
pub fn carried(installation: Arc<Installation>, policy: Policy) -> Arc<Caller> {
    judged(installation, policy, Arc::new(Carrying))
}

/// The same with a policy of the test's own.
pub fn judged(installation: Arc<Installation>, policy: Policy, judge: Arc<dyn Judge>) -> Arc<Caller> {
    let names = ("shop".to_owned(), "login".to_owned());
    Arc::new(Caller::new(installation, names, policy, judge).unwrap())
}

/// A host that is dialled at an address.
pub fn named(address: SocketAddr) -> Host {
    Host { address: Some(address.to_string()), ..Host::default() }
}
