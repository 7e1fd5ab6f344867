//! A home with sessions that no container stands behind, and what one says to the daemon that serves it.

use clauderon::daemon::record::{Record, write};
use clauderon::home::Home;
use clauderon::hooks::token;
use clauderon::store::{Event, Filter, Reader};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_clauderon");

/// How long anything may take.
pub const SOON: Duration = Duration::from_secs(10);

/// The home. A daemon that was started for it is asked to end with it.
pub struct Place {
    pub directory: tempfile::TempDir,
    pub home: Home,
}

impl Place {
    /// A home of this name in a directory of its own.
    pub fn new(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path().join(name));
        clauderon::fs::create_private_dir(home.path()).unwrap();
        Self { directory, home }
    }

    /// Adds a session that is named after its id, and answers its token.
    pub fn add(&self, id: &str) -> String {
        let record = Record {
            id: id.to_owned(),
            project: "shop".to_owned(),
            root: self.directory.path().to_owned(),
            session: id.to_owned(),
            container: format!("clauderon-shop-{id}"),
            parent: None,
            branch: None,
            checkout: None,
            kind: clauderon::manifest::project::Checkout::Clone,
            excludes: Vec::new(),
            rules: clauderon::proxy::rules::Rules::default(),
            authorities: BTreeMap::new(),
            credentials: Vec::new(),
            budget: Default::default(),
            timeout: Default::default(),
            notify: Default::default(),
            fields: BTreeMap::new(),
            conversation: 1,
            active: true,
        };
        write(&self.home, &record).unwrap();
        clauderon::fs::create_private_dir(&self.home.session(id).spool()).unwrap();
        self.token(id)
    }

    /// A session's token.
    pub fn token(&self, id: &str) -> String {
        token::load(&self.home.session(id).path().join("token")).unwrap()
    }

    /// A connection to a session's socket that has said what it wants.
    pub fn connect(&self, id: &str, word: &str) -> std::io::Result<UnixStream> {
        // The path may be too long for an address; the link's own, in the container, is short.
        let short = self.directory.path().join(id);
        match symlink(self.home.session(id).run(), &short) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let mut stream = UnixStream::connect(short.join("link.sock"))?;
        stream.set_read_timeout(Some(SOON))?;
        stream.set_write_timeout(Some(SOON))?;
        stream.write_all(word.as_bytes())?;
        Ok(stream)
    }

    /// Posts an event as the link does, and answers the status.
    pub fn report(&self, id: &str, event: &str) -> std::io::Result<u16> {
        let body = json!({"session_id": id, "event": event, "timestamp": null, "data": {}}).to_string();
        let request = request(&self.token(id), &body);
        Ok(ask(&mut self.connect(id, "hooks\n")?, request.as_bytes()))
    }

    /// Puts a message into a session's spool, as a whole.
    pub fn spool(&self, id: &str, name: &str, content: impl AsRef<[u8]>) {
        let spool = self.home.session(id).spool();
        std::fs::write(spool.join(".new"), content).unwrap();
        std::fs::rename(spool.join(".new"), spool.join(name)).unwrap();
    }

    /// What is stored of a session.
    pub fn events(&self, id: &str) -> Vec<Event> {
        let filter = Filter { ids: Some(vec![id.to_owned()]), after: 0, limit: 10_000 };
        Reader::open(&self.home.database()).unwrap().unwrap().events(&filter).unwrap()
    }

    /// One question on the control socket.
    pub fn control(&self, question: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.home.control_socket()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        // A daemon that has heard enough hangs up.
        let _ = stream.write_all(question);
        let mut answer = String::new();
        let _ = BufReader::new(stream).read_line(&mut answer);
        answer
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut stop = std::process::Command::new(PROGRAM);
        let _ = stop.args(["daemon", "stop"]).env("CLAUDERON_HOME", self.home.path()).output();
    }
}

/// An event of a session that carries a number.
pub fn event(id: &str, number: usize) -> String {
    json!({"session_id": id, "event": "PostToolUse", "data": {"number": number}}).to_string()
}

/// The request that reports it.
pub fn request(token: &str, body: &str) -> String {
    format!(
        "POST /api/hooks HTTP/1.1\r\nHost: host.docker.internal\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The status of the answer; 0 for none.
pub fn ask(stream: &mut (impl Read + Write), request: &[u8]) -> u16 {
    // An answer may come before all was said.
    let _ = stream.write_all(request);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
