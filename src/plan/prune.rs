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
