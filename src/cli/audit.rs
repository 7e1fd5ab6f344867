//! `audit`: the requests that sessions made, read from the daemon's log; no engine and no daemon is asked.

use super::args::{Audit, Format};
use super::{Code, context, host, output};
use crate::daemon::record;
use crate::error::Error;
use crate::home::Home;
use crate::manifest::project::Project;
use crate::proxy::redact::harmless;
use crate::proxy::trail::{Record, Trail};
use std::path::PathBuf;
use std::time::Duration;

/// How often a follower looks for more.
const INTERVAL: Duration = Duration::from_millis(50);

/// Which lines are shown.
struct Filter<'a> {
    project: Option<String>,
    args: &'a Audit,
}

/// `clauderon audit`.
pub async fn run(file: &[PathBuf], args: &Audit) -> Result<Code, Error> {
    let home = host::home()?;
    let project = if args.all { None } else { Some(context::project(file)?) };
    if let Some(project) = &project {
        check(&home, project, &args.sessions)?;
    }
    let filter = Filter { project: project.map(|project| project.name), args };
    let mut trail = Trail::new(&home.audit_log());
    let unread = |error| Error::failed("could not read the audit log").because(error);
    loop {
        let lines = trail.lines().map_err(unread)?;
        if lines.is_empty() {
            if !args.follow {
                return Ok(0);
            }
            tokio::time::sleep(INTERVAL).await;
        }
        let shown: Vec<u8> = lines.iter().filter_map(|line| filter.show(line)).flatten().collect();
        if !shown.is_empty() {
            output::bytes(&shown);
        }
    }
}

/// A name that neither the manifest knows nor a session that has left it is a mistake.
fn check(home: &Home, project: &Project, names: &[String]) -> Result<(), Error> {
    if names.is_empty() {
        return Ok(());
    }
    let records =
        record::all(home).map_err(|error| Error::failed("could not read the sessions").because(error))?;
    let ours =
        records.iter().filter(|record| record.project == project.name).map(|record| record.session.as_str());
    let mut known: Vec<&str> =
        project.sessions.iter().map(|session| session.name.as_str()).chain(ours).collect();
    known.sort_unstable();
    known.dedup();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(context::unknown(name, known.into_iter())),
        None => Ok(()),
    }
}

impl Filter<'_> {
    /// A line as it is printed; nothing for one that is not asked for, or that a kill has torn.
    fn show(&self, line: &[u8]) -> Option<Vec<u8>> {
        let record: Record<'_> = serde_json::from_slice(line).ok()?;
        if !self.wants(&record) {
            return None;
        }
        Some(match self.args.format {
            Format::Json => [line, b"\n"].concat(),
            Format::Text => text(&record, self.args.all).into_bytes(),
        })
    }

    fn wants(&self, record: &Record<'_>) -> bool {
        let Audit { sessions, denied, host, .. } = self.args;
        self.project.as_ref().is_none_or(|project| *project == record.project)
            && (sessions.is_empty() || sessions.iter().any(|name| *name == record.session))
            && (!denied || record.decision == "deny")
            && host.as_ref().is_none_or(|pattern| fits(pattern, &record.host))
    }
}

fn fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => pattern == host,
    }
}

fn text(record: &Record<'_>, all: bool) -> String {
    let session =
        if all { format!("{}/{}", record.project, record.session) } else { record.session.to_string() };
    let host = if record.host.contains(':') { format!("[{}]", record.host) } else { record.host.to_string() };
    let port = if record.port == 443 { String::new() } else { format!(":{}", record.port) };
    let path = record.path.as_deref().unwrap_or_default();
    let credential = record.credential.as_ref().map(|name| format!("  with {name}")).unwrap_or_default();
    let reason = record.reason.as_ref().map(|reason| format!("  {reason}")).unwrap_or_default();
    let line = format!(
        "{}  {session:<16} {:<6} {:<3} {:<7} {:>6} ms {:>9} in {:>9} out  {host}{port}{path}{credential}{reason}",
        record.time,
        record.decision,
        record.status,
        record.method,
        record.ms,
        record.bytes_in,
        record.bytes_out
    );
    format!("{}\n", harmless(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_every_name_below_and_not_the_name_itself() {
        assert!(fits("*.example.com", "a.b.example.com") && fits("example.com", "example.com"));
        for host in ["example.com", "badexample.com", ".example.com", "example.com.evil"] {
            assert!(!fits("*.example.com", host), "{host}");
        }
    }

    #[test]
    fn a_line_for_people_is_one_line_and_aligned() {
        let line =
            br#"{"time":"2026-01-02T03:04:05.678Z","project":"shop","session":"login","host":"::1","port":80,
            "method":"GET","path":"/a\u001b\n","status":403,"decision":"deny","credential":null,"reason":"no",
            "bytes_in":1,"bytes_out":22,"ms":3}"#;
        let record: Record<'_> = serde_json::from_slice(line).unwrap();
        assert_eq!(
            text(&record, true),
            "2026-01-02T03:04:05.678Z  shop/login       deny   403 GET          3 ms         1 in        22 out  \
             [::1]:80/a\u{fffd}\u{fffd}  no\n"
        );
    }
}
