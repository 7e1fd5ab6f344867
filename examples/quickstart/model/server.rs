//! The server: TLS, HTTP/1.1 with keep-alive, and which path is answered by whom.

use std::convert::Infallible;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, UPGRADE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ruzstd::decoding::StreamingDecoder;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::arguments::Arguments;
use crate::conversation::{Conversation, from_messages, from_responses};
use crate::error::ModelError;
use crate::journal::{Entry, Journal};
use crate::reply::Reply;
use crate::script::{self, Beat, Script};
use crate::{certificates, claude, codex, side};

/// The longest body read; agents were seen to send up to a few hundred kilobytes.
const BODY_LIMIT: usize = 64 << 20;
/// How long a client may take over its handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may rest between two requests.
const REST: Duration = Duration::from_mins(10);

struct Model {
    script: Script,
    journal: Journal,
    answers: AtomicU64,
}

/// Serves until the process is ended.
pub async fn run(arguments: &Arguments) -> Result<(), ModelError> {
    let identity = certificates::generate()?;
    let model = Arc::new(Model {
        script: read_script(arguments.script.as_deref())?,
        journal: Journal::open(arguments.log.as_deref())?,
        answers: AtomicU64::new(1),
    });
    let address = arguments.listen;
    let listen_error = |source| ModelError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    write_whole(&arguments.ca_out, &identity.authority_pem)?;
    write_whole(&arguments.address_out, &format!("{address}\n"))?;
    let acceptor = TlsAcceptor::from(identity.tls);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(acceptor.clone(), stream, Arc::clone(&model)))),
            // Out of descriptors, most likely: connections that end give some back.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn read_script(path: Option<&Path>) -> Result<Script, ModelError> {
    let (name, text) = match path {
        None => ("built-in".to_owned(), script::DEFAULT.to_owned()),
        Some(path) => {
            (path.display().to_string(), fs::read_to_string(path).map_err(ModelError::file("read", path))?)
        }
    };
    Script::parse(&text).map_err(|source| ModelError::Script { name, source })
}

/// Writes a file that readers see either whole or not at all.
fn write_whole(path: &Path, text: &str) -> Result<(), ModelError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    fs::write(partial, text).map_err(ModelError::file("write", partial))?;
    fs::rename(partial, path).map_err(ModelError::file("write", path))
}

/// Serves one connection; whatever goes wrong on it concerns nobody else.
async fn serve(acceptor: TlsAcceptor, stream: TcpStream, model: Arc<Model>) {
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else { return };
    let service = service_fn(|request| {
        let model = Arc::clone(&model);
        async move { Ok::<_, Infallible>(respond(request, &model).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(REST);
    // The client is gone: it has the rest of its answer or does not want it.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: Request<Incoming>, model: &Model) -> Response<BoxBody<Bytes, Infallible>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await.map(http_body_util::Collected::to_bytes);
    let bytes = body.as_ref().map_or(0, Bytes::len);
    let header = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let body = body.ok().and_then(|body| plain(body, header(CONTENT_ENCODING)));
    let json = body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or(Value::Null);
    let number = model.answers.fetch_add(1, Ordering::Relaxed);
    let (conversation, reply) = answer(
        &head.method,
        head.uri.path(),
        head.headers.contains_key(UPGRADE),
        &json,
        &model.script,
        number,
    );
    let entry = Entry {
        path: head.uri.path_and_query().map_or("/", |path| path.as_str()),
        method: head.method.as_str(),
        user_text: "",
        authorization: header(AUTHORIZATION),
        api_key: header(HeaderName::from_static("x-api-key")),
        model: json["model"].as_str(),
        turns: 0,
        tool_results: 0,
        side: false,
        said: &[],
        body_bytes: bytes,
        status: reply.status.as_u16(),
        usage: &reply.usage,
    };
    match model.journal.append(&entry.with(&conversation)) {
        Ok(()) => on_the_wire(reply),
        Err(error) => on_the_wire(unjournalled(&error)),
    }
}

/// The body as it was before it was compressed, as codex does with a login.
fn plain(body: Bytes, encoding: Option<&str>) -> Option<Bytes> {
    if encoding != Some("zstd") {
        return Some(body);
    }
    let mut text = Vec::new();
    let decoder = StreamingDecoder::new(body.as_ref()).ok()?;
    decoder.take(BODY_LIMIT as u64).read_to_end(&mut text).ok()?;
    Some(text.into())
}

/// Chooses who answers: what neither provider's model is asked is not found.
fn answer(
    method: &Method,
    path: &str,
    upgrade: bool,
    body: &Value,
    script: &Script,
    number: u64,
) -> (Conversation, Reply) {
    match (method, path) {
        (&Method::POST, "/v1/messages") => {
            let conversation = from_messages(body);
            let reply = claude::reply(body, &beat(&conversation, body, script), number);
            (conversation, reply)
        }
        (&Method::POST, "/v1/messages/count_tokens") => (from_messages(body), claude::count_tokens(body)),
        (_, "/v1/responses" | "/backend-api/codex/responses") if upgrade => {
            nobody(StatusCode::UPGRADE_REQUIRED)
        }
        (&Method::POST, "/v1/responses" | "/backend-api/codex/responses") => {
            let conversation = from_responses(body);
            let reply = codex::reply(body, &beat(&conversation, body, script), number);
            (conversation, reply)
        }
        (&Method::GET, "/backend-api/wham/accounts/check") => (Conversation::default(), codex::accounts()),
        _ => nobody(StatusCode::NOT_FOUND),
    }
}

fn beat(conversation: &Conversation, body: &Value, script: &Script) -> Beat {
    if conversation.side {
        side::beat(body)
    } else {
        script.beat(&conversation.user_text, conversation.tool_results)
    }
}

/// What the agents were seen to bear well: an empty object.
fn nobody(status: StatusCode) -> (Conversation, Reply) {
    (Conversation::default(), Reply::json(status, &json!({})))
}

/// A test that reads the journal must not miss a request: the agent is told instead.
fn unjournalled(error: &std::io::Error) -> Reply {
    let message = format!("the request could not be recorded: {error}");
    Reply::json(
        StatusCode::INTERNAL_SERVER_ERROR,
        &json!({"error": {"type": "api_error", "message": message}}),
    )
}

fn on_the_wire(reply: Reply) -> Response<BoxBody<Bytes, Infallible>> {
    let delay = reply.delay;
    let pieces = stream::iter(reply.pieces).enumerate().then(move |(index, piece)| async move {
        if index == 1 {
            tokio::time::sleep(delay).await;
        }
        Ok(Frame::data(piece))
    });
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(pieces)));
    *response.status_mut() = reply.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    response
}
