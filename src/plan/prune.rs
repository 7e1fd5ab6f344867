//! Pure. What of a project that is gone may be removed, and what is kept, why, and what a person can do about it.

use serde::Serialize;

/// What sort of thing is left over, in the order of removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A container, of a session or one that ran once for it.
    Container,
    /// A session's checkout or workspace.
    Checkout,
    /// A volume of the project or of a session.
    Volume,
    /// An image that was built for the project.
    Image,
    /// What the agents wrote down of their conversations.
    Transcripts,
    /// A session's record, settings and sockets, or what is remembered of the project.
    State,
}

impl Kind {
    /// The kind in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Checkout => "checkout",
            Self::Volume => "volume",
            Self::Image => "image",
            Self::Transcripts => "transcripts",
            Self::State => "state",
        }
    }
}

/// How a thing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// In nobody's use, and of no worth without the project.
    Free,
    /// It has processes.
    Running,
    /// It holds what is nowhere else: how much.
    Holds(usize),
    /// It could not be told what it holds.
    Unjudged(String),
    /// It is not known to be ours to remove.
    Unknown(String),
}

/// One thing that is left over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// What sort.
    pub kind: Kind,
    /// Its name, or its path.
    pub name: String,
    /// By what it is removed: the engine's id, a name or a path.
    pub handle: String,
    /// The session's id; empty for what is the project's.
    pub id: String,
    /// The session's name.
    pub session: String,
    /// What it takes on the disk, where that is known.
    pub bytes: Option<u64>,
    /// How it was found.
    pub condition: Condition,
}

/// What a person allows beyond what is safe.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What runs, and what would be lost.
    pub force: bool,
    /// Volumes.
    pub volumes: bool,
    /// Transcripts.
    pub transcripts: bool,
}

/// What becomes of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes.
    Remove,
    /// It stays.
    Keep(Keep),
}

/// Why a thing stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Why.
    pub reason: String,
    /// What a person can do about it.
    pub remedy: String,
    /// Whether it waits for a person's decision; else it stays by the rule.
    pub open: bool,
}

impl Keep {
    /// Something that waits for a person.
    pub fn open(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: remedy.into(), open: true }
    }
}

/// Judges the things of one project that is gone, in the order in which they are removed. What the project itself is
/// remembered by comes last (a state of no session), and goes when nothing else stays.
pub fn judge(mut things: Vec<Thing>, options: Options) -> Vec<(Thing, Fate)> {
    things.sort_by(|left, right| order(left).cmp(&order(right)));
    let busy: Vec<String> =
        things.iter().filter(|thing| runs(thing, options)).map(|it| it.id.clone()).collect();
    let mut judged: Vec<(Thing, Fate)> = Vec::new();
    for thing in things {
        let own = thing.kind == Kind::State && thing.id.is_empty();
        if own && judged.iter().any(|(_, fate)| *fate != Fate::Remove) {
            continue;
        }
        let used = if thing.id.is_empty() { !busy.is_empty() } else { busy.contains(&thing.id) };
        let fate = match keep(&thing, used, options) {
            Some(keep) => Fate::Keep(keep),
            None => Fate::Remove,
        };
        judged.push((thing, fate));
    }
    judged
}

fn order(thing: &Thing) -> (bool, Kind, &str, &str) {
    (thing.kind == Kind::State && thing.id.is_empty(), thing.kind, &thing.session, &thing.name)
}

fn runs(thing: &Thing, options: Options) -> bool {
    thing.kind == Kind::Container && thing.condition == Condition::Running && !options.force
}

fn keep(thing: &Thing, used: bool, options: Options) -> Option<Keep> {
    let again = "bring the project back and run `clauderon pull`";
    let force = "`clauderon prune --force` removes it with all that it holds";
    match &thing.condition {
        Condition::Unknown(why) => {
            Some(Keep::open(why, format!("look at `{}`, and remove it yourself", thing.handle)))
        }
        Condition::Running if !options.force => Some(Keep::open(
            "it runs",
            format!(
                "`docker stop {}` and prune again, or `clauderon prune --force`, which ends it",
                thing.name
            ),
        )),
        _ if used && thing.kind != Kind::Container => {
            Some(Keep::open("a container that runs uses it", "end the container and prune again"))
        }
        Condition::Holds(_) if !options.force => {
            Some(Keep::open("it holds what is nowhere else", format!("{again}, or look into it; {force}")))
        }
        Condition::Unjudged(why) if !options.force => {
            Some(Keep::open(format!("it could not be told what it holds: {why}"), force))
        }
        _ if thing.kind == Kind::Transcripts && !options.transcripts => Some(unasked("transcripts")),
        _ if thing.kind == Kind::Volume && !options.volumes => Some(unasked("volumes")),
        _ => None,
    }
}

/// What may be worth something is removed by its own option alone.
fn unasked(what: &str) -> Keep {
    let (reason, remedy) =
        (format!("{what} are never removed unasked"), format!("`clauderon prune --{what}` removes them too"));
    Keep { reason, remedy, open: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(kind: Kind, id: &str, condition: Condition) -> Thing {
        let name = format!("{}-{id}", kind.word());
        let (handle, session) = (name.clone(), id.to_owned());
        Thing { kind, name, handle, id: id.to_owned(), session, bytes: None, condition }
    }

    /// Which things go, in their order, and which of the others wait for a decision.
    fn told(things: &[Thing], options: Options) -> (Vec<String>, Vec<String>) {
        let judged = judge(things.to_vec(), options);
        let names = |wanted: &dyn Fn(&Fate) -> bool| {
            judged.iter().filter(|(_, fate)| wanted(fate)).map(|(thing, _)| thing.name.clone()).collect()
        };
        let open = |fate: &Fate| matches!(fate, Fate::Keep(keep) if keep.open);
        (names(&|fate| *fate == Fate::Remove), names(&open))
    }

    fn of_session(id: &str, container: Condition, checkout: Condition) -> Vec<Thing> {
        let free = |kind| thing(kind, id, Condition::Free);
        vec![
            free(Kind::State),
            free(Kind::Volume),
            free(Kind::Transcripts),
            thing(Kind::Checkout, id, checkout),
            thing(Kind::Container, id, container),
        ]
    }

    const ALL: Options = Options { force: true, volumes: true, transcripts: true };

    #[test]
    fn what_is_safe_goes_in_order_and_the_rest_by_its_own_option_alone() {
        let own = thing(Kind::State, "", Condition::Free);
        let mut things = of_session("a", Condition::Free, Condition::Free);
        things.insert(0, own);
        let safe = ["container-a", "checkout-a", "state-a"].map(String::from).to_vec();
        assert_eq!(
            told(&things, Options::default()),
            (safe, vec![]),
            "what is remembered stays with the rest"
        );
        let all = ["container-a", "checkout-a", "volume-a", "transcripts-a", "state-a", "state-"];
        assert_eq!(told(&things, ALL), (all.map(String::from).to_vec(), vec![]));
        let forced = told(&things, Options { force: true, ..Options::default() });
        assert!(!forced.0.iter().any(|name| name.starts_with("transcripts") || name.starts_with("volume")));
    }

    #[test]
    fn what_runs_keeps_all_that_it_uses_and_what_is_its_projects() {
        let mut things = of_session("a", Condition::Running, Condition::Free);
        things.extend(of_session("b", Condition::Free, Condition::Free));
        things.push(thing(Kind::Volume, "", Condition::Free));
        things.push(thing(Kind::Image, "", Condition::Free));
        let options = Options { force: false, ..ALL };
        let (gone, open) = told(&things, options);
        assert_eq!(gone.len(), 5, "{gone:?}");
        assert!(gone.iter().all(|name| name.ends_with("-b")), "{gone:?}");
        assert_eq!(open.len(), 7, "{open:?}");
        assert_eq!(told(&things, ALL).1, [""; 0]);
    }

    #[test]
    fn work_is_kept_until_it_is_agreed_to_lose_it_and_what_is_not_ours_for_ever() {
        for condition in [Condition::Holds(3), Condition::Unjudged("why".to_owned())] {
            let things = of_session("a", Condition::Free, condition);
            let kept = told(&things, Options { force: false, ..ALL });
            assert_eq!(kept.1, ["checkout-a"]);
            assert_eq!(told(&things, ALL).1, [""; 0]);
        }
        let things = of_session("a", Condition::Free, Condition::Unknown("shared".to_owned()));
        assert_eq!(told(&things, ALL).1, ["checkout-a"]);
    }
}
