//! What the proxy goes by for a session: its rules, and the certificates that are believed of hosts.

use super::remedy::file_error;
use crate::error::Error;
use crate::manifest::project::{HostAccess, Session};
use crate::proxy::rules::Rules;
use std::collections::BTreeMap;

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
    let mut authorities = BTreeMap::new();
    for (name, host) in &session.hosts {
        let Some(ca) = &host.ca else { continue };
        let text = certificates(&super::lend::authority(ca).map_err(file_error)?);
        if text.is_empty() {
            return Err(Error::failed(format!("`{}` holds no certificate", ca.display()))
                .hint("`ca` names a PEM file: `-----BEGIN CERTIFICATE-----` and what follows"));
        }
        authorities.insert(name.clone(), text);
    }
    Ok(authorities)
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
