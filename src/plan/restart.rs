//! Pure. Whether a session whose agent has ended is started again, and when: a policy, what went before, and the time.

use crate::manifest::project::Restart;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970.
pub type Millis = i64;

/// The wait before the first new start; each further one is twice as long.
pub const FIRST: Millis = 1_000;
/// The longest wait.
pub const LONGEST: Millis = 5 * 60 * 1_000;
/// A run of this length is a success: what failed before it counts no more.
pub const CALM: Millis = 10 * 60 * 1_000;
/// Short runs in a row after which even a policy without a number gives up.
pub const MOST: u32 = 10;

/// Who ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The agent, or what befell it; with this exit code.
    Itself(i64),
    /// It did not come to a run: the engine could not start it.
    NotStarted,
    /// Somebody with the engine's own tools.
    Engine,
    /// The user, through clauderon.
    Asked,
}

/// What a session goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Its policy.
    pub policy: Restart,
    /// Whether it has done its work once it ended well.
    pub batch: bool,
}

/// How the last run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Who ended it.
    pub cause: Cause,
    /// How long it had lasted.
    pub lasted: Millis,
    /// When it ended.
    pub at: Millis,
    /// How many new starts there were in a row, each after a short run.
    pub tries: u32,
}

/// What is done about a session that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it has come to its end, or was stopped, or its policy says so.
    Leave,
    /// Nothing: it was tried often enough.
    GiveUp,
    /// It is started again at this time; so many new starts in a row there are then.
    Start {
        /// When.
        at: Millis,
        /// The number of this new start.
        tries: u32,
    },
}

impl Rules {
    /// How many new starts in a row there may be.
    pub fn most(self) -> u32 {
        match self.policy {
            Restart::No => 0,
            Restart::OnFailure(times @ 1..) => times,
            Restart::OnFailure(0) | Restart::Always | Restart::UnlessStopped => MOST,
        }
    }

    /// What is done about a run that has ended.
    pub fn next(self, ending: Ending, now: Millis) -> Next {
        let again = match (ending.cause, self.policy) {
            (Cause::Engine | Cause::Asked, _)
            | (_, Restart::No)
            | (Cause::Itself(0), Restart::OnFailure(_)) => false,
            (Cause::Itself(0), Restart::Always | Restart::UnlessStopped) => !self.batch,
            (Cause::Itself(_) | Cause::NotStarted, _) => true,
        };
        let tries = if ending.lasted >= CALM { 0 } else { ending.tries };
        if !again {
            return Next::Leave;
        }
        if tries >= self.most() {
            return Next::GiveUp;
        }
        // A clock that was put back makes no wait longer.
        Next::Start { at: ending.at.min(now).saturating_add(wait(tries)), tries: tries + 1 }
    }

    /// Whether one that was stopped with the engine's own tools is started when the engine or the daemon is back.
    pub fn returns(self) -> bool {
        self.policy == Restart::Always
    }
}

/// The wait after so many new starts in a row.
pub fn wait(tries: u32) -> Millis {
    FIRST.checked_shl(tries.min(30)).unwrap_or(LONGEST).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHORT: Millis = 5_000;
    const NOW: Millis = 1_000_000;

    fn next(policy: Restart, batch: bool, cause: Cause, tries: u32) -> Next {
        Rules { policy, batch }.next(Ending { cause, lasted: SHORT, at: NOW, tries }, NOW)
    }

    #[test]
    fn each_policy_as_the_documentation_has_it() {
        use Restart::{Always, No, OnFailure, UnlessStopped};
        let first = Next::Start { at: NOW + FIRST, tries: 1 };
        let (good, bad) = (Cause::Itself(0), Cause::Itself(1));
        for (policy, batch, cause, expected) in [
            (No, false, good, Next::Leave),
            (No, false, bad, Next::Leave),
            (No, false, Cause::NotStarted, Next::Leave),
            (OnFailure(3), false, good, Next::Leave),
            (OnFailure(3), false, bad, first),
            (OnFailure(3), false, Cause::Itself(137), first),
            (OnFailure(3), false, Cause::NotStarted, first),
            (OnFailure(0), false, bad, first),
            (OnFailure(3), true, bad, first),
            (OnFailure(3), true, good, Next::Leave),
            (Always, false, good, first),
            (Always, false, bad, first),
            // A batch session that ended well has done its work, whatever the policy.
            (Always, true, good, Next::Leave),
            (UnlessStopped, true, good, Next::Leave),
            (Always, true, bad, first),
            (UnlessStopped, false, good, first),
            (UnlessStopped, false, bad, first),
        ] {
            assert_eq!(next(policy, batch, cause, 0), expected, "{policy:?} {batch} {cause:?}");
        }
        for policy in [No, OnFailure(0), OnFailure(3), Always, UnlessStopped] {
            for cause in [Cause::Asked, Cause::Engine] {
                assert_eq!(next(policy, false, cause, 0), Next::Leave, "{policy:?} {cause:?}");
            }
            assert_eq!(Rules { policy, batch: false }.returns(), policy == Always, "{policy:?}");
        }
    }

    #[test]
    fn waits_double_and_end_in_giving_up() {
        let waits: Vec<Millis> = (0..=MOST).map(|tries| wait(tries) / 1_000).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(
            next(Restart::OnFailure(3), false, Cause::Itself(1), 2),
            Next::Start { at: NOW + 4_000, tries: 3 }
        );
        assert_eq!(next(Restart::OnFailure(3), false, Cause::Itself(1), 3), Next::GiveUp);
        assert_eq!(next(Restart::Always, false, Cause::Itself(0), MOST), Next::GiveUp);
    }

    #[test]
    fn a_long_run_makes_up_for_what_failed_before() {
        let rules = Rules { policy: Restart::OnFailure(3), batch: false };
        let ending = Ending { cause: Cause::Itself(1), lasted: CALM, at: NOW, tries: 3 };
        assert_eq!(rules.next(ending, NOW), Next::Start { at: NOW + FIRST, tries: 1 });
    }

    fn policies() -> impl Strategy<Value = Restart> {
        prop_oneof![
            Just(Restart::No),
            Just(Restart::Always),
            Just(Restart::UnlessStopped),
            (0u32..20).prop_map(Restart::OnFailure),
        ]
    }

    fn causes() -> impl Strategy<Value = Cause> {
        prop_oneof![
            (0i64..4).prop_map(Cause::Itself),
            Just(Cause::NotStarted),
            Just(Cause::Engine),
            Just(Cause::Asked),
        ]
    }

    proptest! {
        #[test]
        fn no_history_is_a_storm(
            policy in policies(), batch in any::<bool>(),
            runs in proptest::collection::vec((causes(), 0..CALM * 2), 1..200),
        ) {
            let rules = Rules { policy, batch };
            let (mut now, mut tries, mut short) = (0, 0, Vec::new());
            for (cause, lasted) in runs {
                let ended = now + lasted;
                match rules.next(Ending { cause, lasted, at: ended, tries }, ended) {
                    Next::Start { at, tries: next } => {
                        prop_assert!(at - ended >= FIRST && at - ended <= LONGEST);
                        prop_assert!(!matches!(cause, Cause::Asked | Cause::Engine), "a stop was undone");
                        prop_assert!(policy != Restart::No);
                        if lasted < CALM { short.push(at - ended) } else { short.clear() }
                        prop_assert!(short.len() <= rules.most() as usize);
                        prop_assert!(short.is_sorted(), "a wait got shorter: {:?}", short);
                        (now, tries) = (at, next);
                    }
                    Next::Leave | Next::GiveUp => break,
                }
            }
        }

        #[test]
        fn whatever_the_clock_says_the_wait_has_an_end(
            policy in policies(), cause in causes(), lasted in any::<i64>(), at in any::<i64>(),
            tries in any::<u32>(), now in 0i64..1 << 50,
        ) {
            let next = Rules { policy, batch: false }.next(Ending { cause, lasted, at, tries }, now);
            if let Next::Start { at, tries: next } = next {
                prop_assert!(at <= now + LONGEST && next <= tries.saturating_add(1));
            }
        }
    }
}
