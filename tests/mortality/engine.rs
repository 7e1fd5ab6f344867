//! An engine that runs nothing: what clauderon asks of Docker's API, answered from memory over a socket, so that the real
//! program can be started and killed as often as it has calls.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The programs that its one image has.
const PROGRAMS: &str = "bash curl git sccache claude codex mkdir chmod cat date\n";

/// What it holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holds {
    pub containers: BTreeMap<String, Container>,
    /// The volumes, with their labels.
    pub volumes: BTreeMap<String, Value>,
    /// The volumes that were given to a user.
    pub given: BTreeSet<String>,
}

/// One container.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    pub labels: BTreeMap<String, String>,
    pub environment: Value,
    pub volumes: BTreeSet<String>,
    pub state: State,
    program: String,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Created,
    Running,
    Exited,
}

type Held = Arc<Mutex<Holds>>;
type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Serves at a path for as long as the process lives; answers what it holds.
pub fn serve(path: &Path) -> Held {
    let held = Held::default();
    let of_server = Arc::clone(&held);
    let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let held = Arc::clone(&of_server);
                let service = service_fn(move |request| answer(request, Arc::clone(&held)));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
    });
    held
}

async fn answer(request: Request<Incoming>, held: Held) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = head.uri.path().trim_start_matches("/v1.41").to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let query = head.uri.query().unwrap_or_default();
    let mut holds = held.lock().unwrap();
    Ok(match (&head.method, parts.as_slice()) {
        (_, ["_ping"]) => {
            let mut pong = json(200, &json!("OK"));
            pong.headers_mut().insert("api-version", "1.41".parse().unwrap());
            pong
        }
        (_, ["events"]) => stream(),
        (_, ["images", .., "json"]) => json(200, &json!({"Id": "sha256:1", "Config": {"Env": ["A=b"]}})),
        (_, ["containers", "json"]) => json(200, &holds.list(query)),
        (&Method::POST, ["containers", "create"]) => holds.create(query, &body),
        (_, ["containers", name, verb]) => holds.act(name, verb),
        (&Method::DELETE, ["containers", name]) => {
            nothing(if holds.containers.remove(*name).is_some() { 204 } else { 404 })
        }
        (&Method::POST, ["volumes", "create"]) => {
            let name = body["Name"].as_str().unwrap_or_default();
            holds.volumes.insert(name.to_owned(), body["Labels"].clone());
            json(201, &holds.volume(name))
        }
        (&Method::DELETE, ["volumes", name]) => holds.remove_volume(name),
        (_, ["volumes"]) => {
            let all: Vec<Value> = holds.volumes.keys().map(|name| holds.volume(name)).collect();
            json(200, &json!({"Volumes": all, "Warnings": []}))
        }
        (_, ["volumes", name]) if holds.volumes.contains_key(*name) => json(200, &holds.volume(name)),
        _ => nothing(404),
    })
}

impl Holds {
    fn list(&self, query: &str) -> Value {
        let one = |(name, container): (&String, &Container)| {
            let (state, status) = match container.state {
                State::Created => ("created", "Created"),
                State::Running => ("running", "Up 1 second"),
                State::Exited => ("exited", "Exited (143) 1 second ago"),
            };
            json!({
                "Id": name, "Names": [format!("/{name}")], "Image": "agents:1", "Labels": container.labels,
                "State": state, "Status": status, "Created": 1,
            })
        };
        // The other question is for the containers of a volume.
        let asked = |(_, container): &(&String, &Container)| {
            !query.contains("%22volume%22") || container.volumes.iter().any(|volume| query.contains(volume))
        };
        self.containers.iter().filter(asked).map(one).collect()
    }

    fn create(&mut self, query: &str, body: &Value) -> Answer {
        let name = query.split('&').find_map(|part| part.strip_prefix("name=")).unwrap_or_default();
        if self.containers.contains_key(name) {
            return json(409, &json!({"message": "the name is in use"}));
        }
        let mounts = body["HostConfig"]["Mounts"].as_array().cloned().unwrap_or_default();
        let volumes = mounts.iter().filter(|mount| mount["Type"] == "volume");
        let container = Container {
            labels: serde_json::from_value(body["Labels"].clone()).unwrap(),
            environment: body["Env"].clone(),
            volumes: volumes.map(|mount| mount["Source"].as_str().unwrap().to_owned()).collect(),
            state: State::Created,
            program: body["Entrypoint"][0].as_str().unwrap_or_default().to_owned(),
        };
        self.containers.insert(name.to_owned(), container);
        json(201, &json!({"Id": name, "Warnings": []}))
    }

    fn act(&mut self, name: &str, verb: &str) -> Answer {
        let Some(container) = self.containers.get_mut(name) else { return nothing(404) };
        match verb {
            "json" => json(200, &json!({"Id": name, "Config": {"Labels": container.labels}})),
            "start" if container.state == State::Running => nothing(304),
            "start" => {
                container.state = State::Running;
                if container.program == "chown" {
                    self.given.extend(container.volumes.iter().cloned());
                }
                nothing(204)
            }
            "stop" if container.state != State::Running => nothing(304),
            "stop" => {
                container.state = State::Exited;
                nothing(204)
            }
            "wait" => json(200, &json!({"StatusCode": 0})),
            "logs" => {
                let mut frame = vec![1, 0, 0, 0];
                frame.extend(u32::try_from(PROGRAMS.len()).unwrap().to_be_bytes());
                frame.extend(PROGRAMS.as_bytes());
                Response::new(Full::new(frame.into()).boxed())
            }
            _ => nothing(404),
        }
    }

    fn volume(&self, name: &str) -> Value {
        json!({
            "Name": name, "Labels": self.volumes.get(name), "Driver": "local", "Mountpoint": "/", "Scope": "local",
            "Options": {},
        })
    }

    fn remove_volume(&mut self, name: &str) -> Answer {
        if self.containers.values().any(|container| container.volumes.contains(name)) {
            return json(409, &json!({"message": "the volume is in use"}));
        }
        self.given.remove(name);
        nothing(if self.volumes.remove(name).is_some() { 204 } else { 404 })
    }
}

fn json(status: u16, value: &Value) -> Answer {
    let body = Full::new(Bytes::from(value.to_string())).boxed();
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

fn nothing(status: u16) -> Answer {
    match status {
        404 => json(404, &json!({"message": "there is none"})),
        _ => Response::builder().status(status).body(Full::default().boxed()).unwrap(),
    }
}

/// Events, of which none comes.
fn stream() -> Answer {
    let never = futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>();
    Response::new(BodyExt::boxed(StreamBody::new(never)))
}
