//! Pure. A plan as text, for people and for the tests that compare it.

use super::action::{Deferred, Effect, Plan, Reason, SessionPlan};
use crate::manifest::effect;
use std::fmt;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fetch in &self.images {
            writeln!(f, "{fetch}")?;
        }
        for session in &self.sessions {
            writeln!(f, "{session}")?;
        }
        for deferred in &self.deferred {
            writeln!(f, "{deferred}")?;
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
        write!(f, "{} {}: {}", self.effect, self.session, reasons.join(", "))?;
        if self.waits { f.write_str("; waits until the agent is idle") } else { Ok(()) }
    }
}

impl fmt::Display for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, reason, .. } = self;
        let how = match reason.effect {
            Some(effect::Effect::NewCheckout) => {
                format!("`clauderon down --checkouts {session}` and `up` make one")
            }
            Some(effect::Effect::Restart | effect::Effect::Recreate) => {
                format!("it has done its work, and `clauderon up --renew {session}` has it done again")
            }
            _ => format!("`clauderon up --renew {session}` begins one"),
        };
        write!(f, "keep {session}: {reason}: {how}")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.old, &self.new) {
            (None, None) => f.write_str(&self.field)?,
            (None, Some(new)) => write!(f, "{} added: {new}", self.field)?,
            (Some(old), None) => write!(f, "{} removed: {old}", self.field)?,
            (Some(old), Some(new)) => write!(f, "{}: {} → {}", self.field, or_none(old), or_none(new))?,
        }
        self.effect.map_or(Ok(()), |effect| write!(f, " [{effect}]"))
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
            Self::Live => "live",
            Self::Restart => "restart",
            Self::Recreate => "recreate",
            Self::Destroy => "remove",
        })
    }
}
