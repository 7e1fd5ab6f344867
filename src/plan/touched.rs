//! Pure. What was changed about a container since it was made, with the engine's own tools: its limits and its networks,
//! held against the fields that it was made from.

use super::action::Reason;
use super::observed::Container;
use crate::manifest::effect::Effect;
use crate::render::fields::Fields;
use std::collections::BTreeMap;

/// The name of the reason that a container is on other networks; no field of a manifest.
const NETWORK: &str = "network";

/// What can be changed about a container that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of memory; 0 is no limit.
    pub memory: i64,
    /// Billionths of a processor; 0 is no limit.
    pub nano_cpus: i64,
    /// Processes and threads; 0 or less is no limit.
    pub pids: i64,
    /// The networks that it is on, sorted.
    pub networks: Vec<String>,
    /// Whether the engine itself would start it again.
    pub restarts: bool,
}

/// What is otherwise than it was made: each field as it is now.
pub fn touched(container: &Container, now: &Settings) -> BTreeMap<String, String> {
    let made = container.fields();
    let mut touched = BTreeMap::new();
    let mut differs = |field: &str, made: Option<i64>, now: i64| {
        if made.is_some_and(|made| made != now.max(0)) {
            let text = if field == "resources.cpus" { cpus(now) } else { limit(now) };
            touched.insert(field.to_owned(), text);
        }
    };
    differs("resources.memory", number(&made, "resources.memory"), now.memory);
    differs("resources.pids", number(&made, "resources.pids"), now.pids);
    differs("resources.cpus", made.get("resources.cpus").and_then(|text| nano_cpus(text)), now.nano_cpus);
    let sealed = made.get("proxy.egress").is_some_and(|egress| egress == "sealed");
    let moved = if sealed { now.networks.iter().any(|it| it != "none") } else { now.networks.is_empty() };
    if moved {
        touched.insert(NETWORK.to_owned(), now.networks.join(" "));
    }
    touched
}

/// Why a container that was touched is replaced. What the manifest says otherwise too is among its own changes.
pub fn reasons(touched: &BTreeMap<String, String>, wanted: &Fields, known: &[Reason]) -> Vec<Reason> {
    let new = |field: &String| touched.contains_key(field) && known.iter().all(|it| it.field != *field);
    let to_be = |field: &String| match wanted.get(field) {
        Some(value) => value.clone(),
        None if wanted.get("proxy.egress").is_some_and(|egress| egress == "sealed") => "none".to_owned(),
        None => "bridge".to_owned(),
    };
    let reason = |(field, now): (&String, &String)| Reason {
        field: field.clone(),
        old: Some(now.clone()),
        new: Some(to_be(field)),
        effect: Some(Effect::Recreate),
    };
    touched.iter().filter(|(field, _)| new(field)).map(reason).collect()
}

fn number(made: &Fields, field: &str) -> Option<i64> {
    let text = made.get(field)?;
    if text.is_empty() { Some(0) } else { text.parse().ok() }
}

fn limit(now: i64) -> String {
    if now > 0 { now.to_string() } else { String::new() }
}

fn cpus(nano: i64) -> String {
    if nano <= 0 {
        return String::new();
    }
    let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Billionths, as `convert::nano_cpus` has them.
#[expect(clippy::cast_possible_truncation, reason = "the manifest bounds `cpus` far below 2^63 billionths")]
fn nano_cpus(text: &str) -> Option<i64> {
    if text.is_empty() { Some(0) } else { text.parse::<f64>().ok().map(|cpus| (cpus * 1e9) as i64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(fields: &[(&str, &str)]) -> Container {
        let fields: Fields =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = serde_json::to_string(&fields).unwrap();
        Container { labels: BTreeMap::from([("clauderon.fields".to_owned(), text)]), ..Container::default() }
    }

    const SEALED: [(&str, &str); 4] = [
        ("resources.memory", "1073741824"),
        ("resources.cpus", "1.5"),
        ("resources.pids", "1024"),
        ("proxy.egress", "sealed"),
    ];

    fn settings() -> Settings {
        let networks = vec!["none".to_owned()];
        Settings { memory: 1 << 30, nano_cpus: 1_500_000_000, pids: 1024, networks, restarts: false }
    }

    #[test]
    fn what_is_as_it_was_made_was_not_touched() {
        assert_eq!(touched(&made(&SEALED), &settings()), BTreeMap::new());
        let open = Settings { networks: vec!["bridge".to_owned(), "db".to_owned()], ..settings() };
        assert_eq!(touched(&made(&[("proxy.egress", "open")]), &open), BTreeMap::new());
        // A limit that there is none of is 0 to the engine.
        let none = [("resources.memory", ""), ("resources.cpus", "")];
        assert_eq!(touched(&made(&none), &Settings { memory: 0, nano_cpus: 0, ..open.clone() }).len(), 0);
        // What an older release did not write down is not compared.
        assert_eq!(touched(&made(&[]), &open), BTreeMap::new());
    }

    #[test]
    fn each_change_is_told_with_what_it_is_now() {
        for (now, field, text) in [
            (Settings { memory: 1 << 29, ..settings() }, "resources.memory", "536870912"),
            (Settings { memory: 0, ..settings() }, "resources.memory", ""),
            (Settings { nano_cpus: 250_000_000, ..settings() }, "resources.cpus", "0.25"),
            (Settings { pids: -1, ..settings() }, "resources.pids", ""),
            (Settings { networks: vec!["bridge".to_owned()], ..settings() }, "network", "bridge"),
        ] {
            let expected = BTreeMap::from([(field.to_owned(), text.to_owned())]);
            assert_eq!(touched(&made(&SEALED), &now), expected, "{now:?}");
        }
        let off = Settings { networks: Vec::new(), ..settings() };
        assert_eq!(touched(&made(&[("proxy.egress", "open")]), &off).len(), 1);
        assert_eq!(touched(&made(&SEALED), &off), BTreeMap::new(), "no network is no network");
    }

    #[test]
    fn a_reason_says_from_what_to_what_and_stands_once() {
        let wanted = made(&SEALED).fields();
        let both = BTreeMap::from([
            ("network".to_owned(), "bridge".to_owned()),
            ("resources.pids".to_owned(), "9".to_owned()),
        ]);
        let told: Vec<String> = reasons(&both, &wanted, &[]).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["network: bridge → none [recreate]", "resources.pids: 9 → 1024 [recreate]"]);
        let known = [Reason::observed("resources.pids")];
        assert_eq!(reasons(&both, &wanted, &known).len(), 1);
    }
}
