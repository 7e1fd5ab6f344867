//! Counts what one session asks of its model, as the answers go by, and holds it against the session's budget. Of a body
//! nothing is kept, and nobody waits: what is to be written down and told is left to the daemon.

use super::asks;
use super::judge::{Asked, Observer, Refusal};
use super::ledger::{Ledger, Spent};
use super::usage::{Counts, Form, Reader};
use crate::manifest::project::{Budget, Period};
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use jiff::ZonedDateTime;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Requests to the model at once under a budget of tokens: it is passed by no more than these come to.
const MOST: usize = 32;
/// A session that is refused again and again is told of no more often.
const AGAIN: Duration = Duration::from_secs(60);

/// What is to be told of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A request was refused, since the budget is spent.
    Spent(Value),
    /// Requests pass again.
    Raised(Value),
}

/// The count of one session.
#[derive(Debug, Default)]
pub struct Meter {
    inner: Mutex<Inner>,
    news: Notify,
    /// Held by who writes the count down: an older one never comes last.
    pub keeping: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    ledger: Ledger,
    budget: Budget,
    under_way: usize,
    untold: Vec<News>,
    told: Option<Instant>,
}

impl Meter {
    /// Goes on from what was kept.
    pub fn after(ledger: Ledger) -> Self {
        Self { inner: Mutex::new(Inner { ledger, ..Inner::default() }), ..Self::default() }
    }

    /// Has this budget hold from the next request on, in this conversation.
    pub fn limit(&self, budget: Budget, conversation: u32) {
        let mut inner = self.inner();
        (inner.budget, inner.ledger.conversation) = (budget, conversation);
        inner.turn();
        drop(inner);
        self.news.notify_one();
    }

    /// The day may have changed.
    pub fn look(&self) {
        self.inner().turn();
        self.news.notify_one();
    }

    /// What was counted.
    pub fn ledger(&self) -> Ledger {
        let mut inner = self.inner();
        inner.ledger.turn(ZonedDateTime::now().date());
        inner.ledger.clone()
    }

    /// Waits until there is something to write down or to tell.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// What is to be told; it is told once.
    pub fn take(&self) -> Vec<News> {
        std::mem::take(&mut self.inner().untold)
    }

    /// How long until a session that waits has a new day; nothing where it waits for none.
    pub fn until_midnight(&self) -> Option<Duration> {
        let inner = self.inner();
        let waits = inner.ledger.waiting && inner.budget.per == Period::Day;
        waits.then(|| until_midnight(&ZonedDateTime::now()))
    }

    /// Begins one more request, where it asks a model and the budget leaves one.
    pub fn begin(self: &Arc<Self>, asked: &Asked<'_>) -> Result<Option<Arc<dyn Observer>>, Refusal> {
        if !asks::asks(asked) {
            return Ok(None);
        }
        let begun = self.inner().begin();
        self.news.notify_one();
        match begun {
            Ok(conversation) => {
                let meter = Arc::clone(self);
                Ok(Some(Arc::new(Exchange { meter, conversation, seen: Mutex::default() })))
            }
            Err(Some(spent)) => Err(asks::spent(asked, &spent)),
            Err(None) => Err(asks::crowded(asked, MOST)),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// It is today; a session that waited may go on.
    fn turn(&mut self) {
        self.ledger.turn(ZonedDateTime::now().date());
        if self.ledger.waiting && self.ledger.spent(&self.budget).is_none() {
            self.ledger.waiting = false;
            let message = "requests to the model pass again";
            self.untold.push(News::Raised(json!({ "message": message, "budget": self.budget })));
        }
    }

    /// Answers the conversation of a request that may pass, or why it may not: the budget, or too many at once.
    fn begin(&mut self) -> Result<u32, Option<Spent>> {
        self.turn();
        if let Some(spent) = self.ledger.spent(&self.budget) {
            self.wait(&spent);
            return Err(Some(spent));
        }
        if self.budget.tokens.is_some() && self.under_way >= MOST {
            return Err(None);
        }
        self.under_way += 1;
        let conversation = self.ledger.conversation;
        self.ledger.add(conversation, Counts { requests: 1, ..Counts::default() });
        Ok(conversation)
    }

    fn wait(&mut self, spent: &Spent) {
        let news = !self.ledger.waiting || self.told.is_none_or(|told| told.elapsed() >= AGAIN);
        self.ledger.waiting = true;
        if news {
            self.told = Some(Instant::now());
            let Spent { key, used, limit, per, .. } = spent;
            let message = format!("{}; `{key}` limits it", spent.words());
            let data = json!({ "message": message, "key": key, "used": used, "limit": limit, "per": per });
            self.untold.push(News::Spent(data));
        }
    }
}

/// How long it is until the next midnight.
fn until_midnight(now: &ZonedDateTime) -> Duration {
    let next = now.tomorrow().and_then(|next| next.start_of_day());
    let left = next.map(|next| now.duration_until(&next));
    left.ok().and_then(|left| left.try_into().ok()).unwrap_or(Duration::from_hours(1))
}

/// One request that counts.
struct Exchange {
    meter: Arc<Meter>,
    conversation: u32,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Whether the request was passed on.
    sent: bool,
    /// Whether it was granted.
    granted: bool,
    reader: Option<Reader>,
    counted: Option<Counts>,
}

impl Exchange {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Exchange {
    fn begins(&self) {
        self.seen().sent = true;
    }

    fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        let mut seen = self.seen();
        seen.granted = status.is_success();
        seen.reader = form(headers).map(Reader::new);
    }

    fn received(&self, chunk: &[u8]) {
        let mut seen = self.seen();
        let Some(reader) = &mut seen.reader else { return };
        reader.read(chunk);
        let told = reader.told();
        if told == seen.counted {
            return;
        }
        let mut more = told.unwrap_or_default();
        more -= seen.counted.unwrap_or_default();
        seen.counted = told;
        drop(seen);
        self.meter.inner().ledger.add(self.conversation, more);
        self.meter.news.notify_one();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let (sent, unread) = {
            let seen = self.seen();
            (seen.sent, seen.granted && seen.counted.is_none())
        };
        let mut inner = self.meter.inner();
        inner.under_way -= 1;
        if !sent {
            inner.ledger.take_back(self.conversation);
        } else if unread {
            inner.ledger.add(self.conversation, Counts { unread: 1, ..Counts::default() });
        }
        drop(inner);
        self.meter.news.notify_one();
    }
}

/// How an answer is to be read; nothing where it cannot be.
fn form(headers: &HeaderMap) -> Option<Form> {
    let text = |name| {
        headers.get(name).map(|value: &hyper::header::HeaderValue| value.as_bytes().to_ascii_lowercase())
    };
    if text(CONTENT_ENCODING).is_some_and(|encoding| encoding != b"identity") {
        return None;
    }
    let kind = text(CONTENT_TYPE).unwrap_or_default();
    Some(if kind.starts_with(b"text/event-stream") { Form::Events } else { Form::Document })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Method;

    fn begin(meter: &Arc<Meter>) -> Result<Option<Arc<dyn Observer>>, Refusal> {
        let (headers, method) = (HeaderMap::new(), Method::POST);
        let (host, path) = ("api.anthropic.com", "/v1/messages");
        meter.begin(&Asked {
            secure: true,
            host,
            port: 443,
            method: &method,
            path,
            query: None,
            headers: &headers,
        })
    }

    fn json(name: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, name.parse().unwrap())])
    }

    const SPENT: bool = true;
    const RAISED: bool = false;

    fn kinds(meter: &Meter) -> Vec<bool> {
        meter.take().into_iter().map(|news| matches!(news, News::Spent(_))).collect()
    }

    #[test]
    fn an_answer_counts_as_it_comes_and_once() {
        let meter = Arc::new(Meter::default());
        meter.limit(Budget::default(), 4);
        let exchange = begin(&meter).unwrap().unwrap();
        exchange.begins();
        exchange.answered(StatusCode::OK, &json("text/event-stream; charset=utf-8"));
        exchange.received(b"data: {\"message\":{\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n");
        assert_eq!(meter.ledger().conversations[&4].tokens(), 11);
        // A conversation that began meanwhile has nothing of it.
        meter.limit(Budget::default(), 5);
        exchange.received(b"data: {\"usage\":{\"output_tokens\":5}}\n\n");
        exchange.received(b"data: {\"usage\":{\"output_tokens\":5}}\n\n");
        drop(exchange);
        let ledger = meter.ledger();
        let expected = Counts { requests: 1, input_tokens: 10, output_tokens: 5, ..Counts::default() };
        assert_eq!(
            (ledger.total, ledger.conversations[&4], ledger.used(Period::Conversation)),
            (expected, expected, Counts::default())
        );
    }

    #[test]
    fn what_cannot_be_read_is_a_request_without_tokens_and_what_was_never_sent_is_none() {
        let meter = Arc::new(Meter::default());
        let exchange = begin(&meter).unwrap().unwrap();
        assert_eq!(meter.ledger().total.requests, 1, "it has its place already");
        drop(exchange);
        assert_eq!(meter.ledger().total, Counts::default());
        let mut encoded = json("application/json");
        encoded.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        for (status, headers) in [
            (StatusCode::OK, encoded),
            (StatusCode::OK, json("text/html")),
            (StatusCode::TOO_MANY_REQUESTS, json("")),
        ] {
            let exchange = begin(&meter).unwrap().unwrap();
            exchange.begins();
            exchange.answered(status, &headers);
            exchange.received(b"nothing");
        }
        assert_eq!(meter.ledger().total, Counts { requests: 3, unread: 2, ..Counts::default() });
    }

    #[test]
    fn a_budget_that_is_spent_refuses_until_it_is_raised_and_is_told_once() {
        let meter = Arc::new(Meter::default());
        let of = |tokens, requests| Budget { tokens, requests, per: Period::Conversation };
        meter.limit(of(Some(20), Some(3)), 1);
        let under_way = begin(&meter).unwrap().unwrap();
        let exchange = begin(&meter).unwrap().unwrap();
        exchange.begins();
        exchange.answered(StatusCode::OK, &json("application/json"));
        exchange.received(b"{\"usage\":{\"input_tokens\":15,\"output_tokens\":5}}");
        let refusal = begin(&meter).err().unwrap();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        assert!(
            refusal.words.contains("20 of 20 tokens") && refusal.words.contains("`budget.tokens`"),
            "{}",
            refusal.words
        );
        assert!(begin(&meter).is_err());
        assert_eq!(kinds(&meter), [SPENT]);
        // What is under way is finished, and still counts.
        under_way.begins();
        under_way.answered(StatusCode::OK, &json("application/json"));
        under_way.received(b"{\"usage\":{\"output_tokens\":7}}");
        assert_eq!(meter.ledger().total.tokens(), 27);
        meter.limit(of(Some(27), Some(3)), 1);
        assert!(begin(&meter).is_err() && kinds(&meter).is_empty());
        meter.limit(of(Some(28), Some(3)), 1);
        assert_eq!(kinds(&meter), [RAISED]);
        begin(&meter).unwrap().unwrap().begins();
        let refusal = begin(&meter).err().unwrap();
        assert!(refusal.words.contains("3 of 3 requests"), "{}", refusal.words);
        // A new conversation has a budget of its own.
        meter.limit(of(Some(28), Some(3)), 2);
        assert_eq!(kinds(&meter), [SPENT, RAISED]);
        assert!(begin(&meter).is_ok());
    }

    #[test]
    fn many_at_once_never_pass_a_limit_of_requests_and_tokens_by_little() {
        let meter = Arc::new(Meter::default());
        meter.limit(Budget { requests: Some(100), ..Budget::default() }, 1);
        let passed = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let pass = || {
                            begin(&meter).is_ok_and(|exchange| exchange.inspect(|it| it.begins()).is_some())
                        };
                        (0..50).filter(|_| pass()).count()
                    })
                })
                .collect();
            all.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!((passed, meter.ledger().total.requests), (100, 100));
        meter.limit(Budget { tokens: Some(1), ..Budget::default() }, 2);
        let held: Vec<_> = (0..MOST).map(|_| begin(&meter).unwrap()).collect();
        assert_eq!(begin(&meter).err().unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
        drop(held);
        assert!(begin(&meter).is_ok());
    }

    #[test]
    fn what_was_kept_goes_on() {
        let meter = Arc::new(Meter::default());
        let budget = Budget { requests: Some(1), ..Budget::default() };
        meter.limit(budget, 1);
        begin(&meter).unwrap().unwrap().begins();
        assert!(begin(&meter).is_err());
        let kept = serde_json::to_string(&meter.ledger()).unwrap();
        let again = Arc::new(Meter::after(serde_json::from_str(&kept).unwrap()));
        again.limit(budget, 1);
        assert!(begin(&again).is_err());
        again.limit(Budget::default(), 1);
        assert_eq!(kinds(&again).last(), Some(&RAISED));
    }

    #[test]
    fn midnight_is_the_zones_own() {
        for (now, hours) in [
            ("2026-11-30T23:00:00+01:00[Europe/Berlin]", 1),
            // The day on which the clocks are put back has 25 hours.
            ("2026-10-25T00:00:00+02:00[Europe/Berlin]", 25),
            ("2026-11-30T12:00:00+00:00[UTC]", 12),
        ] {
            assert_eq!(until_midnight(&now.parse().unwrap()), Duration::from_hours(hours), "{now}");
        }
    }
}
