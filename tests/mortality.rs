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
    at_every(1, begin, attempt)
}

/// The same with each number that is a multiple of a step.
fn at_every(
    step: usize,
    begin: impl Fn() -> Bed + Sync,
    attempt: impl Fn(&mut Bed, usize) -> bool + Sync,
) -> usize {
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let killed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..BEDS {
            scope.spawn(|| {
                let mut bed = begin();
                while !over.load(Ordering::SeqCst) {
                    let dies = next.fetch_add(step, Ordering::SeqCst);
                    if attempt(&mut bed, dies) {
                        over.store(true, Ordering::SeqCst);
                    } else {
                        killed.fetch_add(1, Ordering::SeqCst);
                    }
                }
                bed.assert_whole();
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
        bed.assert_state(&expected, when);
        bed.assert_up(when);
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

/// Kills `up` between two manifests, there and back again.
fn at_every_call_between(name: &str, manifests: [(&str, &str); 2]) -> usize {
    let straight = busy();
    let expected = [manifests[1], manifests[0]].map(|(colour, model)| {
        straight.manifest(colour, model);
        straight.ok(&UP);
        straight.state()
    });
    at_every_call(busy, |bed, dies| {
        let when = &format!("after call {dies} of an `up` that {name}");
        let (way, (colour, model)) = if bed.turned() { (1, manifests[0]) } else { (0, manifests[1]) };
        bed.manifest(colour, model);
        let ended = ended(&bed.kill(&UP, dies), when);
        bed.assert_work(when);
        bed.ok(&UP);
        bed.assert_up(when);
        bed.assert_state(&expected[way], when);
        bed.assert_work(when);
        bed.assert_history(when);
        ended
    })
}

#[test]
fn an_up_that_recreates_may_end_at_every_call() {
    let calls = at_every_call_between("recreates", [("red", "opus"), ("green", "opus")]);
    assert!(calls > 30, "{calls}");
}

#[test]
fn an_up_that_restarts_may_end_at_every_call() {
    let calls = at_every_call_between("restarts", [("red", "opus"), ("red", "haiku")]);
    assert!(calls > 20, "{calls}");
}

#[test]
fn a_down_may_end_at_every_call() {
    let calls = at_every_call(busy, |bed, dies| {
        let when = &format!("after call {dies} of `down`");
        bed.work();
        let ended = ended(&bed.kill(&["down"], dies), when);
        bed.assert_work(when);
        // Either it is taken up again, or what is left is finished.
        if dies % 2 == 0 {
            bed.ok(&UP);
            bed.assert_up(when);
        }
        bed.ok(&["down"]);
        assert!(bed.holds().containers.is_empty(), "{when}");
        bed.assert_work(when);
        bed.assert_history(when);
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
        // Either it is taken up again, or what is left is finished.
        if dies % 2 == 1 {
            bed.ok(&AWAY);
            bed.assert_gone(when);
            bed.assert_imported(when);
        }
        bed.ok(&UP);
        bed.assert_up(when);
        bed.assert_commits(when);
        bed.assert_unlocked(when);
        bed.assert_history(when);
        bed.work();
        ended
    });
    assert!(calls > 30, "{calls}");
}

/// The daemon ends while it stores an event and imports commits, or before: at one call in five, since it has many.
#[test]
fn a_daemon_may_end_at_its_calls() {
    let killed = at_every(5, busy, |bed, dies| {
        let when = &format!("after call {dies} of the daemon");
        let end = bed.kill_daemon(dies, |bed| {
            bed.work();
            bed.tell();
            let (code, said) = bed.run(&["down"]);
            assert!(code == Some(0) || said.contains("the daemon"), "{code:?} {said} {when}");
        });
        bed.assert_work(when);
        bed.ok(&UP);
        bed.ok(&["down"]);
        bed.assert_work(when);
        bed.assert_history(when);
        bed.assert_imported(when);
        bed.ok(&UP);
        bed.assert_up(when);
        ended(&end, when)
    });
    assert!(killed > 20, "{killed}");
}
