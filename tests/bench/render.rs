//! Does for a manifest what `up` does before it looks at the engine: reads, resolves and renders every session, and
//! says how many there are and how many bytes came of them: `render MANIFEST`.

use clauderon::home::Home;
use clauderon::manifest::source::{LoadError, load};
use clauderon::render::desired::{container, desired};
use clauderon::render::facts::{HostFacts, SessionFacts};
use clauderon::render::files;
use std::io::Write;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manifest = std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: render MANIFEST")?;
    let project = load(&manifest).map_err(|error| match error {
        LoadError::Invalid(diagnostics) => diagnostics.render(false),
        LoadError::Unread(error) => error.to_string(),
    })?;
    let host = HostFacts {
        home: Home::at("/home/me/.local/state/clauderon"),
        uid: 1000,
        gid: 1000,
        system_roots: String::new(),
        http_port: 3030,
        found: std::collections::BTreeMap::new(),
    };
    let facts = SessionFacts {
        identity: clauderon::render::facts::GitIdentity::default(),
        image: clauderon::render::facts::ImageFacts::default(),
        probe: clauderon::render::facts::Probe::default(),
        checkout: clauderon::render::facts::CheckoutFacts::default(),
        conversation: 1,
        token: "token".to_owned(),
        authorities: Vec::new(),
    };
    let mut bytes = 0;
    for session in &project.sessions {
        let desired = desired(&project, session, &host, (&session.name, "sha256:1"));
        let spec = container(&project, &desired, &host, &facts);
        bytes += spec.environment.values().chain(spec.labels.values()).map(String::len).sum::<usize>();
        for file in files::files(&desired.id, session, &host, &facts)? {
            bytes += file.content.len();
        }
    }
    writeln!(std::io::stdout(), "{} sessions, {bytes} bytes", project.sessions.len())?;
    Ok(())
}
