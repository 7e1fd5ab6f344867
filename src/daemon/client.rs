//! A conversation with the daemon over its control socket.

use super::Error;
use super::control::{Handed, Request, Response, Status};
use crate::home::Home;
use crate::proxy::ledger::Ledger;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// An import may copy much; everything else is done in milliseconds.
const PATIENCE: Duration = Duration::from_mins(5);

/// An open conversation.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to a daemon that runs.
    pub async fn connect(home: &Home) -> Result<Self, Error> {
        let stream = UnixStream::connect(home.control_socket()).await.map_err(|_| Error::Absent)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    async fn ask(&mut self, request: &Request) -> Result<Response, Error> {
        let mut line = serde_json::to_vec(request).map_err(|error| Error::Refused(error.to_string()))?;
        line.push(b'\n');
        let conversation = async {
            self.stream.get_mut().write_all(&line).await?;
            let mut answer = String::new();
            if self.stream.read_line(&mut answer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            Ok(answer)
        };
        let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let answer = tokio::time::timeout(PATIENCE, conversation).await.unwrap_or_else(late);
        let answer = answer.map_err(Error::Broken)?;
        match serde_json::from_str(&answer) {
            Ok(Response::Failed(why)) => Err(Error::Refused(why)),
            Ok(response) => Ok(response),
            Err(error) => Err(Error::Refused(error.to_string())),
        }
    }

    /// Has sessions served.
    pub async fn watch(&mut self, ids: &[String]) -> Result<(), Error> {
        self.ask(&Request::Watch { ids: ids.to_vec() }).await.map(drop)
    }

    /// Says that the user wants sessions to run, or not to.
    pub async fn want(&mut self, ids: &[String], run: bool) -> Result<(), Error> {
        self.ask(&Request::Want { ids: ids.to_vec(), run }).await.map(drop)
    }

    /// Hands over values of variables for a session.
    pub async fn lend(&mut self, id: &str, values: BTreeMap<String, Handed>) -> Result<(), Error> {
        self.ask(&Request::Lend { id: id.to_owned(), values }).await.map(drop)
    }

    /// Has sessions served no longer.
    pub async fn forget(&mut self, ids: &[String]) -> Result<(), Error> {
        self.ask(&Request::Forget { ids: ids.to_vec() }).await.map(drop)
    }

    /// Imports a session's commits and answers what came, in words.
    pub async fn import(&mut self, id: &str) -> Result<Vec<String>, Error> {
        match self.ask(&Request::Import { id: id.to_owned() }).await? {
            Response::Imported(lines) => Ok(lines),
            other => Err(Error::Refused(format!("an answer to another question: {other:?}"))),
        }
    }

    /// Stores an event of a session.
    pub async fn note(&mut self, id: &str, kind: &str, data: serde_json::Value) -> Result<(), Error> {
        self.ask(&Request::Note { id: id.to_owned(), kind: kind.to_owned(), data }).await.map(drop)
    }

    /// How many requests of each session were refused.
    pub async fn denied(&mut self, ids: &[String]) -> Result<Vec<u64>, Error> {
        match self.ask(&Request::Denied { ids: ids.to_vec() }).await? {
            Response::Denied(counts) if counts.len() == ids.len() => Ok(counts),
            other => Err(Error::Refused(format!("an answer to another question: {other:?}"))),
        }
    }

    /// When each session last spoke with its model, milliseconds since 1970.
    pub async fn heard(&mut self, ids: &[String]) -> Result<Vec<Option<i64>>, Error> {
        match self.ask(&Request::Heard { ids: ids.to_vec() }).await? {
            Response::Heard(times) if times.len() == ids.len() => Ok(times),
            other => Err(Error::Refused(format!("an answer to another question: {other:?}"))),
        }
    }

    /// What each session has asked of its model.
    pub async fn usage(&mut self, ids: &[String]) -> Result<Vec<Ledger>, Error> {
        match self.ask(&Request::Usage { ids: ids.to_vec() }).await? {
            Response::Usage(ledgers) if ledgers.len() == ids.len() => Ok(ledgers),
            other => Err(Error::Refused(format!("an answer to another question: {other:?}"))),
        }
    }

    /// Who the daemon is.
    pub async fn status(&mut self) -> Result<Status, Error> {
        match self.ask(&Request::Status).await? {
            Response::Status(status) => Ok(status),
            other => Err(Error::Refused(format!("an answer to another question: {other:?}"))),
        }
    }

    /// Ends the daemon.
    pub async fn stop(&mut self) -> Result<(), Error> {
        self.ask(&Request::Stop).await.map(drop)
    }
}
