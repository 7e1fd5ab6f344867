//! Pure. Settles `proxy.hosts`: names and patterns, one rule or several, addresses and authorities.

use std::collections::BTreeMap;

use super::diagnostic::quoted;
use super::finding::Wrong;
use super::host::{address, host_pattern};
use super::level::{Host, Rule};
use super::project::HostAccess;
use super::settle::Settle;
use super::written::proxy::{Host as Written, Hosts, Proxy};

/// The hosts that a level names.
pub(super) fn hosts(settle: &mut Settle<'_>, proxy: &Proxy) -> BTreeMap<String, Host> {
    let mut hosts = BTreeMap::new();
    for (written, said) in proxy.hosts.iter().flatten() {
        let keys = ["proxy", "hosts", written.as_str()];
        let name = match host_pattern(written) {
            Ok(name) => name,
            Err(wrong) => {
                settle.note_key(&keys, wrong);
                continue;
            }
        };
        let Some(said) = said else { continue };
        let host = match said {
            Hosts::One(form) => one(settle, &keys, form, &name),
            Hosts::Any(items) => any(settle, &keys, items.iter().map(|form| &form.0), &name),
        };
        if hosts.insert(name.clone(), host).is_some() {
            let wrong = Wrong::new(format!("the host {} is named twice", quoted(&name)));
            settle.note_key(&keys, wrong.help("case makes no difference in host names"));
        }
    }
    hosts
}

fn one(settle: &mut Settle<'_>, keys: &[&str], written: &Written, name: &str) -> Host {
    let at = |key: &'static str| [keys, &[key]].concat();
    if written.address.is_some() && name.starts_with('*') {
        let wrong = Wrong::new(format!("an address for all of {}", quoted(name)));
        settle.note(&at("address"), wrong.help("name one host that is dialled there"));
    }
    if written.access.is_some_and(|word| word.0 == HostAccess::Tunnel) {
        for (key, said) in [("methods", written.methods.is_some()), ("paths", written.paths.is_some())] {
            if said {
                let wrong = Wrong::new(format!("nobody sees the {key} inside a tunnel"));
                settle.note_key(&at(key), wrong.help("leave it out, or choose `read-only` or `read-write`"));
            }
        }
    }
    Host {
        on: written.switch.unwrap_or(true),
        address: written.address.as_deref().and_then(|text| settle.keep(&at("address"), address(text))),
        ca: written.ca.as_deref().and_then(|text| settle.host_path(&at("ca"), text)),
        rule: Rule {
            access: written.access.map(|word| word.0),
            methods: written.methods.as_ref().map(|list| list.iter().map(|item| item.0.clone()).collect()),
            paths: written.paths.as_ref().map(|list| list.iter().map(|item| item.0.clone()).collect()),
        },
        any: None,
    }
}

/// Several rules; the address and the authority are the host's, whichever rule names them.
fn any<'a>(
    settle: &mut Settle<'_>,
    keys: &[&str],
    items: impl Iterator<Item = &'a Written>,
    name: &str,
) -> Host {
    let mut all = Host { on: true, any: Some(Vec::new()), ..Host::default() };
    for (index, item) in items.enumerate() {
        let index = index.to_string();
        let keys = [keys, &[index.as_str()]].concat();
        let host = one(settle, &keys, item, name);
        if !host.on || host.rule.access == Some(HostAccess::Tunnel) {
            let wrong = Wrong::new("of several rules each allows some requests");
            settle.note(&keys, wrong.help("`false` and `tunnel` stand alone"));
        }
        let second = |one: &Option<_>, two: &Option<_>| one.is_some() && two.is_some() && one != two;
        if second(&all.address, &host.address) {
            let wrong = Wrong::new(format!("{} has two addresses", quoted(name)));
            settle.note(&[keys.as_slice(), &["address"]].concat(), wrong.help("a host is dialled at one"));
        }
        all.address = all.address.or(host.address);
        all.ca = all.ca.or(host.ca);
        all.any.get_or_insert_default().push(host.rule);
    }
    all
}
