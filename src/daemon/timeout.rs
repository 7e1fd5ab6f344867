//! Pure. When a session has lasted as long as it may.

use super::life::Life;
use crate::manifest::project::Timeout;
use crate::manifest::span::written;
use crate::plan::restart::Millis;

/// Which of its limits a session has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// It has run for so many seconds.
    Run(u64),
    /// Its agent has rested for so many.
    Idle(u64),
}

impl Limit {
    /// The same in words, after `timeout:`.
    pub fn words(self) -> String {
        match self {
            Self::Run(seconds) => format!("it has run for {} (`timeout.run`)", written(seconds)),
            Self::Idle(seconds) => format!("its agent was idle for {} (`timeout.idle`)", written(seconds)),
        }
    }
}

/// When a session that runs is to be stopped, unless there is a sign of its agent before; the last one was at `heard`.
pub fn deadline(timeout: Timeout, life: &Life, heard: Millis) -> Option<(Millis, Limit)> {
    let began = life.began.filter(|_| life.runs())?;
    let after = |from: Millis, seconds: u64| {
        from.saturating_add(i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(Millis::MAX))
    };
    let run = timeout.run.map(|run| (after(life.first.unwrap_or(began), run), Limit::Run(run)));
    let idle = timeout.idle.map(|idle| (after(heard.max(began), idle), Limit::Idle(idle)));
    run.into_iter().chain(idle).min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_limit_counts_from_the_first_run_and_from_the_last_sign() {
        let mut life = Life::of("c", "n", 0);
        let of = |run, idle| Timeout { run, idle };
        assert_eq!(deadline(of(Some(1), Some(1)), &life, 0), None, "it does not run");
        life.started(10_000);
        life.died(
            1,
            11_000,
            crate::plan::restart::Rules { policy: crate::manifest::project::Restart::Always, batch: false },
            11_000,
        );
        assert_eq!(deadline(of(Some(1), Some(1)), &life, 0), None);
        life.started(12_000);
        for (timeout, heard, expected) in [
            (of(None, None), 0, None),
            (of(Some(60), None), 0, Some((70_000, Limit::Run(60)))),
            (of(None, Some(60)), 0, Some((72_000, Limit::Idle(60)))),
            (of(None, Some(60)), 30_000, Some((90_000, Limit::Idle(60)))),
            (of(Some(60), Some(10)), 65_000, Some((70_000, Limit::Run(60)))),
            (of(Some(u64::MAX), Some(u64::MAX)), 0, Some((Millis::MAX, Limit::Run(u64::MAX)))),
        ] {
            assert_eq!(deadline(timeout, &life, heard), expected, "{timeout:?} {heard}");
        }
    }
}
