//! `usage`: what sessions have asked of their models, as the daemon has counted it; no engine is asked.

use super::args::{Format, Usage};
use super::remedy::file_error;
use super::{Code, context, host, output};
use crate::daemon::client::Client;
use crate::daemon::metered;
use crate::daemon::record::{self, Record};
use crate::error::Error;
use crate::home::Home;
use crate::manifest::project::{Budget, Project};
use crate::proxy::ledger::{Ledger, percent};
use crate::proxy::usage::Counts;
use crate::render::identity::{conversation_id, owner, session_id};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// One session and its count.
struct Row {
    project: String,
    root: String,
    session: String,
    id: String,
    budget: Budget,
    conversation: u32,
    ledger: Ledger,
}

/// `clauderon usage`.
pub async fn run(file: &[PathBuf], args: &Usage) -> Result<Code, Error> {
    let home = host::home()?;
    let all = args.all || (file.is_empty() && context::manifests(&[]).is_err());
    let project = if all { None } else { Some(context::project(file)?) };
    let mut rows = rows(&home, project.as_ref())?;
    if let Some(name) = args.sessions.iter().find(|name| rows.iter().all(|row| row.session != **name)) {
        return Err(context::unknown(name, rows.iter().map(|row| row.session.as_str())));
    }
    rows.retain(|row| args.sessions.is_empty() || args.sessions.contains(&row.session));
    count(&home, &mut rows).await;
    match args.format {
        Format::Json => {
            let list: Vec<Value> = rows.iter().map(Row::json).collect();
            output::data(&format!("{:#}\n", Value::from(list)));
        }
        Format::Text => print(&rows, all),
    }
    Ok(0)
}

/// The sessions of a project, in its order and then those that have left it; or all.
fn rows(home: &Home, project: Option<&Project>) -> Result<Vec<Row>, Error> {
    let mut records = record::all(home).map_err(file_error)?;
    let mut rows = Vec::new();
    if let Some(project) = project {
        records.retain(|record| record.root == project.root && record.project == project.name);
        let owner = owner(rustix::process::getuid().as_raw(), home.path());
        for session in &project.sessions {
            let id = session_id(&owner, project, &session.name);
            let known = records.iter().position(|record| record.id == id).map(|at| records.remove(at));
            rows.push(
                known.map_or_else(|| Row::unknown(project, &session.name, session.budget, id), Row::of),
            );
        }
    }
    records.sort_by(|left, right| (&left.project, &left.session).cmp(&(&right.project, &right.session)));
    rows.extend(records.into_iter().map(Row::of));
    Ok(rows)
}

/// Asks the daemon; without one, what it kept stands.
async fn count(home: &Home, rows: &mut [Row]) {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let told = match Client::connect(home).await {
        Ok(mut client) => client.usage(&ids).await.ok(),
        Err(_) => None,
    };
    let ledgers = told.unwrap_or_else(|| ids.iter().map(|id| metered::kept(home, id)).collect());
    for (row, ledger) in rows.iter_mut().zip(ledgers) {
        row.ledger = ledger;
        // Who has never asked for anything has no conversation there.
        row.ledger.conversation = row.conversation;
    }
}

fn print(rows: &[Row], all: bool) {
    let head = ["SESSION", "REQUESTS", "INPUT", "OUTPUT", "TOTAL", "BUDGET", "USED"];
    let mut sum = Counts::default();
    let mut cells: Vec<Vec<String>> = Vec::new();
    for row in rows {
        sum += row.ledger.total;
        let name = if all { format!("{}/{}", row.project, row.session) } else { row.session.clone() };
        cells.push(line(name, &row.ledger.total, row.limits(), row.used()));
    }
    if rows.len() > 1 {
        cells.push(line("(all)".to_owned(), &sum, String::new(), String::new()));
    }
    output::data(&output::table(&head, &cells));
    if sum.unread > 0 {
        let what = if sum.unread == 1 { "answer has" } else { "answers have" };
        output::say(&format!("{} {what} told no tokens: they are counted as requests alone", sum.unread));
    }
}

fn line(name: String, counts: &Counts, budget: String, used: String) -> Vec<String> {
    let numbers = [counts.requests, counts.input_tokens, counts.output_tokens, counts.tokens()];
    let numbers = numbers.map(|number| number.to_string());
    [vec![name], numbers.to_vec(), vec![budget, used]].concat()
}

impl Row {
    fn of(record: Record) -> Self {
        Self {
            project: record.project,
            root: record.root.display().to_string(),
            session: record.session,
            id: record.id,
            budget: record.budget,
            conversation: record.conversation,
            ledger: Ledger::default(),
        }
    }

    /// A session that was never up.
    fn unknown(project: &Project, session: &str, budget: Budget, id: String) -> Self {
        Self {
            project: project.name.clone(),
            root: project.root.display().to_string(),
            session: session.to_owned(),
            id,
            budget,
            conversation: 0,
            ledger: Ledger::default(),
        }
    }

    /// The budget that holds, in words.
    fn limits(&self) -> String {
        let Budget { tokens, requests, per } = self.budget;
        let tokens = tokens.map(|limit| format!("{limit} tokens"));
        let requests = requests.map(|limit| format!("{limit} requests"));
        let limits: Vec<String> = tokens.into_iter().chain(requests).collect();
        if limits.is_empty() { "-".to_owned() } else { format!("{} per {}", limits.join(", "), per.as_str()) }
    }

    fn used(&self) -> String {
        let used = percent(&self.ledger.used(self.budget.per), &self.budget);
        used.map_or_else(|| "-".to_owned(), |percent| format!("{percent} %"))
    }

    fn json(&self) -> Value {
        let Self { budget, ledger, .. } = self;
        let used = ledger.used(budget.per);
        let limits = budget.limits().then(|| {
            json!({
                "tokens": budget.tokens,
                "requests": budget.requests,
                "per": budget.per,
                "used_tokens": used.tokens(),
                "used_requests": used.requests,
                "percent": percent(&used, budget),
                "spent": ledger.spent(budget).is_some(),
            })
        });
        let conversation = |(number, counts): (&u32, &Counts)| {
            let mut told = counted(counts);
            told.insert("conversation".to_owned(), json!(conversation_id(&self.id, *number)));
            Value::Object(told)
        };
        let mut row = Map::new();
        for (key, value) in [
            ("project", json!(self.project)),
            ("root", json!(self.root)),
            ("session", json!(self.session)),
            ("id", json!(self.id)),
        ] {
            row.insert(key.to_owned(), value);
        }
        row.extend(counted(&ledger.total));
        row.insert("budget".to_owned(), json!(limits));
        row.insert("today".to_owned(), Value::Object(counted(&ledger.today)));
        row.insert("conversations".to_owned(), ledger.conversations.iter().map(conversation).collect());
        Value::Object(row)
    }
}

fn counted(counts: &Counts) -> Map<String, Value> {
    let numbers = [
        ("requests", counts.requests),
        ("input_tokens", counts.input_tokens),
        ("cache_creation_input_tokens", counts.cache_creation_input_tokens),
        ("cache_read_input_tokens", counts.cache_read_input_tokens),
        ("output_tokens", counts.output_tokens),
        ("total_tokens", counts.tokens()),
        ("unread", counts.unread),
    ];
    numbers.into_iter().map(|(key, number)| (key.to_owned(), number.into())).collect()
}
