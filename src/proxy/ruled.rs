//! A session's policy on the wire: the manifest's rules, asked about each request, and then what it is lent.

use super::denials::Rule;
use super::judge::{Asked, Judge, Observer, Refusal, Verdict};
use super::lending::{Answer, Lent};
use super::meter::Meter;
use super::rules::{Broken, Request, Rules, Ruling};
use crate::credential::swap::Misplaced;
use hyper::StatusCode;
use hyper::header::ACCEPT;
use serde_json::json;
use std::sync::Arc;

/// Rules that judge.
#[derive(Debug)]
pub struct Ruled {
    rules: Rules,
    lent: Option<Lent>,
    meter: Option<Arc<Meter>>,
}

impl Ruled {
    /// A session's rules, with nothing lent.
    pub fn new(rules: Rules) -> Self {
        Self { rules, lent: None, meter: None }
    }

    /// A session's rules, and what it is lent.
    pub fn lending(rules: Rules, lent: Lent) -> Self {
        Self { rules, lent: Some(lent), meter: None }
    }

    /// The same, with what it asks of a model counted, and held against its budget.
    #[must_use]
    pub fn counting(self, meter: Arc<Meter>) -> Self {
        Self { meter: Some(meter), ..self }
    }
}

impl Ruled {
    /// What the rules say, by the request's own method and each that a header names.
    fn ruling(&self, asked: &Asked<'_>) -> Ruling {
        let Asked { host, path, query, .. } = *asked;
        let ruling = |method: &str| self.rules.rule(&Request { host, method, path, query });
        let others = asked.overriding().map(|method| ruling(&method));
        let refused = others.into_iter().find(|ruling| matches!(ruling, Ruling::Refuse(_)));
        refused.unwrap_or_else(|| ruling(asked.method.as_str()))
    }
}

impl Judge for Ruled {
    fn judge(&self, asked: &Asked<'_>) -> Verdict {
        match self.ruling(asked) {
            Ruling::Pass => {}
            Ruling::Tunnel => return Verdict::Tunnel,
            Ruling::Refuse(broken) => return Verdict::Refuse(refused(asked, &broken)),
        }
        let Some(lent) = &self.lent else { return Verdict::Pass };
        let stand_in = self.rules.hosts.get(asked.host).is_some_and(|host| host.address.is_some());
        match lent.answer(asked, stand_in) {
            Answer::Verdict(verdict) => verdict,
            Answer::Misplaced(Misplaced { rule, place, says, help }) => {
                Verdict::Refuse(refused(asked, &Broken { rule, place, says, help }))
            }
        }
    }

    fn observe(&self, asked: &Asked<'_>) -> Result<Option<Arc<dyn Observer>>, Refusal> {
        self.meter.as_ref().map_or(Ok(None), |meter| meter.begin(asked))
    }

    fn still(&self, asked: &Asked<'_>, credential: Option<&str>) -> bool {
        let lent = |name| self.lent.as_ref().is_some_and(|lent| lent.lends(name, asked));
        !matches!(self.ruling(asked), Ruling::Refuse(_)) && credential.is_none_or(lent)
    }
}

/// The answer, with its rule for the count of refusals.
fn refused(asked: &Asked<'_>, broken: &Broken) -> Refusal {
    refusal(asked, broken).of(Rule { rule: broken.rule.clone(), place: broken.place.clone() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::project::{Access, Host, HostAccess, Rule};
    use hyper::header::HeaderMap;
    use hyper::{Method, header::HeaderName};

    #[test]
    fn a_method_that_a_header_names_is_judged_as_well() {
        let host = |access, methods: Option<Vec<String>>| Host {
            rules: vec![Rule { access, methods, paths: None }],
            ..Host::default()
        };
        let hosts = [
            ("reading.dev".to_owned(), host(HostAccess::ReadOnly, None)),
            ("posting.dev".to_owned(), host(HostAccess::ReadWrite, Some(vec!["POST".to_owned()]))),
        ];
        let ruled = Ruled::new(Rules { access: Access::ReadWrite, hosts: hosts.into(), ..Rules::default() });
        for header in ["x-http-method-override", "x-http-method", "x-method-override"] {
            for (host, method, other, passes) in [
                ("reading.dev", Method::GET, "DELETE", false),
                ("reading.dev", Method::GET, " put ", false),
                ("reading.dev", Method::GET, "GET, DELETE", false),
                ("reading.dev", Method::GET, "HEAD", true),
                ("posting.dev", Method::POST, "delete", false),
                ("posting.dev", Method::POST, "POST", true),
                ("free.dev", Method::POST, "DELETE", true),
            ] {
                let name: HeaderName = header.parse().unwrap();
                let headers = HeaderMap::from_iter([(name, other.parse().unwrap())]);
                let asked = Asked {
                    secure: true,
                    host,
                    port: 443,
                    method: &method,
                    path: "/",
                    query: None,
                    headers: &headers,
                };
                let passed = matches!(ruled.judge(&asked), Verdict::Pass);
                assert_eq!(passed, passes, "{header}: {other} on {method} {host}");
            }
        }
    }
}
