//! The daemon's life: the lock, the control socket, the sessions of before, and an orderly end.

use super::control::{Request, Response, Status};
use super::door::Hooks;
use super::life::Life;
use super::state::{Served, State, now};
use super::{Error, denied, engine, import, lives, metered, record, session, turns};
use crate::credential::keeper::Keeper;
use crate::fs;
use crate::home::Home;
use crate::hooks::{endpoint, token};
use crate::proxy::audit::Audit;
use crate::proxy::caller::Installation;
use crate::proxy::errand::Errand;
use crate::proxy::policy::Policy;
use crate::proxy::{ca, trust};
use crate::store::Writer;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use zeroize::Zeroize;

/// Connections of the HTTP port at once: any user of the machine may open them.
const MOST_HTTP: usize = 256;
/// The longest question on the control socket.
const LONGEST: u64 = 1 << 20;

/// How the daemon is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is.
    pub home: Home,
    /// A port of 127.0.0.1 that serves hooks too.
    pub http_port: Option<u16>,
    /// The engine's address.
    pub engine: String,
}

/// Runs the daemon until `shutdown` or a request ends it.
pub async fn serve(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let home = options.home;
    raise_limit();
    fs::create_private_dir(home.path())?;
    fs::close_to_others(home.path())?;
    fs::create_private_dir(&home.sessions())?;
    let lock = fs::append(&home.daemon_lock())?;
    lock.try_lock().map_err(|_| Error::Taken)?;
    let http = match options.http_port {
        Some(port) => Some(listen(port).await?),
        None => None,
    };
    let (store, writer) = Writer::open(&home.database())?;
    let audit = Arc::new(Audit::open(&home.audit_log())?);
    let authority = ca::load(&home, time::OffsetDateTime::now_utc())?;
    let proxy = Arc::new(Installation::new(audit, authority, trust::system_roots())?);
    let errand = Errand::new(&proxy, Policy::default()).map_err(crate::proxy::caller::Error::from)?;
    let keeper = Arc::new(Keeper::new(Arc::new(errand)));
    let state = Arc::new(State::new(home.clone(), store, proxy, keeper, options.http_port));
    for record in record::all(&home)?.into_iter().filter(|record| record.active) {
        turns::read(&state.turns, &home, &record.id);
        if let Err(error) = watch(&state, record) {
            tracing::error!(%error, "a session of before is not served");
        }
    }
    state.tasks.spawn(engine::watch(Arc::clone(&state), options.engine));
    state.tasks.spawn(turns::watch(Arc::clone(&state)));
    if let Some(listener) = http {
        state.tasks.spawn(serve_http(Arc::clone(&state), listener));
    }
    // Bound last: who reaches it finds everything served. The lock is ours, so an old socket is nobody's.
    fs::remove_file(&home.control_socket())?;
    let control = bind_control(&home)?;
    tracing::info!(home = %home.path().display(), "the daemon is ready");
    tokio::select! {
        () = shutdown => {}
        () = state.shutdown.cancelled() => {}
        () = accept(&state, &control) => {}
    }
    finish(&state, control).await?;
    drop(state);
    // The writer ends when the last handle on it has gone.
    let joined = tokio::task::spawn_blocking(move || writer.join());
    if tokio::time::timeout(Duration::from_secs(5), joined).await.is_err() {
        tracing::error!("the event store did not close in time");
    }
    drop(lock);
    Ok(())
}

async fn finish(state: &Arc<State>, control: UnixListener) -> Result<(), Error> {
    drop(control);
    fs::remove_file(&state.home.control_socket())?;
    state.shutdown.cancel();
    let served = std::mem::take(&mut *state.sessions());
    for served in served.values() {
        served.stop.cancel();
    }
    state.tasks.close();
    if tokio::time::timeout(Duration::from_secs(5), state.tasks.wait()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    state.proxy.audit.flush();
    for id in served.keys() {
        denied::keep(state, id);
        metered::keep_last(state, id);
    }
    Ok(())
}

fn bind_control(home: &Home) -> Result<UnixListener, Error> {
    let path = home.control_socket();
    let failed = |source| Error::Listen { place: path.display().to_string(), source };
    let control = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(control)
}

async fn listen(port: u16) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(("127.0.0.1", port)).await;
    bound.map_err(|source| Error::Listen { place: format!("127.0.0.1:{port}"), source })
}

async fn serve_http(state: Arc<State>, listener: TcpListener) {
    let door = Arc::new(Hooks::of_all(Arc::clone(&state)));
    let places = Arc::new(Semaphore::new(MOST_HTTP));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = state.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (door, shutdown) = (Arc::clone(&door), state.shutdown.clone());
        state.tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                served = endpoint::serve(stream, door) => if let Err(error) = served {
                    tracing::debug!(%error, "a hook connection broke off");
                },
            }
            drop(place);
        });
    }
}

async fn accept(state: &Arc<State>, control: &UnixListener) {
    loop {
        let Ok((stream, _)) = control.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let own = rustix::process::getuid().as_raw();
        // The socket's mode keeps others out already; root passes that.
        if stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0) {
            state.tasks.spawn(converse(Arc::clone(state), stream));
        }
    }
}

async fn converse(state: Arc<State>, stream: UnixStream) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        let mut bounded = (&mut stream).take(LONGEST);
        let read = tokio::select! {
            () = state.shutdown.cancelled() => return,
            read = bounded.read_line(&mut line) => read,
        };
        if read.is_err() || !line.ends_with('\n') {
            return;
        }
        let request = serde_json::from_str::<Request>(&line);
        line.zeroize();
        let stop = matches!(request, Ok(Request::Stop));
        let response = match request {
            Ok(request) => answer(&state, request).await,
            Err(error) => Response::Failed(format!("the question is not understood: {error}")),
        };
        let mut bytes = serde_json::to_vec(&response).unwrap_or_default();
        bytes.push(b'\n');
        let written = stream.get_mut().write_all(&bytes).await;
        if stop {
            state.shutdown.cancel();
        }
        if written.is_err() {
            return;
        }
    }
}

async fn answer(state: &Arc<State>, request: Request) -> Response {
    if let Some(id) = request.ids().iter().find(|id| !record::is_id(id)) {
        return Response::Failed(format!("`{}` is no session's id", id.escape_debug()));
    }
    match request {
        Request::Watch { ids } => {
            for id in ids {
                let watched = match record::read(&state.home, &id) {
                    Ok(Some(record)) => watch(state, record),
                    Ok(None) => Ok(()),
                    Err(error) => Err(error.into()),
                };
                if let Err(error) = watched {
                    return Response::Failed(error.to_string());
                }
            }
            Response::Done
        }
        Request::Forget { ids } => {
            for id in ids {
                let served = state.sessions().remove(&id);
                state.keeper.forget(&id);
                state.lives.forget(&id);
                state.turns.forget(&id);
                if let Some(served) = served {
                    served.stop.cancel();
                    denied::tell(state, &served.record).await;
                }
                metered::keep_last(state, &id);
                state.forget_meter(&id);
            }
            Response::Done
        }
        Request::Want { ids, run } => {
            for id in ids {
                let now = lives::now();
                let want = |life: &mut Life| if run { life.start_asked() } else { life.stop_asked(now) };
                state.lives.change(&id, want);
            }
            Response::Done
        }
        Request::Lend { id, values } => {
            let values = values.into_iter().map(|(name, value)| (name, value.0)).collect();
            state.keeper.hand(&id, values);
            Response::Done
        }
        Request::Import { id } => {
            let record = match record::read(&state.home, &id) {
                Ok(Some(record)) => Arc::new(record),
                Ok(None) => return Response::Imported(Vec::new()),
                Err(error) => return Response::Failed(error.to_string()),
            };
            match import::now(state, &record).await {
                Ok(lines) => Response::Imported(lines),
                Err(error) => Response::Failed(error),
            }
        }
        Request::Note { id, kind, data } => match record::read(&state.home, &id) {
            Ok(Some(record)) => {
                state.note(&record, "reconcile", &kind, data).await;
                Response::Done
            }
            Ok(None) => Response::Failed("there is no record of this session".to_owned()),
            Err(error) => Response::Failed(error.to_string()),
        },
        Request::Denied { ids } => {
            let served = |id: &String| state.sessions().contains_key(id);
            let count =
                |id| if served(id) { state.denials(id).total() } else { denied::kept(&state.home, id) };
            Response::Denied(ids.iter().map(count).collect())
        }
        Request::Heard { ids } => {
            let sessions = state.sessions();
            let heard = |id: &String| sessions.get(id).and_then(|served| served.caller.heard());
            Response::Heard(ids.iter().map(heard).collect())
        }
        Request::Usage { ids } => {
            let served = |id: &String| state.sessions().contains_key(id);
            let count =
                |id| if served(id) { state.meter(id).ledger() } else { metered::kept(&state.home, id) };
            Response::Usage(ids.iter().map(count).collect())
        }
        Request::Status => Response::Status(Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: state.since.clone(),
            sessions: state.sessions().len(),
            http_port: state.http_port,
            engine_away: state.engine_away().as_ref().map(|(since, _)| since.clone()),
        }),
        Request::Stop => Response::Done,
    }
}

/// Serves a session, anew where its record has changed or its socket has gone; else it is left alone. What is said of
/// hosts is changed under it.
fn watch(state: &Arc<State>, record: record::Record) -> Result<(), Error> {
    let record = Arc::new(record);
    let before = state.sessions().get(&record.id).cloned();
    if let Some(served) = &before
        && served.record.differs_in_rules_alone(&record)
        && fs::exists(&state.home.session(&record.id).socket())
    {
        if served.record != record {
            session::change(state, &served.caller, &record)?;
            let id = record.id.clone();
            state.sessions().insert(id, Served { record, ..served.clone() });
            state.timed.notify_one();
        }
        return Ok(());
    }
    let token = token::load(&state.home.session(&record.id).path().join("token"))?;
    let (places, spool) = match &before {
        Some(before) => (Arc::clone(&before.places), Arc::clone(&before.spool)),
        None => (Arc::new(Semaphore::new(endpoint::MOST)), Arc::default()),
    };
    let (sender, asked) = tokio::sync::mpsc::channel(1);
    let served = Served {
        caller: session::caller(state, &record)?,
        record,
        token: token.into(),
        stop: state.shutdown.child_token(),
        places,
        spool,
        import: sender,
    };
    let id = served.record.id.clone();
    state.sessions().insert(id, served.clone());
    state.timed.notify_one();
    if let Some(before) = before {
        before.stop.cancel();
    }
    state.tasks.spawn(import::serve(Arc::clone(state), served.clone(), asked));
    state.tasks.spawn(denied::serve(Arc::clone(state), served.clone()));
    state.tasks.spawn(metered::serve(Arc::clone(state), served.clone()));
    session::serve(state, served)
}

/// Each session may hold some hundred connections: the usual limit of 1024 descriptors would let one starve the others.
fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files was not raised");
    }
}

/// The start of the daemon's log.
pub fn begin_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("CLAUDERON_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A second log in one process is refused, and the first goes on.
    let _ = subscriber.try_init();
    tracing::info!(started = now(), "the daemon begins");
}
