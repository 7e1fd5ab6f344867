//! The event store: what is promised of it, on real files.

use clauderon::store::{Error, Event, Filter, New, Reader, Writer};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("state.db")
    }

    fn names(&self) -> Vec<String> {
        clauderon::fs::list(self.directory.path()).unwrap()
    }
}

fn new(id: &str, kind: &str, data: Value) -> New {
    New {
        time: "2026-11-24T12:00:00.000Z".to_owned(),
        project: "shop".to_owned(),
        id: id.to_owned(),
        session: format!("session-{id}"),
        source: "hook",
        kind: kind.to_owned(),
        data,
    }
}

fn all() -> Filter {
    Filter { limit: 100_000, ..Filter::default() }
}

fn read(path: &Path) -> Vec<Event> {
    Reader::open(path).unwrap().unwrap().events(&all()).unwrap()
}

/// Stores events one after the other and closes the store.
async fn store(path: &Path, events: Vec<New>) -> Vec<i64> {
    let (writer, thread) = Writer::open(path).unwrap();
    let mut numbers = Vec::new();
    for event in events {
        numbers.push(writer.store(event).await.unwrap());
    }
    drop(writer);
    thread.join().unwrap();
    numbers
}

#[tokio::test]
async fn an_event_is_read_by_another_connection_as_soon_as_it_is_answered() {
    let place = Place::new();
    let (writer, _thread) = Writer::open(&place.path()).unwrap();
    let reader = Reader::open(&place.path()).unwrap().unwrap();
    let mut took = Vec::new();
    for index in 0..50 {
        let begun = Instant::now();
        let seq = writer.store(new("a", "Stop", json!({ "index": index }))).await.unwrap();
        assert_eq!(reader.last_seq().unwrap(), seq);
        took.push(begun.elapsed());
    }
    took.sort();
    assert!(took[25] <= Duration::from_millis(5), "the median is {:?}", took[25]);
    let event = &reader.events(&Filter { after: 49, limit: 10, ids: None }).unwrap()[0];
    let expected = json!({
        "seq": 50, "time": "2026-11-24T12:00:00.000Z", "project": "shop", "session": "session-a",
        "source": "hook", "type": "Stop", "data": {"index": 49},
    });
    assert_eq!(event.json(), expected);
}

#[tokio::test]
async fn a_burst_from_many_callers_is_kept_whole_and_numbered_as_answered() {
    let place = Place::new();
    let (writer, thread) = Writer::open(&place.path()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for session in 0..20 {
        let writer = writer.clone();
        tasks.spawn(async move {
            let mut numbers = Vec::new();
            for index in 0..50 {
                let event = new(&session.to_string(), "Stop", json!(index));
                numbers.push(writer.store(event).await.unwrap());
            }
            (session.to_string(), numbers)
        });
    }
    let answered = tasks.join_all().await;
    drop(writer);
    thread.join().unwrap();
    assert_eq!(read(&place.path()).len(), 1000);
    let reader = Reader::open(&place.path()).unwrap().unwrap();
    for (id, numbers) in answered {
        let events = reader.events(&Filter { ids: Some(vec![id]), ..all() }).unwrap();
        let stored: Vec<_> = events.iter().map(|event| (event.seq, event.data.as_i64().unwrap())).collect();
        let expected: Vec<_> = numbers.into_iter().zip(0..50).collect();
        assert_eq!(stored, expected);
    }
}

#[tokio::test]
async fn the_newest_of_each_session_come_oldest_first() {
    let place = Place::new();
    let events = [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4"), ("b", "5")];
    store(&place.path(), events.map(|(id, kind)| new(id, kind, Value::Null)).to_vec()).await;
    let ids = ["a", "b", "none"].map(str::to_owned);
    let latest = Reader::open(&place.path()).unwrap().unwrap().latest(&ids, 2).unwrap();
    let kinds = |id: &str| latest[id].iter().map(|event| event.kind.clone()).collect::<Vec<_>>();
    assert_eq!((kinds("a"), kinds("b"), kinds("none")), (own(&["3", "4"]), own(&["2", "5"]), own(&[])));
}

#[tokio::test]
async fn what_the_proxy_tells_does_not_drive_out_what_the_agent_said() {
    let place = Place::new();
    let mut events = vec![new("a", "PreToolUse", Value::Null)];
    events.extend((0..100).map(|_| New { source: "proxy", ..new("a", "denied", Value::Null) }));
    store(&place.path(), events).await;
    let latest = Reader::open(&place.path()).unwrap().unwrap().latest(&["a".to_owned()], 50).unwrap();
    let kinds: Vec<_> = latest["a"].iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["PreToolUse"]);
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn numbers_go_on_after_the_store_was_closed() {
    let place = Place::new();
    assert_eq!(store(&place.path(), vec![new("a", "Stop", Value::Null)]).await, [1]);
    assert_eq!(store(&place.path(), vec![new("a", "Stop", Value::Null)]).await, [2]);
}

#[tokio::test]
async fn its_files_are_the_owners_alone() {
    let place = Place::new();
    let (writer, _thread) = Writer::open(&place.path()).unwrap();
    writer.store(new("a", "Stop", Value::Null)).await.unwrap();
    let names = place.names();
    assert_eq!(names, ["state.db", "state.db-shm", "state.db-wal"]);
    for name in names {
        let mode = std::fs::metadata(place.directory.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn text_of_any_kind_comes_back_as_it_was() {
    let place = Place::new();
    let data =
        json!({"quote": "'; DROP TABLE event; --", "nul": "a\u{0}b", "wide": "🦀", "deep": [[[1.5, null]]]});
    store(&place.path(), vec![new("a'b\u{0}", "Stop", data.clone())]).await;
    let events = Reader::open(&place.path()).unwrap().unwrap();
    let events = events.events(&Filter { ids: Some(vec!["a'b\u{0}".to_owned()]), ..all() }).unwrap();
    assert_eq!(events.iter().map(|event| &event.data).collect::<Vec<_>>(), [&data]);
}

#[test]
fn a_store_that_is_about_to_be_made_has_no_reader_yet() {
    let place = Place::new();
    assert!(Reader::open(&place.path()).unwrap().is_none());
    clauderon::fs::replace(&place.path(), b"", 0o600).unwrap();
    assert!(Reader::open(&place.path()).unwrap().is_none());
}

#[test]
fn a_store_of_a_newer_program_is_left_as_it_is() {
    let place = Place::new();
    let connection = rusqlite::Connection::open(place.path()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(Writer::open(&place.path()), Err(Error::Newer { version: 99, .. })));
    let connection = rusqlite::Connection::open(place.path()).unwrap();
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_moved_aside() {
    let place = Place::new();
    std::fs::write(place.path(), "no database, but long enough to be looked at ".repeat(100)).unwrap();
    assert_eq!(store(&place.path(), vec![new("a", "Stop", Value::Null)]).await, [1]);
    assert_eq!(place.names(), ["state.db", "state.db.damaged"]);
    let aside = std::fs::read_to_string(place.directory.path().join("state.db.damaged")).unwrap();
    assert!(aside.starts_with("no database"));
}

/// A daemon that was killed leaves a log beside the file: it belongs to the damaged one, and goes with it.
#[tokio::test]
async fn a_damaged_stores_log_goes_with_it() {
    let place = Place::new();
    store(&place.path(), (0..200).map(|_| new("old", "Stop", json!("x".repeat(2000)))).collect()).await;
    let (writer, _thread) = Writer::open(&place.path()).unwrap();
    writer.store(new("late", "Stop", Value::Null)).await.unwrap();
    let killed = Place::new();
    for name in ["state.db", "state.db-wal"] {
        std::fs::copy(place.directory.path().join(name), killed.directory.path().join(name)).unwrap();
    }
    let log = std::fs::read(killed.directory.path().join("state.db-wal")).unwrap();
    assert!(!log.is_empty());
    std::fs::write(killed.path(), vec![0xa5; 64 << 10]).unwrap();
    store(&killed.path(), vec![new("new", "Stop", Value::Null)]).await;
    assert_eq!(killed.names(), ["state.db", "state.db.damaged", "state.db.damaged-wal"]);
    let moved = std::fs::read(killed.directory.path().join("state.db.damaged-wal")).unwrap();
    assert!(moved == log, "the log was written to");
    assert_eq!(read(&killed.path()).iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["new"]);
}

/// Only the page at the root of this table or index is damaged: the file opens all the same.
fn damage(path: &Path, name: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
    let root: i64 = connection.query_row(sql, [name], |row| row.get(0)).unwrap();
    let root = usize::try_from(root).unwrap();
    drop(connection);
    let mut bytes = std::fs::read(path).unwrap();
    bytes[(root - 1) * 4096..root * 4096].fill(0xa5);
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
}

#[tokio::test]
async fn a_store_that_is_damaged_further_in_is_begun_anew() {
    for name in ["event", "event_id"] {
        let place = Place::new();
        store(&place.path(), (0..200).map(|_| new("old", "Stop", Value::Null)).collect()).await;
        damage(&place.path(), name);
        store(&place.path(), vec![new("new", "Stop", Value::Null)]).await;
        assert!(place.names().contains(&"state.db.damaged".to_owned()), "{name}");
        assert_eq!(read(&place.path()).iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["new"]);
    }
}

#[tokio::test]
async fn who_follows_misses_nothing_when_a_store_is_begun_anew() {
    let place = Place::new();
    store(&place.path(), (0..200).map(|_| new("old", "Stop", Value::Null)).collect()).await;
    damage(&place.path(), "event_id");
    let numbers =
        store(&place.path(), vec![new("a", "Stop", Value::Null), new("a", "Stop", Value::Null)]).await;
    assert_eq!(numbers, [201, 202]);
    assert_eq!(read(&place.path()).iter().map(|event| event.seq).collect::<Vec<_>>(), [201, 202]);
}
