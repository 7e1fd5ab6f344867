//! One request and its answer: checked, judged, sent on, streamed back, and written down.

use super::agree::{Place, check};
use super::audit::Entry;
use super::body::{self, Body, DRAINED, DRAINED_OF_MODEL, refuse};
use super::caller::Caller;
use super::headers::{self, onward, strip};
use super::judge::{Asked, Injection, Loan, Observer, Refusal, Verdict};
use super::lent;
use super::mask::Mask;
use super::refusal::{unanswered, unreached};
use super::serve::Next;
use super::under_way::{CHANGED, UnderWay};
use super::websocket;
use hyper::body::Incoming;
use hyper::header::EXPECT;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Version};
use std::sync::Arc;
use std::time::Duration;

/// How long an upstream may think before its answer begins.
pub(super) const THOUGHT: Duration = Duration::from_secs(600);

/// Answers a request that came in on a connection for a place.
pub(super) async fn answer(
    request: Request<Incoming>,
    place: Arc<Place>,
    caller: Arc<Caller>,
    next: Next,
) -> Response<Body> {
    let mut entry = caller.begin(request.method().to_string(), Some(request.uri().path().to_owned()));
    entry.line.host.clone_from(&place.host);
    entry.line.port = place.port;
    let (parts, body) = request.into_parts();
    if let Err(refusal) = check(&place, &parts) {
        return turn_away(&mut entry, refusal, &parts, (body, DRAINED)).await;
    }
    pass(Request::from_parts(parts, body), place, &caller, entry, &next).await
}

/// Passes a request on whose destination is settled.
pub(super) async fn pass(
    request: Request<Incoming>,
    place: Arc<Place>,
    caller: &Arc<Caller>,
    mut entry: Entry,
    next: &Next,
) -> Response<Body> {
    entry.place = caller.place();
    if entry.place.is_none() {
        return refuse(&mut entry, crowded());
    }
    if request.method() == Method::TRACE {
        return refuse(&mut entry, no_trace());
    }
    let terms = caller.terms();
    let (mut parts, body) = request.into_parts();
    let asked = asked(&place, &parts);
    let mut loan = None;
    let injection = match terms.judge.judge(&asked) {
        Verdict::Pass | Verdict::Tunnel => None,
        Verdict::Inject(injection) => Some(injection),
        Verdict::Lend(lent) => {
            loan = Some(lent);
            None
        }
        Verdict::Refuse(refusal) => return turn_away(&mut entry, refusal, &parts, (body, DRAINED)).await,
    };
    let observer = match terms.judge.observe(&asked) {
        Ok(observer) => observer,
        Err(refusal) => return turn_away(&mut entry, refusal, &parts, (body, DRAINED_OF_MODEL)).await,
    };
    let model = terms.policy.host(&place.host).is_some_and(|host| host.model);
    let websocket = headers::wants_websocket(&parts);
    if websocket && model {
        return refuse(&mut entry, no_websocket());
    }
    let mut exchange = UnderWay::new(caller, &place, Arc::clone(&terms), &parts);
    exchange.asking = (model && is_turn(parts.uri.path())).then(|| caller.ask());
    let version = parts.version;
    if onward(&mut parts, &place).is_none() {
        return refuse(
            &mut entry,
            Refusal::plain(StatusCode::BAD_REQUEST, "the URL is odd", "the URL is odd\n"),
        );
    }
    if model {
        headers::ask_uncompressed(&mut parts.headers);
    }
    if let Some(injection) = injection {
        inject(&mut parts, injection, &mut entry);
    }
    let lent = match loan {
        None => None,
        Some(loan) => match loan.lender.lend().await {
            Ok(lent) => {
                let Loan { credential, lender } = loan;
                let headers = lent.headers.clone();
                exchange.credential = Some(credential.clone());
                inject(&mut parts, Injection { credential, headers }, &mut entry);
                Some((lender, lent))
            }
            Err(refusal) => return refuse(&mut entry, refusal),
        },
    };
    let request = Request::from_parts(parts, body);
    if websocket {
        let mask = lent.as_ref().map(|(_, lent)| Mask::of(lent));
        return websocket::open(request, mask, exchange, entry, next).await;
    }
    if let Some(observer) = &observer {
        observer.begins();
    }
    let sending = Sending { exchange: Arc::new(exchange), http2: version == Version::HTTP_2, observer };
    match lent {
        Some(lent) => lent::send(request, lent, &sending, entry).await,
        None => send(request, &sending, entry).await,
    }
}

/// How a request is sent on.
pub(super) struct Sending {
    pub exchange: Arc<UnderWay>,
    /// Whether it came by HTTP/2: then it goes on by it where the upstream knows it.
    pub http2: bool,
    pub observer: Option<Arc<dyn Observer>>,
}

/// Refuses a request whose body may be under way. One that waits for a word to begin gets none.
async fn turn_away(
    entry: &mut Entry,
    refusal: Refusal,
    parts: &Parts,
    (body, most): (Incoming, (usize, Duration)),
) -> Response<Body> {
    if !parts.headers.contains_key(EXPECT) {
        body::drain(body, most).await;
    }
    refuse(entry, refusal)
}

async fn send(request: Request<Incoming>, sending: &Sending, mut entry: Entry) -> Response<Body> {
    let request = request.map(|body| sending.body(body, &entry));
    match sending.ask(request).await {
        Ok(response) => sending.back(response, entry),
        Err(refusal) => refuse(&mut entry, refusal),
    }
}

impl Sending {
    /// A request's body as it is sent.
    pub fn body(&self, body: Incoming, entry: &Entry) -> Body {
        body::sent(body, Arc::clone(&self.exchange), entry.bytes_in.clone(), self.observer.clone())
    }

    /// Sends a request and waits for its answer to begin.
    pub async fn ask(&self, request: Request<Body>) -> Result<Response<Incoming>, Refusal> {
        let (upstreams, host) = (&self.exchange.terms.upstreams, &self.exchange.place.host);
        let asked = tokio::time::timeout(THOUGHT, upstreams.send(request, self.http2));
        let asked = tokio::select! {
            biased;
            asked = asked => asked,
            () = self.exchange.forbidden() => return Err(changed()),
        };
        match asked {
            Ok(Ok(response)) if !response.status().is_informational() => Ok(response),
            Ok(Ok(_)) => Err(unanswered(host, "switched to what was not asked for")),
            Ok(Err(error)) => Err(unreached(host, &error)),
            Err(_) => Err(late()),
        }
    }

    /// The answer as the container is to see it.
    pub fn back(&self, response: Response<Incoming>, entry: Entry) -> Response<Body> {
        if let Some(observer) = &self.observer {
            observer.answered(response.status(), response.headers());
        }
        back(response, &self.exchange, entry, self.observer.clone())
    }
}

/// An answer as the container is to see it.
pub(super) fn back(
    response: Response<Incoming>,
    exchange: &Arc<UnderWay>,
    mut entry: Entry,
    observer: Option<Arc<dyn Observer>>,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    strip(&mut parts.headers);
    entry.line.status = parts.status.as_u16();
    // The connection to the container says its own.
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    Response::from_parts(parts, body::received(body, Arc::clone(exchange), entry, observer))
}

/// Whether a request to a model's host is a turn of a conversation; agents ask it for settings too, and tell it much.
fn is_turn(path: &str) -> bool {
    ["/messages", "/responses", "/chat/completions"].iter().any(|end| path.ends_with(end))
}

fn changed() -> Refusal {
    let words = format!("clauderon: {CHANGED} while the destination was waited for\n");
    Refusal::plain(StatusCode::FORBIDDEN, CHANGED, words)
}

pub(super) fn late() -> Refusal {
    let reason = format!("did not answer within {} s", THOUGHT.as_secs());
    let words = format!("clauderon: the destination {reason}\n");
    Refusal::plain(StatusCode::GATEWAY_TIMEOUT, reason, words)
}

fn asked<'a>(place: &'a Place, parts: &'a Parts) -> Asked<'a> {
    Asked {
        secure: place.secure,
        host: &place.host,
        port: place.port,
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
    }
}

/// Sets what the policy sets. Values that open something are marked, so that they stand in no table and no text.
fn inject(parts: &mut Parts, injection: Injection, entry: &mut Entry) {
    for (name, mut value) in injection.headers {
        value.set_sensitive(true);
        parts.headers.insert(name, value);
    }
    entry.line.decision = "inject";
    entry.line.credential = Some(injection.credential);
}

/// Its answer is the request as it arrived, with all that was set on the way.
fn no_trace() -> Refusal {
    let words = "clauderon: TRACE is not passed on: it would show what the proxy has set\n";
    Refusal::plain(StatusCode::METHOD_NOT_ALLOWED, "TRACE shows what was set on the way", words)
}

fn crowded() -> Refusal {
    Refusal::plain(
        StatusCode::TOO_MANY_REQUESTS,
        "too many requests at once",
        "clauderon: this session has too many requests under way: let some end first\n",
    )
}

fn no_websocket() -> Refusal {
    Refusal::plain(
        StatusCode::UPGRADE_REQUIRED,
        "a model is asked over plain HTTP",
        "clauderon: no WebSocket to a model, whose usage is counted on the way: ask with POST\n",
    )
}
