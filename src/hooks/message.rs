//! Pure. The message that a hook posts or spools, checked: whoever wrote it may be hostile.

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// The longest message.
pub const LONGEST: usize = 9 << 20;
/// Data beyond this is not stored whole.
const LONGEST_DATA: usize = 256 << 10;
/// What is kept of it: so many members, none longer than this.
const MOST_MEMBERS: usize = 64;
const LONGEST_MEMBER: usize = 4096;

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
struct Raw<'a> {
    session_id: String,
    event: String,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

/// Reads a message that must be of this session.
pub fn parse(bytes: &[u8], session: &str) -> Result<Message, Error> {
    let raw: Raw = serde_json::from_slice(bytes).map_err(malformed)?;
    if raw.session_id != session {
        return Err(Error::Foreign);
    }
    let named =
        (1..=64).contains(&raw.event.len()) && raw.event.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !named {
        return Err(Error::Malformed("an event's name is 1 to 64 letters".to_owned()));
    }
    let timestamp = raw.timestamp.filter(|timestamp| timestamp.len() <= 40);
    let data = raw.data.map_or(Ok(Value::Null), shortened).map_err(malformed)?;
    Ok(Message { event: raw.event, data, timestamp })
}

/// The error's own words quote the message, which may be long.
fn malformed(error: serde_json::Error) -> Error {
    let place = format!("line {} column {}", error.line(), error.column());
    Error::Malformed(format!("{:?} error at {place}", error.classify()))
}

/// Data that is too long keeps its first short members, and says how long it was. The rest never takes more memory than it
/// has bytes: a list of lists, read as values, takes ninety times its length.
fn shortened(data: &RawValue) -> serde_json::Result<Value> {
    let text = data.get();
    if text.len() <= LONGEST_DATA {
        return serde_json::from_str(text);
    }
    let mut kept = if text.starts_with('{') { serde_json::from_str::<Short>(text)?.0 } else { Map::new() };
    kept.insert("clauderon_truncated_bytes".to_owned(), text.len().into());
    Ok(Value::Object(kept))
}

/// The first short members of an object.
struct Short(Map<String, Value>);

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Short;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Short, A::Error> {
        let mut kept = Map::new();
        while let Some((name, value)) = members.next_entry::<Cow<'de, str>, &RawValue>()? {
            if kept.len() < MOST_MEMBERS && name.len() + value.get().len() <= LONGEST_MEMBER {
                let value = serde_json::from_str(value.get()).map_err(A::Error::custom)?;
                kept.insert(name.into_owned(), value);
            }
        }
        Ok(Short(kept))
    }
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
    #[test]
    fn what_is_kept_of_long_data_is_bounded_and_in_order() {
        let lists = "[0],".repeat(2 << 20);
        let members: Vec<_> = (0..100).map(|number| format!("\"m{number}\":[{number}]")).collect();
        let text = format!(
            r#"{{"session_id":"a","event":"Stop","data":{{"lists":[{lists}0],{},"\u006c":1}}}}"#,
            members.join(",")
        );
        let message = parse(text.as_bytes(), "a").unwrap();
        let kept: Vec<_> = message.data.as_object().unwrap().keys().cloned().collect();
        assert_eq!((kept.len(), kept[0].as_str(), kept[63].as_str()), (65, "m0", "m63"));
        for odd in [format!("[{lists}0]"), format!("\"{}\"", "x".repeat(300_000))] {
            let text = format!(r#"{{"session_id":"a","event":"Stop","data":{odd}}}"#);
            assert_eq!(parse(text.as_bytes(), "a").unwrap().data["clauderon_truncated_bytes"], odd.len());
        }
    }
}
