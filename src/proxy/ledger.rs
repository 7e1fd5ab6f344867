//! Pure. What a session has asked of its model so far, by conversation and by day, and whether its budget is spent.

use super::usage::Counts;
use crate::manifest::project::{Budget, Period};
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Conversations that are told apart; the sum has all.
const APART: usize = 100;

/// What a session has asked for so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// In all.
    pub total: Counts,
    /// By conversation, the newest ones.
    pub conversations: BTreeMap<u32, Counts>,
    /// The conversation that it has.
    pub conversation: u32,
    /// On the day of the last count, which is so many days after 1970 began.
    pub today: Counts,
    day: i64,
    /// Whether a request was refused since the budget is spent, and none passed since.
    pub waiting: bool,
}

/// Why no further request is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Which key of the manifest says so.
    pub key: &'static str,
    /// What is counted.
    pub what: &'static str,
    /// How much was used.
    pub used: u64,
    /// Of how much.
    pub limit: u64,
    /// When the budget begins anew.
    pub per: Period,
}

impl Spent {
    /// The same in words.
    pub fn words(&self) -> String {
        let whose = match self.per {
            Period::Conversation => "this conversation",
            Period::Day => "this day",
        };
        format!("the budget of {whose} is spent: {} of {} {}", self.used, self.limit, self.what)
    }
}

impl Ledger {
    /// It is this day now. A clock that was put back by less than a day begins none.
    pub fn turn(&mut self, today: Date) {
        let today = days(today);
        if today > self.day || today < self.day - 1 {
            (self.day, self.today) = (today, Counts::default());
        }
    }

    /// What counts against a budget.
    pub fn used(&self, per: Period) -> Counts {
        match per {
            Period::Conversation => self.conversations.get(&self.conversation).copied().unwrap_or_default(),
            Period::Day => self.today,
        }
    }

    /// Whether a budget is spent.
    pub fn spent(&self, budget: &Budget) -> Option<Spent> {
        let (used, per) = (self.used(budget.per), budget.per);
        let limits = [
            ("budget.tokens", "tokens", used.tokens(), budget.tokens),
            ("budget.requests", "requests", used.requests, budget.requests),
        ];
        limits.into_iter().find_map(|(key, what, used, limit)| {
            let limit = limit.filter(|limit| used >= *limit)?;
            Some(Spent { key, what, used, limit, per })
        })
    }

    /// Adds to a conversation, to this day and to all.
    pub fn add(&mut self, conversation: u32, more: Counts) {
        self.total += more;
        self.today += more;
        *self.conversations.entry(conversation).or_default() += more;
        while self.conversations.len() > APART {
            self.conversations.pop_first();
        }
    }

    /// Takes back a request that was not passed on after all.
    pub fn take_back(&mut self, conversation: u32) {
        let one = Counts { requests: 1, ..Counts::default() };
        self.total -= one;
        self.today -= one;
        *self.conversations.entry(conversation).or_default() -= one;
    }
}

/// Days since 1970 began.
fn days(day: Date) -> i64 {
    day.duration_since(date(1970, 1, 1)).as_hours() / 24
}

/// How much is used of a budget, in hundredths; of its limits the one that is nearest.
pub fn percent(used: &Counts, budget: &Budget) -> Option<u64> {
    let part = |used: u64, limit: u64| u128::from(used) * 100 / u128::from(limit.max(1));
    let tokens = budget.tokens.map(|limit| part(used.tokens(), limit));
    let requests = budget.requests.map(|limit| part(used.requests, limit));
    let most = tokens.into_iter().chain(requests).max()?;
    Some(u64::try_from(most).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(input_tokens: u64) -> Counts {
        Counts { input_tokens, ..Counts::default() }
    }

    fn request() -> Counts {
        Counts { requests: 1, ..Counts::default() }
    }

    #[test]
    fn a_day_begins_anew_and_a_clock_that_is_put_back_is_no_way_around() {
        let mut ledger = Ledger::default();
        let day = |day| date(2026, 11, day);
        ledger.turn(day(29));
        ledger.add(1, tokens(70));
        for (now, expected) in [
            (day(29), 70),
            // Put back by an hour at midnight, as by a day.
            (day(28), 70),
            (day(29), 70),
            (day(30), 0),
            (day(29), 0),
        ] {
            ledger.turn(now);
            assert_eq!(ledger.today.tokens(), expected, "{now}");
        }
        ledger.add(1, tokens(5));
        ledger.turn(date(2031, 1, 1));
        ledger.add(1, tokens(9));
        // It was wrong for a moment: that must not stop the count for years.
        ledger.turn(day(30));
        assert_eq!((ledger.today, ledger.total.tokens()), (Counts::default(), 84));
        ledger.turn(date(1969, 12, 31));
        assert_eq!(ledger.day, -1);
    }

    #[test]
    fn a_budget_is_of_a_conversation_or_of_a_day() {
        let mut ledger = Ledger { conversation: 1, ..Ledger::default() };
        ledger.turn(date(2026, 11, 30));
        let of_talk = Budget { tokens: Some(100), requests: Some(2), per: Period::Conversation };
        let of_day = Budget { per: Period::Day, ..of_talk };
        let key =
            |ledger: &Ledger, budget: &Budget| ledger.spent(budget).map(|spent| (spent.key, spent.used));
        ledger.add(1, request());
        ledger.add(1, tokens(99));
        assert_eq!((key(&ledger, &of_talk), key(&ledger, &of_day)), (None, None));
        ledger.add(1, Counts { output_tokens: 3, ..Counts::default() });
        assert_eq!(key(&ledger, &of_talk), Some(("budget.tokens", 102)));
        ledger.conversation = 2;
        assert_eq!((key(&ledger, &of_talk), key(&ledger, &of_day)), (None, Some(("budget.tokens", 102))));
        ledger.turn(date(2026, 12, 1));
        assert_eq!(key(&ledger, &of_day), None);
        ledger.add(2, request());
        ledger.add(2, request());
        assert_eq!(key(&ledger, &of_talk), Some(("budget.requests", 2)));
        ledger.take_back(2);
        assert_eq!((key(&ledger, &of_talk), ledger.total.requests), (None, 2));
        assert_eq!(ledger.spent(&Budget::default()), None);
    }

    #[test]
    fn what_comes_late_is_counted_where_it_belongs_and_old_talks_are_one_sum() {
        let mut ledger = Ledger { conversation: 200, ..Ledger::default() };
        for conversation in 1..=200 {
            ledger.add(conversation, tokens(1));
        }
        ledger.add(150, tokens(u64::MAX));
        assert_eq!((ledger.conversations.len(), ledger.total.tokens()), (APART, u64::MAX));
        assert_eq!((ledger.conversations[&150].tokens(), ledger.conversations[&151].tokens()), (u64::MAX, 1));
    }

    #[test]
    fn what_is_kept_is_read_again_also_by_another_release() {
        let mut ledger = Ledger { conversation: 3, waiting: true, ..Ledger::default() };
        ledger.turn(date(2026, 11, 30));
        ledger.add(3, tokens(7));
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
        let other: Ledger =
            serde_json::from_str(r#"{"total": {"requests": 4, "dollars": 1}, "more": []}"#).unwrap();
        assert_eq!(other.total.requests, 4);
    }

    #[test]
    fn the_nearest_limit_counts() {
        let used = Counts { requests: 1, input_tokens: 30, output_tokens: 20, ..Counts::default() };
        let budget = |tokens, requests| Budget { tokens, requests, per: Period::Day };
        assert_eq!(percent(&used, &budget(Some(100), None)), Some(50));
        assert_eq!(percent(&used, &budget(Some(100), Some(1))), Some(100));
        assert_eq!(percent(&used, &budget(None, None)), None);
        assert_eq!(
            percent(&Counts { input_tokens: u64::MAX, ..used }, &budget(Some(1), None)),
            Some(u64::MAX)
        );
    }
}
