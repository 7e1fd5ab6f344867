//! What an edit only takes away: written into the records, and told to the daemon again and again until it has heard it.

use super::Reload;
use crate::cli::authorities::rules;
use crate::cli::remedy::{daemon_error, file_error};
use crate::cli::{ground, lend};
use crate::daemon::client::Client;
use crate::daemon::narrow::{Wanted, narrowed};
use crate::daemon::record::{self, Record};
use crate::error::Error;
use crate::manifest::project::{Project, Session};
use crate::plan::changes::between;
use crate::render::fields::kept;
use serde_json::json;

/// The type of the event that an edit took something away.
const NARROWED: &str = "narrowed";

impl Reload {
    /// The records of a project's sessions that are up.
    pub(super) fn ours(&self, project: &Project) -> Result<Vec<Record>, Error> {
        Ok(self.records()?.into_iter().filter(|record| record.project == project.name).collect())
    }

    /// Has what only takes away hold, and answers what is to be said of it.
    pub(super) async fn narrow(&mut self, project: &Project) -> Result<Vec<String>, Error> {
        let (mut failed, mut ids) = (None, Vec::new());
        for record in self.ours(project)? {
            let session = project.sessions.iter().find(|session| session.name == record.session);
            let Some(session) = session else { continue };
            ids.push(record.id.clone());
            match self.write(session, &record.id) {
                Ok(Some(done)) => self.owed.push((record, done)),
                Ok(None) => {}
                // What can be taken away from the others is.
                Err(error) => failed = Some(error),
            }
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // Those too in which nothing has changed: who wrote it may have ended before the daemon was told.
        self.daemon().await?.watch(&ids).await.map_err(daemon_error)?;
        let mut said = Vec::new();
        for (record, done) in std::mem::take(&mut self.owed) {
            said.push(format!("live {}: {done}", record.session));
            self.note(&record, NARROWED, json!({ "message": done })).await;
        }
        failed.map_or(Ok(said), Err)
    }

    /// Who has the user's environment may start a daemon; the daemon itself is there.
    async fn daemon(&self) -> Result<Client, Error> {
        match Client::connect(&self.home).await {
            Err(_) if self.knows_variables => ground::daemon(&self.home).await,
            other => other.map_err(daemon_error),
        }
    }

    /// Writes a session's record anew with what is taken away, and answers what that is.
    fn write(&self, session: &Session, id: &str) -> Result<Option<String>, Error> {
        let _held = record::hold(&self.home, id).map_err(file_error)?;
        let before = record::read(&self.home, id).map_err(file_error)?;
        let Some(before) = before.filter(|record| record.active) else { return Ok(None) };
        let credentials = lend::as_before(session, &before.credentials);
        let (rules, kept) = (rules(session), kept(session));
        let budget = session.budget;
        let wanted = Wanted { rules: &rules, credentials: &credentials, budget, kept: &kept };
        let after = narrowed(&before, &wanted);
        if after == before {
            return Ok(None);
        }
        record::write(&self.home, &after).map_err(file_error)?;
        let done: Vec<String> =
            between(&before.fields, &after.fields).iter().map(ToString::to_string).collect();
        Ok(Some(done.join(", ")).filter(|done| !done.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::named::Named;
    use crate::home::Home;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixListener;

    type Asked = Arc<Mutex<Vec<serde_json::Value>>>;

    /// A daemon that refuses what it is asked first.
    fn reluctant(home: &Home) -> Asked {
        let listener = UnixListener::bind(home.control_socket()).unwrap();
        let asked = Asked::default();
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                    let first = heard.lock().unwrap().is_empty();
                    heard.lock().unwrap().push(serde_json::from_str(&line).unwrap());
                    let answer: &[u8] = if first { b"{\"failed\":\"no\"}\n" } else { b"\"done\"\n" };
                    stream.get_mut().write_all(answer).await.unwrap();
                    line.clear();
                }
            }
        });
        asked
    }

    fn record(root: &std::path::Path) -> Record {
        let record = json!({
            "id": "a1", "project": "shop", "root": root, "session": "a", "container": "c", "parent": null,
            "branch": null, "checkout": null, "active": true, "conversation": 1,
            "fields": { "proxy.access": "read-write" },
        });
        serde_json::from_value(record).unwrap()
    }

    fn asks_to_watch(asked: &Asked) -> usize {
        asked.lock().unwrap().iter().filter(|asked| asked["do"] == "watch").count()
    }

    #[tokio::test]
    async fn a_daemon_that_has_not_heard_is_told_again_and_what_was_written_back_is_taken_away_again() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let home = Home::at(root.join("home"));
        record::write(&home, &record(&root)).unwrap();
        let asked = reluctant(&home);
        let file = root.join("clauderon.yaml");
        let text = b"name: shop\nproxy: {access: read-only}\nsessions: {a: }\n";
        crate::fs::replace(&file, text, 0o600).unwrap();
        let named = json!({ "files": [file], "here": root, "user": null, "root": root, "content": "" });
        let named: Named = serde_json::from_value(named).unwrap();
        let engine = "unix:///nowhere/engine.sock".to_owned();
        let mut reload = Reload::new(named, home.clone(), engine, false);
        let holds = || record::read(&home, "a1").unwrap().unwrap().fields["proxy.access"].clone();

        reload.look().await;
        assert_eq!((holds().as_str(), asks_to_watch(&asked)), ("read-only", 1));
        assert!(reload.is_due(), "the daemon did not hear it");
        let super::super::Seen::Valid(project, _) =
            reload.read(&crate::manifest::source::Noted::default()).unwrap()
        else {
            panic!("it is valid")
        };
        let said = reload.narrow(&project).await.unwrap();
        assert_eq!(said, ["live a: proxy.access: read-write \u{2192} read-only [live]"]);
        assert_eq!(asks_to_watch(&asked), 2);

        // An `up` that began before the edit writes what was there then.
        reload = reload.after(&project);
        record::write(&home, &record(&root)).unwrap();
        assert_eq!(reload.look().await, said, "nothing was edited since");
        assert_eq!((holds().as_str(), asks_to_watch(&asked)), ("read-only", 3));
    }
}
