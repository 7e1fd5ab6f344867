//! The one writer: a thread with a bounded queue, that answers when an event is committed.

use super::{Error, New, database, open};
use rusqlite::Connection;
use std::path::Path;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Events that wait for the disk; a sender beyond that waits too.
const QUEUE: usize = 1024;
/// Events kept; the oldest go first.
const MOST: i64 = 1_000_000;
/// Events kept of one session, so that one that floods drives out its own.
const MOST_OF_ONE: i64 = 100_000;

type Entry = (New, oneshot::Sender<Result<i64, Error>>);

/// A handle on the writer's thread.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Entry>,
}

impl Writer {
    /// Opens the store and starts the thread, which ends when the last handle is dropped.
    pub fn open(path: &Path) -> Result<(Self, JoinHandle<()>), Error> {
        let connection = open(path)?;
        let (queue, entries) = mpsc::channel(QUEUE);
        let path = path.to_owned();
        let thread = std::thread::spawn(move || write(&connection, &path, entries));
        Ok((Self { queue }, thread))
    }

    /// Stores an event and answers its number once it is committed.
    pub async fn store(&self, event: New) -> Result<i64, Error> {
        let (sender, receiver) = oneshot::channel();
        self.queue.send((event, sender)).await.map_err(|_| Error::Closed)?;
        receiver.await.map_err(|_| Error::Closed)?
    }
}

fn write(connection: &Connection, path: &Path, mut entries: mpsc::Receiver<Entry>) {
    let mut since_trim = 0;
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
        commit(connection, path, batch);
        if since_trim > 10_000 {
            since_trim = 0;
            if let Err(error) = trim(connection, path) {
                tracing::warn!(%error, "old events were not removed");
            }
        }
    }
}

fn commit(connection: &Connection, path: &Path, batch: Vec<Entry>) {
    let (events, answers): (Vec<New>, Vec<_>) = batch.into_iter().unzip();
    let written = || -> rusqlite::Result<Vec<i64>> {
        let transaction = connection.unchecked_transaction()?;
        let mut numbers = Vec::with_capacity(events.len());
        for event in &events {
            transaction
                .prepare_cached(
                    "INSERT INTO event (time, project, id, session, source, type, data) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute((
                    &event.time,
                    &event.project,
                    &event.id,
                    &event.session,
                    event.source,
                    &event.kind,
                    event.data.to_string(),
                ))?;
            numbers.push(transaction.last_insert_rowid());
        }
        transaction.commit()?;
        Ok(numbers)
    };
    match written() {
        Ok(numbers) => {
            for (answer, number) in answers.into_iter().zip(numbers) {
                // A caller that went away has its event stored all the same.
                let _ = answer.send(Ok(number));
            }
        }
        Err(error) => {
            tracing::error!(%error, "events could not be stored");
            let message = error.to_string();
            for answer in answers {
                let source = rusqlite::Error::InvalidParameterName(message.clone());
                let _ = answer.send(Err(Error::Database { path: path.to_owned(), source }));
            }
        }
    }
}

fn trim(connection: &Connection, path: &Path) -> Result<(), Error> {
    let sql = "DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - ?1";
    database(path, connection.execute(sql, [MOST]))?;
    database(path, trim_each(connection, MOST_OF_ONE))
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
}
