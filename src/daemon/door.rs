//! The hook endpoint's door into the daemon: of one session behind its socket, or of all behind the HTTP port.

use super::import;
use super::session::drain;
use super::state::{Served, State};
use crate::hooks::activity::STAMP;
use crate::hooks::endpoint::{Door, Guest, matches};
use crate::hooks::message::Message;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A door.
pub struct Hooks {
    state: Arc<State>,
    only: Option<String>,
}

impl Hooks {
    /// The door behind one session's socket: another session's token opens nothing there.
    pub fn of_session(state: Arc<State>, id: String) -> Self {
        Self { state, only: Some(id) }
    }

    /// The door behind the HTTP port.
    pub fn of_all(state: Arc<State>) -> Self {
        Self { state, only: None }
    }
}

impl Door for Hooks {
    fn session(&self, token: &str) -> Option<Guest> {
        let sessions = self.state.sessions();
        // Every token is compared, so that the time tells nothing of which one it was.
        let mut found = None;
        for (id, served) in sessions.iter() {
            let here = self.only.as_ref().is_none_or(|only| only == id);
            if matches(token, &served.token) && here {
                found = Some(Guest { id: id.clone(), places: Arc::clone(&served.places) });
            }
        }
        found
    }

    fn accept(
        &self,
        session: String,
        message: Message,
        place: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, Result<(), String>> {
        let state = Arc::clone(&self.state);
        // A task of its own: a caller that leaves must not end it between the storing of a spooled event and its removal.
        let stored = self.state.tasks.spawn(async move {
            let _place = place;
            let served = state.sessions().get(&session).cloned().ok_or("the session is gone")?;
            // What was spooled came first.
            drain(&state, &served).await;
            store(&state, &served, message).await
        });
        async move { stored.await.unwrap_or_else(|error| Err(error.to_string())) }.boxed()
    }
}

/// The agent's data with the time at which the hook ran: what was spooled comes late.
fn stamped(mut data: Value, timestamp: Option<String>) -> Value {
    if let (Value::Object(data), Some(timestamp)) = (&mut data, timestamp) {
        data.insert(STAMP.to_owned(), timestamp.into());
    }
    data
}

/// Stores an event of the agent's; a turn that ended asks for an import.
pub async fn store(state: &Arc<State>, served: &Served, message: Message) -> Result<(), String> {
    let turn_over = matches!(message.event.as_str(), "Stop" | "StopFailure" | "SessionEnd");
    let stored =
        state.record(&served.record, "hook", &message.event, stamped(message.data, message.timestamp)).await;
    stored.map_err(|error| error.to_string())?;
    state.hear(&served.record.id, super::lives::now());
    if turn_over {
        import::ask(served);
    }
    Ok(())
}
