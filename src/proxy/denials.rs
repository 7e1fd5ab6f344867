//! Refusals of one session, counted one by one and told in few words: an agent that is refused ten thousand times a second
//! floods no store. Who tells them decides how often.

use super::audit::Line;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Refusals that are told apart; the rest is one number.
const APART: usize = 16;

/// A rule that a request broke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The key of the manifest, such as `proxy.hosts."*"`.
    pub rule: String,
    /// Where it stands, such as `clauderon.yaml:12`; empty for what holds by default.
    pub place: String,
}

/// The refusals of a session.
#[derive(Debug, Default)]
pub struct Denials {
    total: AtomicU64,
    untold: Mutex<Untold>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Untold {
    apart: BTreeMap<(String, String), (u64, Value)>,
    rest: u64,
}

impl Denials {
    /// Goes on from a number that was kept.
    pub fn after(total: u64) -> Self {
        Self { total: total.into(), ..Self::default() }
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts one, as it stands in the log: what is told of it holds no more than that.
    pub fn add(&self, line: &Line, rule: Option<&Rule>) {
        self.total.fetch_add(1, Ordering::Relaxed);
        let mut untold = self.untold();
        let key = (line.host.clone(), rule.map(|rule| rule.rule.clone()).unwrap_or_default());
        if let Some((count, _)) = untold.apart.get_mut(&key) {
            *count += 1;
        } else if untold.apart.len() < APART {
            untold.apart.insert(key, (1, data(line, rule)));
        } else {
            untold.rest += 1;
        }
        drop(untold);
        self.news.notify_one();
    }

    /// Waits until there is something to tell.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// What is to be told, each with its number; it is told once.
    pub fn take(&self) -> Vec<Value> {
        let Untold { apart, rest } = std::mem::take(&mut *self.untold());
        let counted = |(count, mut data): (u64, Value)| {
            data["count"] = count.into();
            data
        };
        let mut told: Vec<Value> = apart.into_values().map(counted).collect();
        if rest > 0 {
            let reason = "further hosts and rules, not told apart";
            let empty = Value::Null;
            told.push(json!({
                "host": empty, "method": empty, "rule": empty, "place": empty, "reason": reason, "count": rest,
            }));
        }
        told
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn data(line: &Line, rule: Option<&Rule>) -> Value {
    let place = rule.map(|rule| rule.place.as_str()).filter(|place| !place.is_empty());
    json!({
        "host": line.host,
        "method": line.method,
        "rule": rule.map(|rule| &rule.rule),
        "place": place,
        "reason": line.reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(host: String) -> Line {
        Line { host, method: "GET".to_owned(), ..Line::default() }
    }

    #[test]
    fn many_are_one_with_a_number_and_hosts_without_end_are_few() {
        let denials = Denials::after(5);
        let rule = Rule { rule: "proxy.hosts.\"*\"".to_owned(), place: "clauderon.yaml:3".to_owned() };
        for _ in 0..10_000 {
            denials.add(&line("a.example".to_owned()), Some(&rule));
        }
        for number in 0..10_000 {
            denials.add(&line(format!("{number}.example")), None);
        }
        assert_eq!(denials.total(), 20_005);
        let told = denials.take();
        assert_eq!(told.len(), APART + 1);
        let first = told.iter().find(|data| data["host"] == "a.example").unwrap();
        assert_eq!((&first["count"], &first["place"]), (&10_000.into(), &"clauderon.yaml:3".into()));
        let sum: u64 = told.iter().map(|data| data["count"].as_u64().unwrap()).sum();
        assert_eq!(sum, 20_000);
        assert!(denials.take().is_empty(), "each is told once");
    }
}
