//! Sessions that no container stands behind, for the benchmark of the proxy: `sessions HOME COUNT TO DIAL CA TOKEN LINK`
//! writes the records that a daemon serves, each with a credential lent to the host `TO`, which is dialled at `DIAL` and
//! believed by `CA`, its value the content of the file `TOKEN`; and the link's program to `LINK`.

use clauderon::credential::known::{Kind, bindings};
use clauderon::credential::lending::Lending;
use clauderon::daemon::record::{Record, write};
use clauderon::fs;
use clauderon::home::Home;
use clauderon::manifest::project::{Access, Credential, Host, HostAccess, Rule, Source, Target};
use clauderon::proxy::program::LINK;
use clauderon::proxy::rules::Rules;
use std::collections::BTreeMap;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [home, count, to, dial, ca, token, link] = words.as_slice() else {
        return Err("usage: sessions HOME COUNT TO DIAL CA TOKEN LINK".into());
    };
    let (name, port) = to.split_once(':').ok_or("TO is HOST:PORT")?;
    let target = Target {
        host: name.to_owned(),
        port: port.parse()?,
        header: "Authorization".to_owned(),
        value: "Bearer {}".to_owned(),
    };
    let credential = Credential { target: Some(target), ..Credential::default() };
    let source = Source::File { path: token.into(), pointer: String::new(), fixed: false };
    let lending = Lending {
        name: "key".to_owned(),
        source: Some(source),
        bindings: bindings("key", &credential, Kind::Token),
    };
    let rule = Rule { access: HostAccess::ReadWrite, ..Rule::default() };
    let host = Host { rules: vec![rule], address: Some(dial.clone()), ..Host::default() };
    let hosts = BTreeMap::from([(name.to_owned(), host)]);
    let rules = Rules { access: Access::ReadWrite, hosts, ..Rules::default() };
    let authorities = BTreeMap::from([(name.to_owned(), fs::read_to_string(Path::new(ca))?)]);
    let home = Home::at(home);
    fs::create_private_dir(home.path())?;
    for number in 0..count.parse()? {
        let id = format!("{number:04x}");
        let record = Record {
            project: "bench".to_owned(),
            root: home.path().to_owned(),
            session: format!("s{number}"),
            container: format!("clauderon-bench-{id}"),
            parent: None,
            branch: None,
            checkout: None,
            kind: clauderon::manifest::project::Checkout::Clone,
            excludes: Vec::new(),
            rules: rules.clone(),
            authorities: authorities.clone(),
            credentials: vec![lending.clone()],
            budget: clauderon::manifest::project::Budget::default(),
            timeout: clauderon::manifest::project::Timeout::default(),
            notify: clauderon::manifest::project::notify::Notify::default(),
            active: true,
            fields: std::collections::BTreeMap::new(),
            conversation: 1,
            id: id.clone(),
        };
        write(&home, &record)?;
        fs::create_private_dir(&home.session(&id).spool())?;
    }
    fs::replace(Path::new(link), LINK, 0o755)?;
    Ok(())
}
