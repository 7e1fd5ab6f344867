//! The one writer: a thread with a bounded queue, that answers when an event is committed.

use super::{Error, New, database, is_damage, newest, open, retain, set_aside};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Events that wait for the disk; a sender beyond that waits too.
const QUEUE: usize = 1024;
/// Events kept; the oldest go first, of the sessions that have the most.
const MOST: i64 = 1_000_000;
/// Events kept of one session, so that one that floods drives out its own.
const MOST_OF_ONE: i64 = 100_000;

/// How often events that are too old are looked for.
const EXPIRY: Duration = Duration::from_hours(1);

type Entry = (New, oneshot::Sender<Result<i64, Error>>);

/// A handle on the writer's thread.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Entry>,
}

impl Writer {
    /// Opens the store and starts the thread, which ends when the last handle is dropped.
    pub fn open(path: &Path) -> Result<(Self, JoinHandle<()>), Error> {
        let mut pen = Pen { path: path.to_owned(), connection: None, last: 0 };
        pen.dip()?;
        let (queue, entries) = mpsc::channel(QUEUE);
        let thread = std::thread::spawn(move || write(pen, entries));
        Ok((Self { queue }, thread))
    }

    /// Stores an event and answers its number once it is committed.
    pub async fn store(&self, event: New) -> Result<i64, Error> {
        let (sender, receiver) = oneshot::channel();
        self.queue.send((event, sender)).await.map_err(|_| Error::Closed)?;
        receiver.await.map_err(|_| Error::Closed)?
    }
}

fn write(mut pen: Pen, mut entries: mpsc::Receiver<Entry>) {
    let (mut since_trim, mut since_retain) = (0, 0);
    let mut expired: Option<Instant> = None;
    while let Some(first) = entries.blocking_recv() {
        // All that waits goes into one transaction.
        let mut batch = vec![first];
        while batch.len() < 1000 {
            match entries.try_recv() {
                Ok(entry) => batch.push(entry),
                Err(_) => break,
            }
        }
        since_trim += batch.len();
        since_retain += pen.commit(batch);
        let Some(connection) = &pen.connection else { continue };
        if expired.is_none_or(|expired| expired.elapsed() > EXPIRY) {
            expired = Some(Instant::now());
            if let Err(error) = retain::expire(connection, jiff::Timestamp::now()) {
                tracing::warn!(%error, "events that are too old were not removed");
            }
        }
        if since_trim > 10_000 {
            since_trim = 0;
            if let Err(error) = trim(connection, &pen.path) {
                tracing::warn!(%error, "old events were not removed");
            }
        }
        if since_retain > retain::MOST_BYTES / 64 {
            since_retain = 0;
            if let Err(error) = retain::retain(connection, retain::MOST_BYTES) {
                tracing::warn!(%error, "the event store was not made smaller");
            }
        }
    }
}

/// What writes: the connection, opened again when it was given up.
struct Pen {
    path: PathBuf,
    connection: Option<Connection>,
    /// The newest number; a store that is begun anew goes on behind it, so that who follows misses nothing.
    last: i64,
}

impl Pen {
    fn dip(&mut self) -> Result<&Connection, Error> {
        if self.connection.is_none() {
            let connection = open(&self.path)?;
            let newest = database(&self.path, newest(&connection))?;
            if newest < self.last {
                let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ('event', ?1)";
                database(&self.path, connection.execute(sql, [self.last]))?;
            }
            self.last = self.last.max(newest);
            self.connection = Some(connection);
        }
        self.connection.as_ref().ok_or(Error::Closed)
    }

    /// Stores events in one transaction; a store that turns out to be damaged is begun anew.
    fn insert(&mut self, events: &[(New, String)]) -> Result<Vec<i64>, Error> {
        let path = self.path.clone();
        let numbers = match insert(self.dip()?, events) {
            Err(error) if is_damage(&error) => {
                self.connection = None;
                set_aside(&path)?;
                insert(self.dip()?, events)
            }
            other => other,
        };
        let numbers = database(&path, numbers)?;
        self.last = numbers.last().copied().unwrap_or(self.last);
        Ok(numbers)
    }

    /// Stores a batch, tells its senders, and answers how many bytes of data it had.
    fn commit(&mut self, batch: Vec<Entry>) -> i64 {
        let (events, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|(event, answer)| (text(event), answer)).unzip();
        let bytes: usize = events.iter().map(|(_, data)| data.len()).sum();
        match self.insert(&events) {
            Ok(numbers) => {
                for (answer, number) in answers.into_iter().zip(numbers) {
                    // A caller that went away has its event stored all the same.
                    let _ = answer.send(Ok(number));
                }
            }
            Err(error) => {
                let reason = std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
                tracing::error!(reason, "events could not be stored");
                for answer in answers {
                    let _ = answer
                        .send(Err(Error::Unwritten { path: self.path.clone(), reason: reason.clone() }));
                }
            }
        }
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

fn text(mut event: New) -> (New, String) {
    let data = std::mem::take(&mut event.data).to_string();
    (event, data)
}

fn insert(connection: &Connection, events: &[(New, String)]) -> rusqlite::Result<Vec<i64>> {
    let transaction = connection.unchecked_transaction()?;
    let sql = "INSERT INTO event (time, project, id, session, source, type, data) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut numbers = Vec::with_capacity(events.len());
    for (event, data) in events {
        let New { time, project, id, session, source, kind, .. } = event;
        transaction.prepare_cached(sql)?.execute((time, project, id, session, source, kind, data))?;
        numbers.push(transaction.last_insert_rowid());
    }
    transaction.commit()?;
    Ok(numbers)
}

fn trim(connection: &Connection, path: &Path) -> Result<(), Error> {
    let counts = database(path, counts(connection))?;
    database(path, trim_each(connection, share(counts, MOST).min(MOST_OF_ONE)))
}

/// How many events each session has.
fn counts(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    connection.prepare("SELECT count(*) FROM event GROUP BY id")?.query_map([], |row| row.get(0))?.collect()
}

/// How many events each session may keep, so that all have no more than this: who has few keeps them all.
fn share(mut counts: Vec<i64>, most: i64) -> i64 {
    counts.sort_unstable();
    let (mut left, mut sessions) = (most, i64::try_from(counts.len()).unwrap_or(i64::MAX));
    for count in counts {
        if count > left / sessions {
            return left / sessions;
        }
        left -= count;
        sessions -= 1;
    }
    most
}

fn trim_each(connection: &Connection, most: i64) -> rusqlite::Result<()> {
    let full: Vec<String> = connection
        .prepare("SELECT id FROM event GROUP BY id HAVING count(*) > ?1")?
        .query_map([most], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let sql = "DELETE FROM event WHERE id = ?1 AND seq <= \
               (SELECT seq FROM event WHERE id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)";
    for id in full {
        connection.execute(sql, (id, most))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_floods_drives_out_its_own_events() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open(&directory.path().join("state.db")).unwrap();
        let insert = "INSERT INTO event (time, project, id, session, source, type, data) \
                      VALUES ('', '', ?1, '', '', '', '')";
        for id in ["quiet", "loud", "loud", "loud", "quiet", "loud", "loud"] {
            connection.execute(insert, [id]).unwrap();
        }
        trim_each(&connection, 2).unwrap();
        let kept: Vec<i64> = connection
            .prepare("SELECT seq FROM event ORDER BY seq")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(kept, [1, 5, 6, 7]);
    }

    #[test]
    fn who_has_few_events_keeps_them_however_many_others_have() {
        assert_eq!(share(vec![], 10), 10);
        assert_eq!(share(vec![3, 7], 10), 10);
        assert_eq!(share(vec![1000, 3], 10), 7);
        assert_eq!(share(vec![50, 2, 40, 3], 10), 2);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let connection = open(&path).unwrap();
        let insert = "INSERT INTO event (seq, time, project, id, session, source, type, data) \
                      VALUES (?1, '', '', ?2, '', '', '', '')";
        // Numbers of events that are gone count for nothing.
        for (number, id) in [(1, "quiet"), (2, "loud"), (5 * MOST, "loud")] {
            connection.execute(insert, (number, id)).unwrap();
        }
        trim(&connection, &path).unwrap();
        assert_eq!(counts(&connection).unwrap().iter().sum::<i64>(), 3);
    }
}
