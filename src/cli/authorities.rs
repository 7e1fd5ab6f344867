//! What the proxy goes by for a session: its rules, and the certificates that are believed of hosts.

use super::remedy::file_error;
use crate::error::Error;
use crate::manifest::project::{HostAccess, Session};
use crate::proxy::rules::Rules;
use crate::render::identity::short_hash;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the session may do where.
pub fn rules(session: &Session) -> Rules {
    let models = crate::agent::models(session.agent.kind).iter().map(|name| (*name).to_owned());
    Rules { access: session.access, hosts: session.hosts.clone(), models: models.collect() }
}

/// The certificates of hosts whose bytes nobody looks at: of these the container judges itself.
pub fn tunnelled(session: &Session) -> Result<Vec<String>, Error> {
    let is_tunnel = |name: &String| {
        let rules = session.hosts.get(name).map(|host| host.rules.as_slice()).unwrap_or_default();
        rules.iter().any(|rule| rule.access == HostAccess::Tunnel)
    };
    let all = authorities(session)?;
    Ok(all.into_iter().filter(|(name, _)| is_tunnel(name)).map(|(_, text)| text).collect())
}

/// The certificates of each `ca` that the manifest names, by host: the proxy believes them, the container knows none
/// but those of tunnels.
pub fn authorities(session: &Session) -> Result<BTreeMap<String, String>, Error> {
    Certificates::default().of(session)
}

/// Bytes of certificates that a session may believe, and that the files may have which one look reads.
const MOST: usize = 8 << 20;

/// The files that `ca` names, each read once.
#[derive(Default)]
pub struct Certificates {
    read: BTreeMap<PathBuf, String>,
    bytes: usize,
}

impl Certificates {
    /// The certificates of a session, by host.
    pub fn of(&mut self, session: &Session) -> Result<BTreeMap<String, String>, Error> {
        let (mut authorities, mut bytes) = (BTreeMap::new(), 0);
        for (name, host) in &session.hosts {
            let Some(ca) = &host.ca else { continue };
            let text = self.file(ca)?;
            bytes += text.len();
            if bytes > MOST {
                return Err(too_large(&format!("session `{}`: the certificates of its hosts", session.name)));
            }
            authorities.insert(name.clone(), text.to_owned());
        }
        Ok(authorities)
    }

    /// Tells the certificates of sessions from others, in few bytes.
    pub fn prints(&mut self, sessions: &[Session]) -> Result<BTreeMap<PathBuf, String>, Error> {
        let mut prints = BTreeMap::new();
        for ca in
            sessions.iter().flat_map(|session| session.hosts.values()).filter_map(|host| host.ca.as_ref())
        {
            if !prints.contains_key(ca) {
                prints.insert(ca.clone(), short_hash(self.file(ca)?));
            }
        }
        Ok(prints)
    }

    fn file(&mut self, ca: &Path) -> Result<&str, Error> {
        if !self.read.contains_key(ca) {
            let text = certificates(&super::lend::authority(ca).map_err(file_error)?);
            if text.is_empty() {
                return Err(Error::failed(format!("`{}` holds no certificate", ca.display()))
                    .hint("`ca` names a PEM file: `-----BEGIN CERTIFICATE-----` and what follows"));
            }
            self.bytes += text.len();
            if self.bytes > MOST {
                return Err(too_large("the files that `ca` names"));
            }
            self.read.insert(ca.to_owned(), text);
        }
        Ok(self.read.get(ca).map_or("", String::as_str))
    }
}

fn too_large(what: &str) -> Error {
    Error::failed(format!("{what} are larger than {} MiB together", MOST >> 20))
        .hint("name the certificate of the host's own authority alone")
}

/// The certificates of a PEM file and nothing else of it: a key beside them, or any other file, stays outside.
fn certificates(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = text.split(BEGIN).skip(1).filter_map(|rest| rest.split_once(END));
    let base64 =
        |block: &str| block.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(&byte));
    blocks.filter(|(block, _)| base64(block)).map(|(block, _)| format!("{BEGIN}{block}{END}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::replace;
    use crate::manifest::source::load;

    fn sessions(hosts: usize, bytes: usize) -> (tempfile::TempDir, Vec<Session>) {
        let directory = tempfile::tempdir().unwrap();
        let of_host = |host| format!("h{host}.dev: {{ca: ca{}.pem}}", host % 2);
        let hosts: Vec<String> = (0..hosts).map(of_host).collect();
        let manifest = format!("proxy: {{hosts: {{{}}}}}\nsessions: {{a: , b: }}\n", hosts.join(", "));
        replace(&directory.path().join("clauderon.yaml"), manifest.as_bytes(), 0o600).unwrap();
        let body = "A".repeat(bytes);
        let text = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        for name in ["ca0.pem", "ca1.pem"] {
            replace(&directory.path().join(name), text.as_bytes(), 0o600).unwrap();
        }
        let sessions = load(&directory.path().join("clauderon.yaml")).unwrap().sessions;
        (directory, sessions)
    }

    #[test]
    fn a_file_is_read_once_and_kept_as_its_print() {
        let (directory, sessions) = sessions(100, 1_000_000);
        let mut certificates = Certificates::default();
        let before = certificates.prints(&sessions).unwrap();
        assert_eq!((before.len(), certificates.read.len()), (2, 2));
        assert!(before.values().all(|print| print.len() < 100));
        // Each host of them would have a copy.
        let error = certificates.of(&sessions[0]).unwrap_err();
        assert!(error.to_string().contains("session `a`"), "{error}");
        let other = "-----BEGIN CERTIFICATE-----\nB\n-----END CERTIFICATE-----\n";
        replace(&directory.path().join("ca1.pem"), other.as_bytes(), 0o600).unwrap();
        assert_ne!(Certificates::default().prints(&sessions).unwrap(), before);
    }
}
