//! A session's policy on the wire: the manifest's rules, asked about each request, and then what it is lent.

use super::denials::Rule;
use super::judge::{Asked, Judge, Refusal, Verdict};
use super::lending::{Answer, Lent};
use super::rules::{Broken, Request, Rules, Ruling};
use crate::credential::swap::Misplaced;
use hyper::StatusCode;
use hyper::header::ACCEPT;
use serde_json::json;

/// Headers that name another method than the request's own.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Rules that judge.
#[derive(Debug)]
pub struct Ruled {
    rules: Rules,
    lent: Option<Lent>,
}

impl Ruled {
    /// A session's rules, with nothing lent.
    pub fn new(rules: Rules) -> Self {
        Self { rules, lent: None }
    }

    /// A session's rules, and what it is lent.
    pub fn lending(rules: Rules, lent: Lent) -> Self {
        Self { rules, lent: Some(lent) }
    }
}

impl Judge for Ruled {
    fn judge(&self, asked: &Asked<'_>) -> Verdict {
        let Asked { host, path, query, .. } = *asked;
        let ruling = |method: &str| self.rules.rule(&Request { host, method, path, query });
        for method in overriding(asked) {
            if let Ruling::Refuse(broken) = ruling(&method) {
                return Verdict::Refuse(refused(asked, &broken));
            }
        }
        match ruling(asked.method.as_str()) {
            Ruling::Pass => {}
            Ruling::Tunnel => return Verdict::Tunnel,
            Ruling::Refuse(broken) => return Verdict::Refuse(refused(asked, &broken)),
        }
        let Some(lent) = &self.lent else { return Verdict::Pass };
        let stand_in = self.rules.hosts.get(host).is_some_and(|host| host.address.is_some());
        match lent.answer(asked, stand_in) {
            Answer::Verdict(verdict) => verdict,
            Answer::Misplaced(Misplaced { rule, place, says, help }) => {
                Verdict::Refuse(refused(asked, &Broken { rule, place, says, help }))
            }
        }
    }
}

/// The answer, with its rule for the count of refusals.
fn refused(asked: &Asked<'_>, broken: &Broken) -> Refusal {
    refusal(asked, broken).of(Rule { rule: broken.rule.clone(), place: broken.place.clone() })
}

/// The methods that many servers take a request for, whatever its own is.
fn overriding(asked: &Asked<'_>) -> Vec<String> {
    let values = OVERRIDES.iter().flat_map(|name| asked.headers.get_all(*name));
    // What is no text is no method, and fits no rule that names any.
    values.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_uppercase()).collect()
}

/// The answer to a request that breaks a rule: which one, where it stands, what to change.
fn refusal(asked: &Asked<'_>, broken: &Broken) -> Refusal {
    let Broken { rule, place, says, help } = broken;
    let at = if place.is_empty() { String::new() } else { format!(" ({place})") };
    let reason = format!("{rule}{at} is {says}");
    let what = format!("{} {}{}", asked.method, asked.host, asked.path);
    if wants_json(asked) {
        let message = format!("clauderon refused {what}: {reason}");
        let body = json!({"error": {"type": "refused", "message": message, "rule": rule, "place": place, "help": help}});
        let refusal = Refusal::plain(StatusCode::FORBIDDEN, reason, format!("{body}\n"));
        return Refusal { content_type: "application/json", ..refusal };
    }
    let words = format!("clauderon refused {what}\n  {reason}\n  {help}\n");
    Refusal::plain(StatusCode::FORBIDDEN, reason, words)
}

fn wants_json(asked: &Asked<'_>) -> bool {
    let accepts = asked.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.into_iter().any(|value| value.contains("json"))
}
