//! What befell a session's container, as `ps` tells it: the daemon's knowledge of its runs beside what the engine says.

use crate::daemon::drift::{rules, why};
use crate::daemon::life::Life;
use crate::daemon::lives;
use crate::daemon::record::Record;
use crate::home::Home;
use crate::plan::observed::{Container, ContainerState};
use crate::plan::restart::{Cause, Millis};
use std::os::unix::net::UnixStream;

/// Exit codes from here on tell of a signal.
const FIRST_SIGNAL: i64 = 128;

/// What befell a session's container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The word of the contract for what the container is doing.
    pub state: &'static str,
    /// What is wrong, where anything is.
    pub error: Option<String>,
    /// The last lines that it printed before it failed.
    pub output: Vec<String>,
}

/// What is known of the runs of this very container.
pub fn life(home: &Home, container: &Container) -> Option<Life> {
    lives::read(home, container.label("id")).filter(|life| life.container == container.backend_id)
}

/// Whether the checkout of a session that is up is not where it was made.
pub fn lost(record: &Record, there: bool) -> bool {
    there && record.active && record.lost().is_some()
}

/// The condition of a session now.
pub fn condition(home: &Home, id: &str, container: Option<&Container>, record: Option<&Record>) -> Condition {
    let Some(container) = container else {
        let gone = lives::read(home, id).is_some_and(|life| life.gone.is_some());
        let up = record.is_some_and(|record| record.active);
        let error = "its container was removed with the engine's own tools; `clauderon up` makes it anew";
        return Condition {
            state: "missing",
            error: (gone && up).then(|| error.to_owned()),
            output: Vec::new(),
        };
    };
    let life = life(home, container);
    if let Some(code) = unheard(container, life.as_ref())
        && UnixStream::connect(home.control_socket()).is_ok()
    {
        let error = Some(format!("ended with exit code {code}"));
        return Condition { state: "restarting", error, output: Vec::new() };
    }
    let mut condition = of_container(container, life, lives::now());
    if let Some(record) = record.filter(|record| lost(record, true)) {
        let place = record.workspace().unwrap_or(&record.root).display().to_string();
        let lost = format!("its checkout `{place}` is gone; `clauderon up` makes it anew from its branch");
        condition.error = Some(match condition.error {
            Some(error) if error != lost => format!("{error}; {lost}"),
            _ => lost,
        });
    }
    condition
}

/// The exit code of an agent that has failed this moment: it is begun anew, or not, once the daemon has heard of it.
fn unheard(container: &Container, life: Option<&Life>) -> Option<i64> {
    let ContainerState::Exited(code @ 1..FIRST_SIGNAL) = container.state else { return None };
    let open = life.is_some_and(|life| life.ended.is_none() && !life.asked);
    (open && rules(container).most() > 0).then_some(code)
}

fn of_container(container: &Container, life: Option<Life>, now: Millis) -> Condition {
    let plain = |state, error: Option<String>| Condition { state, error, output: Vec::new() };
    let code = match container.state {
        ContainerState::Created => return plain("pending", None),
        ContainerState::Running => return plain("running", None),
        ContainerState::Restarting => return plain("restarting", None),
        ContainerState::Dead => {
            return plain("failed", Some("the engine cannot run it any more".to_owned()));
        }
        ContainerState::Exited(code) => code,
    };
    // What has ended this moment, or while no daemon was there, is known by its code alone.
    let known = life.and_then(|life| Some((life.ended?, life)));
    let Some((ended, life)) = known else {
        return match code {
            0 => plain("exited", None),
            // Ended by a signal, as `stop` does.
            130 | 137 | 143 => plain("stopped", None),
            _ => plain("failed", Some(format!("ended with exit code {code}"))),
        };
    };
    let why = why(&life);
    if let Some(due) = life.due(now) {
        let seconds = ((due - now).max(0) + 999) / 1_000;
        let most = rules(container).most();
        let count = if life.spared { String::new() } else { format!(" ({} of {most})", life.tries) };
        let error = format!("{why}; started again in {seconds} s{count}");
        return Condition { state: "restarting", error: Some(error), output: life.lines };
    }
    match ended.cause {
        _ if life.gave_up => {
            let tries = life.tries;
            let error = if tries > 0 { format!("{why}, after {tries} new starts") } else { why };
            Condition { state: "failed", error: Some(error), output: life.lines }
        }
        Cause::Asked => plain("stopped", life.timeout.map(|why| format!("timeout: {why}"))),
        Cause::Engine => plain("stopped", Some("stopped with the engine's own tools".to_owned())),
        Cause::Itself(0) => plain("exited", None),
        Cause::Itself(_) | Cause::NotStarted => {
            Condition { state: "failed", error: Some(why), output: life.lines }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::project::Restart;
    use crate::plan::restart::Rules;

    const RULES: Rules = Rules { policy: Restart::OnFailure(3), batch: false };

    fn exited(code: i64, life: Option<Life>) -> Condition {
        let fields = [("clauderon.fields".to_owned(), "{\"restart\":\"on-failure:3\"}".to_owned())];
        let labels = fields.into_iter().collect();
        let state = ContainerState::Exited(code);
        of_container(&Container { labels, state, ..Container::default() }, life, 1_500)
    }

    fn ran() -> Life {
        let mut life = Life::of("c", "n", 0);
        life.started(0);
        life
    }

    #[test]
    fn an_end_that_nobody_heard_of_is_known_by_its_code() {
        for (code, state) in
            [(0, "exited"), (1, "failed"), (130, "stopped"), (137, "stopped"), (143, "stopped")]
        {
            assert_eq!(exited(code, None).state, state);
            assert_eq!(exited(code, Some(ran())).state, state);
        }
    }

    #[test]
    fn an_end_of_this_moment_is_not_final_where_it_may_be_begun_anew() {
        let container = |code, restart: &str| {
            let fields = ("clauderon.fields".to_owned(), format!("{{\"restart\":\"{restart}\"}}"));
            Container { labels: [fields].into(), state: ContainerState::Exited(code), ..Container::default() }
        };
        let (mut asked, mut ended) = (ran(), ran());
        asked.stop_asked(0);
        ended.died(1, 1_000, RULES, 1_000);
        for (code, restart, life, expected) in [
            (1, "on-failure:3", Some(ran()), Some(1)),
            (0, "on-failure:3", Some(ran()), None),
            (143, "on-failure:3", Some(ran()), None),
            (1, "no", Some(ran()), None),
            (1, "on-failure:3", None, None),
            (1, "on-failure:3", Some(asked), None),
            (1, "on-failure:3", Some(ended), None),
        ] {
            assert_eq!(unheard(&container(code, restart), life.as_ref()), expected, "{code} {restart}");
        }
    }

    #[test]
    fn who_ended_it_and_what_comes_next_is_told() {
        let mut life = ran();
        life.died(137, 1_000, RULES, 1_000);
        life.lines = vec!["out of luck".to_owned()];
        let told = exited(137, Some(life.clone()));
        let error = "ended with exit code 137; started again in 1 s (1 of 3)";
        assert_eq!((told.state, told.error.as_deref()), ("restarting", Some(error)));
        assert_eq!(told.output, ["out of luck"]);
        (life.tries, life.oom) = (3, true);
        life.ended = None;
        life.died(137, 1_000, RULES, 1_000);
        let told = exited(137, Some(life));
        let error = "ended with exit code 137 (out of memory), after 3 new starts";
        assert_eq!((told.state, told.error.as_deref()), ("failed", Some(error)));

        let mut asked = ran();
        asked.stop_asked(0);
        asked.died(1, 1_000, RULES, 1_000);
        assert_eq!(exited(1, Some(asked)), Condition { state: "stopped", error: None, output: Vec::new() });
        let mut late = ran();
        late.timed_out("it has run for 2h (`timeout.run`)", 900);
        late.died(143, 1_000, RULES, 1_000);
        let error = "timeout: it has run for 2h (`timeout.run`)".to_owned();
        let stopped = Condition { state: "stopped", error: Some(error), output: Vec::new() };
        assert_eq!(exited(143, Some(late)), stopped);
        let mut engine = ran();
        engine.signalled(900);
        engine.died(143, 1_000, RULES, 1_000);
        let told = exited(143, Some(engine));
        assert_eq!(
            (told.state, told.error.as_deref()),
            ("stopped", Some("stopped with the engine's own tools"))
        );
    }
}
