//! The real program ends right before each of its calls that change something, one after the other: files, refs, the
//! store, and every word to the engine and the daemon. `up` brings about the same as without that, `down` leaves nothing,
//! and no commit, no file, no transcript and no event is gone.

mod bed;
mod engine;
mod tracer;

use bed::Bed;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tracer::End;

/// Worlds at a time: most of the time, one waits for what a killed run may have left going.
const BEDS: usize = 6;

/// Takes each number of calls once, until one is enough; answers how many were not. What is tried has a bed of its own
/// thread's, and says whether the program came to its end.
fn at_every_call(begin: impl Fn() -> Bed + Sync, attempt: impl Fn(&mut Bed, usize) -> bool + Sync) -> usize {
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let killed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..BEDS {
            scope.spawn(|| {
                let mut bed = begin();
                while !over.load(Ordering::SeqCst) {
                    let dies = next.fetch_add(1, Ordering::SeqCst);
                    if attempt(&mut bed, dies) {
                        over.store(true, Ordering::SeqCst);
                    } else {
                        killed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    killed.into_inner()
}

const UP: [&str; 4] = ["up", "--detach", "--yes", "--now"];
const AWAY: [&str; 4] = ["down", "--checkouts", "--volumes", "--force"];

/// Whether it came to a good end by itself.
#[track_caller]
fn ended(end: &End, when: &str) -> bool {
    match end {
        End::Code(code, _) => {
            assert_eq!(*code, 0, "{when}");
            true
        }
        End::Killed => false,
    }
}

#[test]
fn a_first_up_may_end_at_every_call() {
    let straight = Bed::new();
    straight.ok(&UP);
    let expected = straight.state();
    let calls = at_every_call(Bed::new, |bed, dies| {
        let when = &format!("after call {dies} of the first `up`");
        let ended = ended(&bed.kill(&UP, dies), when);
        bed.ok(&UP);
        bed.assert_up(when);
        bed.assert_state(&expected, when);
        bed.ok(&AWAY);
        bed.assert_gone(when);
        ended
    });
    assert!(calls > 90, "{calls}");
}

/// A bed with a session whose agent has worked.
fn busy() -> Bed {
    let mut bed = Bed::new();
    bed.ok(&UP);
    bed.work();
    bed.tell();
    bed
}

#[test]
fn an_up_that_recreates_may_end_at_every_call() {
    let straight = busy();
    straight.manifest("green", "opus");
    straight.ok(&UP);
    let expected = straight.state();
    let calls = at_every_call(busy, |bed, dies| {
        let when = &format!("after call {dies} of an `up` that recreates");
        bed.manifest("green", "opus");
        let ended = ended(&bed.kill(&UP, dies), when);
        bed.assert_kept(when);
        bed.ok(&UP);
        bed.assert_up(when);
        bed.assert_state(&expected, when);
        bed.assert_kept(when);
        bed.manifest("red", "opus");
        bed.ok(&UP);
        ended
    });
    assert!(calls > 30, "{calls}");
}

#[test]
fn an_up_that_restarts_may_end_at_every_call() {
    let straight = busy();
    straight.manifest("red", "haiku");
    straight.ok(&UP);
    let expected = straight.state();
    let calls = at_every_call(busy, |bed, dies| {
        let when = &format!("after call {dies} of an `up` that restarts");
        bed.manifest("red", "haiku");
        let ended = ended(&bed.kill(&UP, dies), when);
        bed.ok(&UP);
        bed.assert_up(when);
        bed.assert_state(&expected, when);
        bed.assert_kept(when);
        bed.manifest("red", "opus");
        bed.ok(&UP);
        ended
    });
    assert!(calls > 20, "{calls}");
}

#[test]
fn a_down_may_end_at_every_call() {
    let calls = at_every_call(busy, |bed, dies| {
        let when = &format!("after call {dies} of `down`");
        bed.work();
        let ended = ended(&bed.kill(&["down"], dies), when);
        bed.assert_kept(when);
        // Either it is taken up again, or what is left is finished.
        if dies % 2 == 0 {
            bed.ok(&UP);
            bed.assert_up(when);
        }
        bed.ok(&["down"]);
        assert!(bed.holds().containers.is_empty(), "{when}");
        bed.assert_kept(when);
        bed.assert_imported(when);
        bed.ok(&UP);
        bed.assert_up(when);
        ended
    });
    assert!(calls > 5, "{calls}");
}

#[test]
fn a_removal_may_end_at_every_call() {
    let calls = at_every_call(busy, |bed, dies| {
        let when = &format!("after call {dies} of `down --checkouts --volumes --force`");
        let ended = ended(&bed.kill(&AWAY, dies), when);
        if dies % 2 == 0 {
            bed.ok(&UP);
            bed.assert_up(when);
        }
        bed.ok(&AWAY);
        bed.assert_gone(when);
        bed.assert_imported(when);
        bed.assert_history(when);
        bed.ok(&UP);
        bed.assert_up(when);
        bed.work();
        ended
    });
    assert!(calls > 30, "{calls}");
}
