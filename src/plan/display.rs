//! Pure. A plan as text, for people and for the tests that compare it.

use super::action::{Effect, Plan, Reason, SessionPlan};
use std::fmt;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fetch in &self.images {
            writeln!(f, "{fetch}")?;
        }
        for session in &self.sessions {
            writeln!(f, "{session}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SessionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
        write!(f, "{} {}: {}", self.effect, self.session, reasons.join(", "))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.old, &self.new) {
            (None, None) => f.write_str(&self.field),
            (None, Some(new)) => write!(f, "{} added: {new}", self.field),
            (Some(old), None) => write!(f, "{} removed: {old}", self.field),
            (Some(old), Some(new)) => write!(f, "{}: {} → {}", self.field, or_none(old), or_none(new)),
        }
    }
}

fn or_none(value: &str) -> &str {
    if value.is_empty() { "(none)" } else { value }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Recreate => "recreate",
            Self::Destroy => "remove",
        })
    }
}
