//! The record of requests that tests read: one JSON line each.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

use crate::conversation::{Conversation, Said};
use crate::error::ModelError;

/// What is recorded of one request.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    /// The path, with its query.
    pub path: &'a str,
    /// The method.
    pub method: &'a str,
    /// What the user said last, byte for byte.
    pub user_text: &'a str,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `x-api-key` header.
    pub api_key: Option<&'a str>,
    /// The model asked for.
    pub model: Option<&'a str>,
    /// How many messages the conversation has.
    pub turns: usize,
    /// How many commands have answered since the user spoke.
    pub tool_results: usize,
    /// Whether it was no turn of the conversation, but a request beside it.
    pub side: bool,
    /// All that was said before the answer, in order.
    pub said: &'a [Said],
    /// How long the body was.
    pub body_bytes: usize,
    /// The status answered with.
    pub status: u16,
    /// What the answer says of its tokens.
    pub usage: &'a Value,
}

impl<'a> Entry<'a> {
    /// Takes over what a conversation tells.
    pub fn with(self, conversation: &'a Conversation) -> Self {
        Self {
            user_text: &conversation.user_text,
            turns: conversation.turns,
            tool_results: conversation.tool_results,
            side: conversation.side,
            said: &conversation.said,
            ..self
        }
    }
}

/// An append-only file of entries, or nothing at all.
#[derive(Debug)]
pub struct Journal(Option<Mutex<File>>);

impl Journal {
    /// Opens the journal at `path`, keeping what is there.
    pub fn open(path: Option<&Path>) -> Result<Self, ModelError> {
        let open = |path: &Path| {
            OpenOptions::new().create(true).append(true).open(path).map_err(ModelError::file("open", path))
        };
        Ok(Self(path.map(open).transpose()?.map(Mutex::new)))
    }

    /// Appends one line, whole.
    pub fn append(&self, entry: &Entry<'_>) -> std::io::Result<()> {
        let Some(file) = &self.0 else { return Ok(()) };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
    }
}
