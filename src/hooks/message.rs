//! Pure. The message that a hook posts or spools, checked: whoever wrote it may be hostile.

use serde::Deserialize;
use serde_json::Value;

/// The longest message.
pub const LONGEST: usize = 9 << 20;
/// Data beyond this is not stored whole.
const LONGEST_DATA: usize = 256 << 10;

/// A checked message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The event's name.
    pub event: String,
    /// The agent's own JSON, cut where it is too long.
    pub data: Value,
    /// Who says so, in the agent's own words of time.
    pub timestamp: Option<String>,
}

/// Why a message is not believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Not the JSON that a hook sends.
    #[error("the message is no hook event: {0}")]
    Malformed(String),
    /// It speaks for another session.
    #[error("the message speaks for another session")]
    Foreign,
}

#[derive(Deserialize)]
struct Raw {
    session_id: String,
    event: String,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    data: Value,
}

/// Reads a message that must be of this session.
pub fn parse(bytes: &[u8], session: &str) -> Result<Message, Error> {
    let raw: Raw = serde_json::from_slice(bytes).map_err(|error| {
        // The error's own words quote the message, which may be long.
        let place = format!("line {} column {}", error.line(), error.column());
        Error::Malformed(format!("{:?} error at {place}", error.classify()))
    })?;
    if raw.session_id != session {
        return Err(Error::Foreign);
    }
    let named =
        (1..=64).contains(&raw.event.len()) && raw.event.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !named {
        return Err(Error::Malformed("an event's name is 1 to 64 letters".to_owned()));
    }
    let timestamp = raw.timestamp.filter(|timestamp| timestamp.len() <= 40);
    Ok(Message { event: raw.event, data: shortened(raw.data), timestamp })
}

/// Data that is too long keeps its short members, and says how long it was.
fn shortened(data: Value) -> Value {
    let length = data.to_string().len();
    if length <= LONGEST_DATA {
        return data;
    }
    let mut kept = serde_json::Map::new();
    if let Value::Object(members) = data {
        let short = members.into_iter().filter(|(name, value)| name.len() + value.to_string().len() <= 4096);
        kept.extend(short.take(64));
    }
    kept.insert("clauderon_truncated_bytes".to_owned(), length.into());
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sessions_name_is_not_believed() {
        let text = br#"{"session_id":"b","event":"Stop","data":null}"#;
        assert_eq!(parse(text, "a"), Err(Error::Foreign));
        assert_eq!(parse(text, "b").unwrap().event, "Stop");
    }

    #[test]
    fn odd_names_and_odd_json_are_refused() {
        for text in [r#"{"session_id":"a","event":"a b"}"#, r#"{"session_id":"a","event":""}"#, "[]", "", "{"]
        {
            assert!(matches!(parse(text.as_bytes(), "a"), Err(Error::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn long_data_is_cut_and_says_so() {
        let text = format!(
            r#"{{"session_id":"a","event":"Stop","data":{{"k":"v","long":"{}"}}}}"#,
            "x".repeat(300_000)
        );
        let message = parse(text.as_bytes(), "a").unwrap();
        assert_eq!(message.data["k"], "v");
        assert!(message.data["long"].is_null());
        assert!(message.data["clauderon_truncated_bytes"].as_u64().unwrap() > 300_000);
    }
}
