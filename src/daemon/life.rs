//! Pure. What is known of the runs of a session's container: a state that each piece of news changes, with the time passed
//! in. The daemon keeps it in a file, so that a wait, a stop and a failure outlive it.

use crate::plan::restart::{Cause, Ending, Millis, Next, Rules};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kill that the engine was asked for is the reason of an end within this time.
const GRACE: Millis = 60_000;

/// As long before it hangs up, an engine that is being stopped may end its containers.
const GOING: Millis = 15_000;
/// It asks them all at once.
const AT_ONCE: Millis = 3_000;

/// What is known of the runs of a session's container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Life {
    /// The container's id; all else is of this one.
    pub container: String,
    /// The name that it was seen to have last.
    pub name: String,
    /// Since when it runs, or when its last run began.
    pub began: Option<Millis>,
    /// When the first run began since the user had it started: new starts by its policy go on with that.
    pub first: Option<Millis>,
    /// How its last run ended; nothing while it runs.
    pub ended: Option<Ended>,
    /// New starts in a row, each after a short run.
    pub tries: u32,
    /// When it is started again.
    pub due: Option<Millis>,
    /// Whether it was tried often enough.
    pub gave_up: bool,
    /// Whether the user had it stopped through clauderon, and not started since.
    pub asked: bool,
    /// When that was.
    pub asked_at: Option<Millis>,
    /// Whether the user has had this run ended, through clauderon.
    pub ending: bool,
    /// When the engine was asked to kill it, in this run.
    pub killed: Option<Millis>,
    /// Whether its end is taken in once the engine is back, and was told already.
    pub open: bool,
    /// Whether the engine ended it for its own sake: that is no failure of the session's.
    pub spared: bool,
    /// Whether memory ran out in this run.
    pub oom: bool,
    /// Why it was stopped by the daemon, where it has lasted as long as it may.
    pub timeout: Option<String>,
    /// What keeps it from being started, in words.
    pub trouble: Option<String>,
    /// The last lines that it printed before it failed.
    pub lines: Vec<String>,
    /// When it was removed by somebody else.
    pub gone: Option<Millis>,
    /// What was changed about it with the engine's own tools: each field as it is now.
    pub changed: BTreeMap<String, String>,
    /// Whether the user has deleted its branch.
    pub branch_deleted: bool,
    /// The engine's number of the last event that was heard.
    pub heard: i64,
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Millis,
    /// Who ended it.
    pub cause: Cause,
    /// The exit code, where there is one.
    pub code: Option<i64>,
}

impl Life {
    /// The same session with another container.
    pub fn adopt(&mut self, container: &str, name: &str) {
        let (branch_deleted, heard) = (self.branch_deleted, self.heard);
        *self = Self { branch_deleted, ..Self::of(container, name, heard) };
    }

    /// Of a container that was not known.
    pub fn of(container: &str, name: &str, heard: i64) -> Self {
        Self { container: container.to_owned(), name: name.to_owned(), heard, ..Self::default() }
    }

    /// Whether it is thought to run.
    pub fn runs(&self) -> bool {
        self.began.is_some() && self.ended.is_none() && self.gone.is_none()
    }

    /// Whether a daemon has something to do about it, though its container does not run.
    pub fn expects(&self) -> bool {
        self.gone.is_none() && !self.asked && (self.due.is_some() || self.runs())
    }

    /// It runs. A stop that was asked for since then stands: the news of a start may come late.
    pub fn started(&mut self, at: Millis) {
        let asked_at = self.asked_at.filter(|asked| self.asked && *asked > at);
        let timeout = self.timeout.take().filter(|_| asked_at.is_some());
        let Self { container, name, first, tries, changed, branch_deleted, heard, .. } = std::mem::take(self);
        let kept = Self { container, name, tries, changed, branch_deleted, heard, ..Self::default() };
        let (asked, first) = (asked_at.is_some(), first.or(Some(at)));
        *self = Self { began: Some(at), first, asked, ending: asked, asked_at, timeout, ..kept };
    }

    /// The engine was asked to send it a signal.
    pub fn signalled(&mut self, at: Millis) {
        self.killed = Some(at);
    }

    /// It has ended, with a code; answers what is done about it.
    pub fn died(&mut self, code: i64, at: Millis, rules: Rules, now: Millis) -> Next {
        let by_hand = self.killed.is_some_and(|killed| (killed..=killed + GRACE).contains(&at));
        let cause = match (self.asked || self.ending, by_hand) {
            (true, _) => Cause::Asked,
            (false, true) => Cause::Engine,
            (false, false) => Cause::Itself(code),
        };
        let tries = self.tries;
        let next = self.end(Ended { at, cause, code: Some(code) }, rules, now);
        if self.spared {
            self.tries = tries;
        }
        next
    }

    /// The engine ended it as it went away itself: what comes of that is decided when it is back.
    pub fn reopen(&mut self) {
        (self.ended, self.killed, self.due) = (None, None, None);
        (self.open, self.spared) = (true, true);
    }

    /// It was to be started, and could not be.
    pub fn not_started(&mut self, why: &str, rules: Rules, now: Millis) -> Next {
        // Nothing ran meanwhile.
        self.began = Some(now);
        let next = self.end(Ended { at: now, cause: Cause::NotStarted, code: None }, rules, now);
        self.trouble = Some(why.to_owned());
        next
    }

    fn end(&mut self, ended: Ended, rules: Rules, now: Millis) -> Next {
        let lasted = self.began.map_or(0, |began| ended.at.saturating_sub(began));
        let ending = Ending { cause: ended.cause, lasted, at: ended.at, tries: self.tries };
        let next = rules.next(ending, now);
        (self.ended, self.due, self.gave_up) = (Some(ended), None, next == Next::GiveUp);
        if let Next::Start { at, tries } = next
            && self.gone.is_none()
        {
            (self.due, self.tries) = (Some(at), tries);
        }
        next
    }

    /// The engine says that it was stopped through it: an end that seemed to be its own was not. Answers whether that is
    /// news.
    pub fn stopped(&mut self) -> bool {
        let Some(ended) = self.ended.as_mut().filter(|ended| matches!(ended.cause, Cause::Itself(_))) else {
            return false;
        };
        ended.cause = if self.asked || self.ending { Cause::Asked } else { Cause::Engine };
        (self.due, self.gave_up) = (None, false);
        true
    }

    /// Nothing more is tried: it cannot be started, for a reason that time does not mend.
    pub fn hindered(&mut self, why: &str) {
        (self.due, self.gave_up, self.trouble) = (None, true, Some(why.to_owned()));
    }

    /// It was removed; answers whether nobody had asked for that.
    pub fn removed(&mut self, at: Millis) -> bool {
        (self.due, self.gone) = (None, Some(at));
        !self.asked && !self.ending
    }

    /// The user has it stopped, or removed. Whenever the engine tells of that, it is no news.
    pub fn stop_asked(&mut self, now: Millis) {
        (self.asked, self.asked_at, self.ending, self.due) = (true, Some(now), true, None);
    }

    /// It has lasted as long as it may, and is stopped as if the user had it so.
    pub fn timed_out(&mut self, why: &str, now: Millis) {
        self.stop_asked(now);
        self.timeout = Some(why.to_owned());
    }

    /// The user has it started: what went before counts no more.
    pub fn start_asked(&mut self) {
        (self.asked, self.due, self.gave_up, self.trouble, self.tries) = (false, None, false, None, 0);
        (self.first, self.timeout) = (None, None);
    }

    /// The engine or the daemon is back: one that was stopped with the engine's tools may start again.
    pub fn returned(&mut self, rules: Rules, now: Millis) -> bool {
        let stopped = self.ended.is_some_and(|ended| ended.cause == Cause::Engine);
        let starts = stopped && !self.asked && self.gone.is_none() && rules.returns();
        if starts {
            (self.due, self.gave_up) = (Some(now), false);
        }
        starts
    }

    /// When it is started again, as seen now: a clock that was put back makes no wait longer.
    pub fn due(&self, now: Millis) -> Option<Millis> {
        self.due.map(|due| due.min(now + crate::plan::restart::LONGEST))
    }
}

/// The sessions whose containers were ended by an engine that was being stopped and has hung up now. It ends all that run,
/// and at once; what somebody had stopped before stays stopped.
pub fn ended_by_engine(lives: &BTreeMap<String, Life>, at: Millis) -> Vec<String> {
    if lives.values().any(Life::runs) {
        return Vec::new();
    }
    let just_now =
        |life: &Life| life.ended.is_some_and(|ended| ended.cause == Cause::Engine && at - ended.at <= GOING);
    let killed = |life: &Life| life.killed.filter(|_| just_now(life));
    let Some(last) = lives.values().filter_map(killed).max() else { return Vec::new() };
    let together = |life: &Life| killed(life).is_some_and(|killed| killed >= last - AT_ONCE);
    lives.iter().filter(|(_, life)| together(life)).map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::project::Restart;
    use proptest::prelude::*;

    const RULES: Rules = Rules { policy: Restart::OnFailure(2), batch: false };
    const ALWAYS: Rules = Rules { policy: Restart::Always, batch: false };

    fn running() -> Life {
        let mut life = Life::of("c", "n", 0);
        life.started(0);
        life
    }

    fn cause(life: &Life) -> Cause {
        life.ended.unwrap().cause
    }

    #[test]
    fn who_ended_it_is_told_from_what_came_before() {
        let mut own = running();
        assert_eq!(own.died(1, 10, RULES, 10), Next::Start { at: 1_010, tries: 1 });
        assert!(own.expects() && cause(&own) == Cause::Itself(1));

        let mut killed = running();
        killed.signalled(5);
        assert_eq!(killed.died(137, 10, ALWAYS, 10), Next::Leave);
        assert_eq!((cause(&killed), killed.expects()), (Cause::Engine, false));
        assert!(killed.returned(ALWAYS, 20) && killed.due == Some(20));
        assert!(!killed.clone().returned(RULES, 20), "only `always` comes back");

        let mut asked = running();
        asked.stop_asked(0);
        asked.signalled(5);
        assert_eq!(asked.died(143, 10, ALWAYS, 10), Next::Leave);
        assert_eq!((cause(&asked), asked.returned(ALWAYS, 20)), (Cause::Asked, false));

        // A signal that did not end it is no reason for ever.
        let mut survived = running();
        survived.signalled(5);
        assert!(matches!(survived.died(1, GRACE + 6, RULES, GRACE + 6), Next::Start { .. }));
        // A stop with a long grace is told afterwards.
        assert!(survived.stopped() && survived.due.is_none() && cause(&survived) == Cause::Engine);
        assert!(!survived.stopped(), "once is enough");
    }

    #[test]
    fn tries_count_until_somebody_starts_it() {
        let mut life = running();
        for tries in 1..=2 {
            assert!(matches!(life.died(1, 10, RULES, 10), Next::Start { tries: told, .. } if told == tries));
            life.started(10);
        }
        assert_eq!(life.not_started("no disk", RULES, 20), Next::GiveUp);
        assert!(life.gave_up && !life.expects() && life.trouble.as_deref() == Some("no disk"));
        life.start_asked();
        life.started(30);
        assert_eq!((life.tries, life.gave_up, life.runs()), (0, false, true));
        assert!(matches!(life.died(1, 40, RULES, 40), Next::Start { tries: 1, .. }));
    }

    #[test]
    fn what_an_engine_ends_as_it_goes_is_nobodys_stop() {
        let killed = |at: Millis| {
            let mut life = running();
            life.signalled(at);
            life.died(143, at + 500, RULES, at + 500);
            life
        };
        assert_eq!(killed(10_000).tries, 0);
        let name = |(number, life): (usize, Life)| (number.to_string(), life);
        let all = |lives: Vec<Life>| lives.into_iter().enumerate().map(name).collect::<BTreeMap<_, _>>();
        // Somebody stopped the first; the engine ended the two others.
        let lives = all(vec![killed(9_000), killed(13_000), killed(14_200)]);
        assert_eq!(ended_by_engine(&lives, 15_000), ["1", "2"]);
        assert_eq!(ended_by_engine(&lives, 14_700 + GOING + 1), Vec::<String>::new(), "it hung up later");
        // An engine that only hangs up leaves the others running.
        let lives = all(vec![killed(14_000), running()]);
        assert_eq!(ended_by_engine(&lives, 15_000), Vec::<String>::new());
        let mut life = killed(14_000);
        life.reopen();
        assert!(life.runs() && matches!(life.died(143, 20_000, RULES, 20_000), Next::Start { .. }));
        assert_eq!(life.tries, 0, "it is no failure of the session's");
    }

    #[test]
    fn what_was_removed_is_not_started() {
        let mut life = running();
        life.died(1, 10, RULES, 10);
        assert!(life.removed(20), "nobody had asked for it");
        assert!(!life.expects() && life.due.is_none() && !life.returned(ALWAYS, 30));
        let mut asked = running();
        asked.stop_asked(0);
        assert!(!asked.removed(20));
    }

    #[test]
    fn a_timeout_is_a_stop_that_stands_and_new_starts_count_on_until_the_user_starts_it() {
        let mut life = running();
        life.died(1, 10, ALWAYS, 10);
        life.started(2_000);
        assert_eq!((life.began, life.first), (Some(2_000), Some(0)));
        life.timed_out("it has run for 2s", 2_500);
        assert_eq!(life.died(143, 3_000, ALWAYS, 3_000), Next::Leave);
        assert!(!life.clone().returned(ALWAYS, 4_000) && life.timeout.is_some());
        life.start_asked();
        life.started(9_000);
        assert_eq!((life.first, life.timeout.clone(), life.runs()), (Some(9_000), None, true));
    }

    #[derive(Clone, Debug)]
    enum News {
        /// Heard so much later.
        Started(i64),
        Signalled,
        Died(i64),
        Stopped,
        Removed,
        StopAsked,
        StartAsked,
        NotStarted,
        Returned,
    }

    fn news() -> impl Strategy<Value = News> {
        prop_oneof![
            prop_oneof![Just(0), 0i64..1 << 21].prop_map(News::Started),
            Just(News::Signalled),
            (0i64..3).prop_map(News::Died),
            Just(News::Stopped),
            Just(News::Removed),
            Just(News::StopAsked),
            Just(News::StartAsked),
            Just(News::NotStarted),
            Just(News::Returned),
        ]
    }

    proptest! {
        #[test]
        fn a_stop_that_was_asked_for_stands_until_a_start_whatever_else_is_heard(
            history in proptest::collection::vec((news(), 0i64..1 << 20), 0..40), always in any::<bool>(),
        ) {
            let rules = if always { ALWAYS } else { RULES };
            let (mut life, mut now, mut asked, mut since) = (running(), 0, false, 0);
            for (news, pause) in history {
                now += pause;
                match news {
                    News::Started(late) => { life.started(now - late); asked &= since > now - late; }
                    News::Signalled => life.signalled(now),
                    News::Died(code) => drop(life.died(code, now, rules, now)),
                    News::Stopped => drop(life.stopped()),
                    News::Removed => drop(life.removed(now)),
                    News::StopAsked => { life.stop_asked(now); (asked, since) = (true, now); }
                    News::StartAsked => { life.start_asked(); asked = false; }
                    // The daemon starts what is due, and nothing else.
                    News::NotStarted if life.due.is_some() => drop(life.not_started("no", rules, now)),
                    News::NotStarted => {}
                    News::Returned => drop(life.returned(rules, now)),
                }
                prop_assert!(!(asked && life.due.is_some()), "{:?}", life);
                prop_assert!(!asked || life.asked, "{:?}", life);
                prop_assert!(!(life.gave_up && life.due.is_some()), "{:?}", life);
                prop_assert!(life.due.is_none() || life.gone.is_none(), "{:?}", life);
                prop_assert!(life.tries <= rules.most(), "{:?}", life);
                let kept: Life = serde_json::from_str(&serde_json::to_string(&life).unwrap()).unwrap();
                prop_assert_eq!(kept, life.clone());
            }
        }
    }
}
