//! Logs, terminals and executions: the streams of a running container.

use super::Docker;
use crate::backend::Error;
use bollard::container::LogOutput;
use bollard::query_parameters as query;
use futures_util::{Stream, StreamExt, TryStreamExt};
use std::pin::Pin;
use tokio::io::AsyncWrite;

/// Bytes from a container.
pub type Output = Pin<Box<dyn Stream<Item = Result<Chunk, Error>> + Send>>;
/// Bytes to a container.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// One piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Whether it came on standard error. A terminal knows only one stream.
    pub error: bool,
    /// The bytes.
    pub bytes: bytes::Bytes,
}

/// Both directions of a terminal or an execution.
pub struct Session {
    /// From the container.
    pub output: Output,
    /// To the container.
    pub input: Input,
}

/// What is executed in a container.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// A terminal.
    pub terminal: bool,
    /// Standard input is passed on.
    pub stdin: bool,
    /// `NAME=VALUE`, beside the container's own.
    pub environment: Vec<String>,
}

fn chunk(output: LogOutput) -> Chunk {
    let error = matches!(output, LogOutput::StdErr { .. });
    Chunk { error, bytes: output.into_bytes() }
}

impl Docker {
    /// What a container printed, and with `follow` what it goes on to print.
    pub fn logs(&self, name: &str, follow: bool, tail: &str) -> Output {
        let options =
            query::LogsOptionsBuilder::default().stdout(true).stderr(true).follow(follow).tail(tail).build();
        let (docker, name) = (self.clone(), name.to_owned());
        let client = self.client.clone();
        let stream = async_stream(client, name.clone(), options);
        Box::pin(stream.map(move |item| item.map(chunk).map_err(|error| docker.failed("read", &name, error))))
    }

    /// Attaches to the terminal of a container. The engine itself ends it on the detach keys.
    pub async fn attach(&self, name: &str, detach_keys: Option<&str>) -> Result<Session, Error> {
        let mut options = query::AttachContainerOptionsBuilder::default()
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .stream(true)
            .logs(true);
        if let Some(keys) = detach_keys {
            options = options.detach_keys(keys);
        }
        let attached = self.client.attach_container(name, Some(options.build())).await;
        let attached = attached.map_err(|error| self.failed("attach to", name, error))?;
        let (docker, name) = (self.clone(), name.to_owned());
        let output = attached.output.map_ok(chunk);
        let output = output.map_err(move |error| docker.failed("read from", &name, error));
        Ok(Session { output: Box::pin(output), input: attached.input })
    }

    /// Tells a container's terminal its size.
    pub async fn resize(&self, name: &str, rows: u16, columns: u16) -> Result<(), Error> {
        let options =
            query::ResizeContainerTTYOptionsBuilder::default().h(rows.into()).w(columns.into()).build();
        let resized = self.client.resize_container_tty(name, options).await;
        resized.map_err(|error| self.failed("resize", name, error))
    }

    /// Starts a program in a container and answers its id there and its streams.
    pub async fn exec(&self, name: &str, exec: Exec) -> Result<(String, Session), Error> {
        let options = bollard::exec::CreateExecOptions {
            cmd: Some(exec.argv),
            tty: Some(exec.terminal),
            attach_stdin: Some(exec.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            env: Some(exec.environment),
            ..Default::default()
        };
        let failed = |error| self.failed("execute in", name, error);
        let id = self.client.create_exec(name, options).await.map_err(failed)?.id;
        match self.client.start_exec(&id, None).await.map_err(failed)? {
            bollard::exec::StartExecResults::Attached { output, input } => {
                let (docker, name) = (self.clone(), name.to_owned());
                let output = output.map_ok(chunk);
                let output = output.map_err(move |error| docker.failed("read from", &name, error));
                Ok((id, Session { output: Box::pin(output), input }))
            }
            bollard::exec::StartExecResults::Detached => Err(Error::Engine {
                verb: "execute in",
                name: name.to_owned(),
                source: "the engine detached from the program".into(),
            }),
        }
    }

    /// Tells the terminal of an execution its size.
    pub async fn resize_exec(&self, id: &str, rows: u16, columns: u16) -> Result<(), Error> {
        let options = bollard::exec::ResizeExecOptions { height: rows, width: columns };
        let resized = self.client.resize_exec(id, options).await;
        resized.map_err(|error| self.failed("resize", id, error))
    }

    /// How an execution ended.
    pub async fn exec_code(&self, id: &str) -> Result<i64, Error> {
        let told = self.client.inspect_exec(id).await.map_err(|error| self.failed("inspect", id, error))?;
        Ok(told.exit_code.unwrap_or(0))
    }
}

/// The client's log stream borrows the client: a channel lets it live as long as its reader.
fn async_stream(
    client: bollard::Docker,
    name: String,
    options: query::LogsOptions,
) -> impl Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        let mut logs = client.logs(&name, Some(options));
        while let Some(item) = logs.next().await {
            if sender.send(item).await.is_err() {
                return;
            }
        }
    });
    futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    })
}
