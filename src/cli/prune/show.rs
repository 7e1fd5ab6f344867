//! What is left over as a person is shown it, and as data.

use super::find::Gone;
use crate::cli::args::Format;
use crate::cli::{output, shown};
use crate::plan::prune::{Fate, Thing};
use crate::worktree::lost::Loss;
use serde_json::{Value, json};

/// One thing that was left over, and what became of it.
pub struct Outcome {
    project: String,
    root: String,
    why: String,
    /// The thing.
    pub thing: Thing,
    /// What was decided.
    pub fate: Fate,
    /// Whether it is removed.
    pub removed: bool,
    /// What would be lost with it.
    pub losses: Vec<Loss>,
}

impl Outcome {
    /// A thing of a project, not removed yet.
    pub fn new(gone: &Gone, thing: Thing, fate: Fate) -> Self {
        let (project, root, why) = (gone.name.clone(), gone.root.clone(), gone.why.clone());
        let found = gone.things.iter().find(|(found, _)| *found == thing);
        let losses = found.map(|(_, losses)| losses.clone()).unwrap_or_default();
        Self { project, root, why, thing, fate, removed: false, losses }
    }

    /// Whether it is of this project.
    pub fn is_of(&self, gone: &Gone) -> bool {
        self.project == gone.name && self.root == gone.root
    }

    /// Whether it is the same thing.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.thing.kind, &self.thing.name, &self.thing.handle)
            == (other.thing.kind, &other.thing.name, &other.thing.handle)
    }

    fn state(&self) -> &'static str {
        match &self.fate {
            Fate::Keep(_) => "kept",
            Fate::Remove if self.removed => "removed",
            Fate::Remove => "removable",
        }
    }

    fn json(&self) -> Value {
        let keep = match &self.fate {
            Fate::Keep(keep) => Some(keep),
            Fate::Remove => None,
        };
        let (losses, more) = shown::json(&self.losses);
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        json!({
            "kind": self.thing.kind,
            "name": self.thing.name,
            "project": text(&self.project),
            "root": text(&self.root),
            "session": text(&self.thing.session),
            "id": text(&self.thing.id),
            "why": self.why,
            "bytes": self.thing.bytes,
            "state": self.state(),
            "reason": keep.map(|keep| &keep.reason),
            "remedy": keep.map(|keep| &keep.remedy),
            "decision": keep.is_some_and(|keep| keep.open),
            "losses": losses,
            "more": more,
        })
    }

    fn line(&self) -> Vec<String> {
        let bytes = self.thing.bytes.map_or_else(|| "-".to_owned(), size);
        let name = shown::line(&self.thing.name);
        [self.state(), self.thing.kind.word(), &bytes, &name].map(String::from).into()
    }
}

/// Prints everything.
pub fn print(outcomes: &[Outcome], format: Format, dry: bool) {
    match format {
        Format::Json => {
            let list: Vec<Value> = outcomes.iter().map(Outcome::json).collect();
            output::data(&format!("{:#}\n", Value::from(list)));
        }
        Format::Text => output::data(&text(outcomes, dry)),
    }
}

/// Everything in words: a paragraph a project, and a sum.
pub fn text(outcomes: &[Outcome], dry: bool) -> String {
    if outcomes.is_empty() {
        return "nothing is left over\n".to_owned();
    }
    let mut text = String::new();
    let rows: Vec<Vec<String>> = outcomes.iter().map(Outcome::line).collect();
    let table = output::table(&["", "", "", ""], &rows);
    let mut before = None;
    for (outcome, line) in outcomes.iter().zip(table.lines().skip(1)) {
        let project = (&outcome.project, &outcome.root);
        if before != Some(project) {
            text.push_str(&heading(outcome));
            before = Some(project);
        }
        text.push_str(&format!("  {line}\n"));
        if let Fate::Keep(keep) = &outcome.fate {
            text.push_str(&format!("      {}", shown::line(&keep.reason)));
            if !outcome.losses.is_empty() {
                text.push_str(&shown::losses(&outcome.losses, "        "));
            }
            text.push_str(&format!("\n      hint: {}\n", keep.remedy));
        }
    }
    let (word, fate) = if dry { ("removable", false) } else { ("removed", true) };
    let gone: Vec<&Outcome> =
        outcomes.iter().filter(|it| it.fate == Fate::Remove && it.removed == fate).collect();
    let bytes = gone.iter().filter_map(|outcome| outcome.thing.bytes).sum();
    text.push_str(&format!("{word}: {} ({})\n", things(gone.len()), size(bytes)));
    text
}

fn heading(outcome: &Outcome) -> String {
    if outcome.root.is_empty() {
        return format!("{}\n", outcome.why);
    }
    format!("{} in {}: {}\n", shown::line(&outcome.project), shown::line(&outcome.root), outcome.why)
}

/// How many have this fate, and what they take.
pub fn total(outcomes: &[Outcome], fate: Fate) -> (usize, u64) {
    let of: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.fate == fate).collect();
    (of.len(), of.iter().filter_map(|outcome| outcome.thing.bytes).sum())
}

/// A number of things, in words.
pub fn things(count: usize) -> String {
    if count == 1 { "1 thing".to_owned() } else { format!("{count} things") }
}

/// A number of bytes as people read it.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (u128::from(bytes) * 10, 0);
    // In tenths, so that no fraction is needed.
    while value >= 10_000 && unit + 1 < UNITS.len() {
        value = (value + 500) / 1000;
        unit += 1;
    }
    let (whole, tenth) = (value / 10, value % 10);
    if unit == 0 || whole >= 100 {
        return format!("{whole} {}", UNITS[unit]);
    }
    format!("{whole}.{tenth} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_what_people_read() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_234_567, "1.2 MB"),
            (123_456_789, "123 MB"),
            (5_000_000_000_000, "5.0 TB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
