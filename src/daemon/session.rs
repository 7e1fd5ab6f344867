//! One session's socket: bound, served, and closed again. The socket is the session's identity.

use super::door::Hooks;
use super::record::Record;
use super::state::{Served, State};
use super::{Error, import};
use crate::hooks::activity::{CREDENTIAL_LENT, CREDENTIAL_MISSING};
use crate::hooks::spool::Spool;
use crate::hooks::{endpoint, message};
use crate::proxy::caller::Caller;
use crate::proxy::forward;
use crate::proxy::lending::Lent;
use crate::proxy::ruled::Ruled;
use rustix::fs::{Mode, OFlags};
use serde_json::json;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Connections of one session at once; a further one waits.
const MOST: usize = 512;

/// Spooled messages that are read before any is stored.
const MOST_IN_TURN: usize = 100;

/// The longest path that fits a socket's address.
const LONGEST_ADDRESS: usize = 107;

/// Binds a session's socket anew and serves it until it is stopped. A session that cannot be served is no longer among
/// the served ones, so that the next request tries again.
pub fn serve(state: &Arc<State>, served: Served) -> Result<(), Error> {
    match bind(&state.home.session(&served.record.id).socket()) {
        Ok(listener) => {
            state.tasks.spawn(accept(Arc::clone(state), served, listener));
            Ok(())
        }
        Err(error) => {
            served.stop.cancel();
            state.sessions().remove(&served.record.id);
            Err(error)
        }
    }
}

fn bind(path: &Path) -> Result<UnixListener, Error> {
    let directory = path.parent().unwrap_or(path);
    crate::fs::create_private_dir(directory)?;
    crate::fs::remove_file(path)?;
    let listen = |source| Error::Listen { place: path.display().to_string(), source };
    let listener = if path.as_os_str().len() <= LONGEST_ADDRESS {
        UnixListener::bind(path).map_err(listen)?
    } else {
        // The directory's descriptor makes a short name of it. Inside the container the path is short anyway.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened =
            rustix::fs::open(directory, flags, Mode::empty()).map_err(|error| listen(error.into()))?;
        let short = format!("/proc/self/fd/{}", opened.as_raw_fd());
        UnixListener::bind(Path::new(&short).join(path.file_name().unwrap_or_default())).map_err(listen)?
    };
    // The directory above is the user's alone; inside, the container's user may be another.
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(path, open).map_err(listen)?;
    Ok(listener)
}

/// A session as the proxy knows it.
pub fn caller(state: &Arc<State>, record: &Arc<Record>) -> Result<Arc<Caller>, Error> {
    let names = (record.project.clone(), record.session.clone());
    let policy = record.policy().with_models();
    let judge = Arc::new(judge(state, record));
    state.meter(&record.id).limit(record.budget, record.conversation);
    let caller = Caller::new(Arc::clone(&state.proxy), names, policy, judge)?;
    Ok(Arc::new(caller.counting(state.denials(&record.id))))
}

/// Has a session's rules hold as its record has them now, with its connections left alone.
pub fn change(state: &Arc<State>, caller: &Caller, record: &Arc<Record>) -> Result<(), Error> {
    state.meter(&record.id).limit(record.budget, record.conversation);
    Ok(caller.change(record.policy().with_models(), Arc::new(judge(state, record)))?)
}

/// A session's rules, and what it is lent.
fn judge(state: &Arc<State>, record: &Arc<Record>) -> Ruled {
    let (of_state, of_record) = (Arc::clone(state), Arc::clone(record));
    let tell = move |credential: &str, why: Option<&str>| {
        let kind = if why.is_some() { CREDENTIAL_MISSING } else { CREDENTIAL_LENT };
        let data = json!({ "credential": credential, "reason": why });
        let (state, record) = (Arc::clone(&of_state), Arc::clone(&of_record));
        of_state.tasks.spawn(async move { state.note(&record, "proxy", kind, data).await });
    };
    let (id, credentials) = (record.id.clone(), record.credentials.clone());
    let meter = state.meter(&record.id);
    let lent = Lent::new(id, credentials, Arc::clone(&state.keeper), Box::new(tell));
    Ruled::lending(record.rules.clone(), lent).counting(meter)
}

async fn accept(state: Arc<State>, served: Served, listener: UnixListener) {
    let places = Arc::new(Semaphore::new(MOST));
    let stop = served.stop.clone();
    drain(&state, &served).await;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                let (state, served) = (Arc::clone(&state), served.clone());
                let tracker = state.tasks.clone();
                tracker.spawn(async move {
                    connection(state, served, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                // No descriptors are left, most likely: the next try comes when some are free again.
                tracing::warn!(%error, "a session's connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The first line says whether the proxy or the hook endpoint is wanted.
async fn connection(state: Arc<State>, served: Served, mut stream: UnixStream) {
    let (session, stop) = (&served.record.session, served.stop.clone());
    let word = tokio::select! {
        () = stop.cancelled() => return,
        word = tokio::time::timeout(Duration::from_secs(10), first_line(&mut stream)) => word,
    };
    match word.ok().flatten().as_deref() {
        Some("proxy") => {
            if let Err(error) = forward::serve(stream, Arc::clone(&served.caller), stop).await {
                tracing::debug!(session, %error, "a proxy connection broke off");
            }
        }
        Some("hooks") => {
            let door = Arc::new(Hooks::of_session(Arc::clone(&state), served.record.id.clone()));
            tokio::select! {
                () = stop.cancelled() => {}
                answered = endpoint::serve(stream, door) => if let Err(error) = answered {
                    tracing::debug!(session, %error, "a hook connection broke off");
                },
            }
        }
        _ => tracing::debug!(session, "a connection asked for nothing that is here"),
    }
}

async fn first_line(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut word = Vec::new();
    while word.len() < 16 {
        match stream.read_u8().await.ok()? {
            b'\n' => return String::from_utf8(word).ok(),
            byte => word.push(byte),
        }
    }
    None
}

/// Stores what was spooled while no daemon was there. What an agent can cause at will is no line of the log.
pub async fn drain(state: &Arc<State>, served: &Served) {
    let _alone = served.spool.lock().await;
    let mut stored = false;
    while !served.stop.is_cancelled() {
        let (path, id) = (state.home.session(&served.record.id).spool(), served.record.id.clone());
        let Ok(turn) = tokio::task::spawn_blocking(move || Turn::take(&path, &id)).await else { return };
        let Some(turn) = turn else { break };
        let mut done = Vec::with_capacity(turn.messages.len());
        for (name, message) in turn.messages {
            if super::door::store(state, served, message).await.is_err() {
                break;
            }
            done.push(name);
        }
        stored |= !done.is_empty();
        let (all, spool) = (done.len() == turn.count, turn.spool);
        let removed = tokio::task::spawn_blocking(move || done.iter().for_each(|name| spool.remove(name)));
        if removed.await.is_err() || !all {
            return;
        }
    }
    if stored {
        import::ask(served);
    }
}

/// Messages of a spool that are stored in one turn.
struct Turn {
    spool: Spool,
    messages: Vec<(String, message::Message)>,
    count: usize,
}

impl Turn {
    /// Reads the oldest ones, and removes what is none on the way. It may take long: not on a thread that serves others.
    fn take(path: &Path, id: &str) -> Option<Self> {
        let spool = Spool::open(path).ok()?;
        let (mut messages, mut length) = (Vec::new(), 0);
        for name in spool.names().ok()? {
            let read = spool.read(&name).ok().flatten();
            length += read.as_ref().map_or(0, |spooled| spooled.bytes.len());
            match read.map(|spooled| message::parse(&spooled.bytes, id)) {
                Some(Ok(message)) => messages.push((name, message)),
                other => {
                    let error = other.and_then(Result::err).map(|error| error.to_string());
                    tracing::debug!(id, name, error, "a spooled file is no message");
                    spool.remove(&name);
                }
            }
            if messages.len() >= MOST_IN_TURN || length >= message::LONGEST {
                break;
            }
        }
        let count = messages.len();
        (count > 0).then_some(Self { spool, messages, count })
    }
}
