//! The fields that are no part of a container: which of them hold once a session was served or prepared.

use crate::daemon::record::Record;
use crate::fs;
use crate::home::Home;
use crate::manifest::effect::{Effect, of_field};
use crate::manifest::project::{AgentKind, Mode};
use crate::render::desired::Desired;
use crate::render::fields::{Fields, PROMPT};
use crate::render::identity::conversation_id;

/// The fields of a record once what is live was applied.
pub fn live(before: &Record, desired: &Desired) -> Fields {
    let mut fields = before.fields.clone();
    let is_live = |name: &String| of_field(name) == Some(Effect::Live);
    fields.retain(|name, _| !is_live(name));
    let live = desired.kept.iter().filter(|(name, _)| is_live(name));
    fields.extend(live.map(|(name, value)| (name.clone(), value.clone())));
    fields
}

/// The fields of a session that was prepared to be started: all, but what a checkout or a conversation that goes on was
/// begun with.
pub fn after(
    home: &Home,
    before: Option<&Record>,
    desired: &Desired,
    fresh: bool,
    conversation: u32,
) -> Fields {
    let mut fields = desired.kept.clone();
    let Some(before) = before else { return fields };
    let goes_on = before.conversation == conversation
        && desired.session.mode == Mode::Interactive
        && begun(home, desired, conversation);
    for (name, value) in &before.fields {
        let stays = match of_field(name) {
            Some(Effect::NewCheckout) => !fresh,
            Some(Effect::NewConversation) => name == PROMPT && goes_on,
            _ => false,
        };
        if stays {
            fields.insert(name.clone(), value.clone());
        }
    }
    fields
}

/// Whether an agent has written of its conversation.
fn begun(home: &Home, desired: &Desired, conversation: u32) -> bool {
    let home = home.session(&desired.id);
    match desired.session.agent.kind {
        AgentKind::Claude => {
            let transcript = format!("-workspace/{}.jsonl", conversation_id(&desired.id, conversation));
            fs::exists(&home.claude_projects().join(transcript))
        }
        AgentKind::Codex => fs::exists(&home.codex().join("sessions")),
    }
}
