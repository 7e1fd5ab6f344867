//! The hook client: one event to the daemon, or into the spool.

use crate::json;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An event's data beyond this is cut off, and sent as text.
const LONGEST: u64 = 8 << 20;
/// Broken data beyond this is cut off: written as a string it may be six times as long, and the daemon reads 9 MiB.
const LONGEST_BROKEN: usize = 1 << 20;

/// `hook EVENT --session ID --token TOKEN --spool DIRECTORY`, the agent's JSON on standard input.
pub fn hook(arguments: &[String]) -> Result<(), String> {
    let event = arguments.first().ok_or("`hook` needs an event")?;
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let session = option("--session").ok_or("`hook` needs --session")?;
    let token = option("--token").ok_or("`hook` needs --token")?;
    let spool = option("--spool").ok_or("`hook` needs --spool")?;
    let mut data = Vec::new();
    std::io::stdin()
        .take(LONGEST)
        .read_to_end(&mut data)
        .map_err(|error| format!("could not read the event: {error}"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let message = message(session, event, &timestamp(now), &String::from_utf8_lossy(&data));
    if let Err(why) = post(token, &message) {
        keep(Path::new(spool), now, &message).map_err(|error| format!("{why}; could not keep the event: {error}"))?;
    }
    Ok(())
}

fn message(session: &str, event: &str, timestamp: &str, data: &str) -> String {
    let data = match data.trim_ascii() {
        "" => "null".to_owned(),
        whole if whole.len() as u64 <= LONGEST && json::is_value(whole) => whole.to_owned(),
        broken => json::quote(&broken[..broken.floor_char_boundary(LONGEST_BROKEN)]),
    };
    format!(
        "{{\"session_id\":{},\"event\":{},\"timestamp\":{},\"data\":{data}}}",
        json::quote(session),
        json::quote(event),
        json::quote(timestamp)
    )
}

fn post(token: &str, message: &str) -> Result<(), String> {
    let words = |error: std::io::Error| format!("the daemon is not reached: {error}");
    let mut stream = UnixStream::connect(crate::socket()).map_err(words)?;
    for set in [UnixStream::set_read_timeout, UnixStream::set_write_timeout] {
        set(&stream, Some(Duration::from_secs(2))).map_err(words)?;
    }
    let head = format!(
        "hooks\nPOST /api/hooks HTTP/1.1\r\nHost: host.docker.internal\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        message.len()
    );
    stream.write_all(format!("{head}{message}").as_bytes()).map_err(words)?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).map_err(words)?;
    if answer.starts_with(b"HTTP/1.1 2") {
        return Ok(());
    }
    Err(format!("the daemon answered `{}`", String::from_utf8_lossy(&answer)))
}

/// Whole or not at all, under a name that sorts by time.
fn keep(spool: &Path, now: Duration, message: &str) -> std::io::Result<()> {
    let name = format!("{:020}-{}.json", now.as_nanos(), std::process::id());
    let unfinished = spool.join(format!(".{name}"));
    fs::write(&unfinished, message)?;
    fs::rename(&unfinished, spool.join(name))
}

/// RFC 3339 in UTC, by Howard Hinnant's calendar arithmetic.
fn timestamp(now: Duration) -> String {
    let seconds = now.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        now.subsec_millis()
    )
}
