//! `events`: what agents, engine and clauderon report, in order.

use super::args::{Events, Format};
use super::context::Engine;
use super::{Code, context, output, status};
use crate::error::Error;
use crate::store::{Event, Filter};
use std::path::PathBuf;
use std::time::Duration;

/// How often a follower looks for more.
const INTERVAL: Duration = Duration::from_millis(50);

/// `clauderon events`.
pub async fn run(file: &[PathBuf], args: &Events) -> Result<Code, Error> {
    let engine = context::engine().await?;
    let ids = if args.all {
        None
    } else {
        let project = context::project(file)?;
        let mut ids: Vec<String> = context::chosen(&project, &args.sessions)?
            .iter()
            .map(|session| engine.id(&project, &session.name))
            .collect();
        if args.sessions.is_empty() {
            ids.extend(engine.of_project(&project).iter().map(|container| container.label("id").to_owned()));
        }
        Some(ids)
    };
    let mut filter = Filter { ids, after: 0, limit: 1000 };
    loop {
        let shown = show(&engine, &mut filter, args.format)?;
        if shown == 0 {
            if !args.follow {
                return Ok(0);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// Prints what is new for people, and moves the filter on.
pub fn show_new(engine: &Engine, filter: &mut Filter) -> Result<usize, Error> {
    show(engine, filter, Format::Text)
}

fn show(engine: &Engine, filter: &mut Filter, format: Format) -> Result<usize, Error> {
    let Some(reader) = status::reader(engine)? else { return Ok(0) };
    let events =
        reader.events(filter).map_err(|error| Error::failed("could not read the events").because(error))?;
    for event in &events {
        filter.after = event.seq;
        print(event, format);
    }
    Ok(events.len())
}

fn print(event: &Event, format: Format) {
    match format {
        Format::Json => output::data(&format!("{}\n", event.json())),
        Format::Text => output::data(&format!(
            "{}  {:<16} {:<10} {:<18} {}\n",
            event.time,
            event.session,
            event.source,
            event.kind,
            gist(event)
        )),
    }
}

/// An event in one short line, with its time of the day in UTC.
pub fn brief(event: &Event) -> String {
    let time = event.time.get(11..19).unwrap_or_default();
    format!("{time}Z  {:<12} {:<16} {}", event.session, event.kind, gist(event))
}

/// What is worth a glance in an event's data.
fn gist(event: &Event) -> String {
    let data = &event.data;
    let denied = (event.kind == "denied").then(|| {
        let of = |name: &str| data[name].as_str().unwrap_or("-");
        let times = data["count"].as_u64().filter(|count| *count > 1);
        let times = times.map(|count| format!(" ({count} times)")).unwrap_or_default();
        format!("{} {}{times}:", of("method"), of("host"))
    });
    let of = |name: &str| data.get(name).and_then(serde_json::Value::as_str).map(String::from);
    let command = data.pointer("/tool_input/command").and_then(serde_json::Value::as_str).map(String::from);
    let parts = [
        denied,
        of("credential"),
        of("tool_name"),
        command,
        of("prompt"),
        of("source"),
        of("reason"),
        of("last_assistant_message"),
        of("message"),
    ];
    let moved = data["moved"].as_array().map(|moved| {
        let one = |moved: &serde_json::Value| {
            let commits = moved["commits"].as_u64().unwrap_or(0);
            format!("{} +{commits}", moved["ref"].as_str().unwrap_or_default())
        };
        moved.iter().map(one).collect::<Vec<_>>().join(" ")
    });
    let code = data["exit_code"].as_i64().map(|code| format!("exit code {code}"));
    let parts = parts.into_iter().chain([moved, code, of("error")]);
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let line: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(90).collect();
    line
}
