//! The engine's own events: a container of ours that started or ended, whoever did it.

use super::import;
use super::state::State;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Listens until the end; an engine that goes away is asked again, ever more seldom.
pub async fn watch(state: Arc<State>, address: String) {
    let mut pause = Duration::from_secs(1);
    loop {
        tokio::select! {
            () = state.shutdown.cancelled() => return,
            heard = listen(&state, &address) => if heard { pause = Duration::from_secs(1) },
        }
        tokio::select! {
            () = state.shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(30)),
        }
    }
}

/// Answers whether anything was heard before the stream ended.
async fn listen(state: &Arc<State>, address: &str) -> bool {
    let Ok(docker) = crate::backend::docker::Docker::connect(address).await else { return false };
    let filters = HashMap::from([
        ("type", vec!["container"]),
        ("label", vec!["clauderon.id"]),
        ("event", vec!["start", "die", "oom"]),
    ]);
    let options = EventsOptionsBuilder::default().filters(&filters).build();
    let mut events = docker.client().events(Some(options));
    let mut heard = false;
    while let Some(Ok(event)) = events.next().await {
        heard = true;
        let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
        let Some(id) = attributes.get("clauderon.id") else { continue };
        let Some(served) = state.sessions().get(id).cloned() else { continue };
        let kind = event.action.unwrap_or_default();
        let code = attributes.get("exitCode").and_then(|code| code.parse::<i64>().ok());
        state.note(&served.record, "backend", &kind, json!({ "exit_code": code })).await;
        if kind == "die" {
            // Not here: a session with a full spool would hold up the news of all others.
            let of_state = Arc::clone(state);
            state.tasks.spawn(async move {
                super::session::drain(&of_state, &served).await;
                import::ask(&served);
            });
        }
    }
    heard
}
