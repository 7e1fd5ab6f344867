//! Reads events while the daemon writes.

use super::{Error, Event, database, newest};
use rusqlite::{Connection, OpenFlags, Row};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of these sessions, by id; `None` is all.
    pub ids: Option<Vec<String>>,
    /// With a number beyond this.
    pub after: i64,
    /// At most as many.
    pub limit: usize,
}

/// A store opened for reading.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

const COLUMNS: &str = "seq, time, project, id, session, source, type, data";

impl Reader {
    /// Opens a store; `None` where none is yet, or one that a daemon is about to make.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        if !path.exists() {
            return Ok(None);
        }
        let connection = database(path, Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        database(path, connection.busy_timeout(std::time::Duration::from_secs(5)))?;
        let version: i64 = database(path, connection.query_row("PRAGMA user_version", [], |row| row.get(0)))?;
        Ok((version > 0).then(|| Self { connection, path: path.to_owned() }))
    }

    /// Events in the order of their numbers.
    pub fn events(&self, filter: &Filter) -> Result<Vec<Event>, Error> {
        let ids = serde_json::to_string(&filter.ids.clone().unwrap_or_default()).unwrap_or_default();
        let sql = format!(
            "SELECT {COLUMNS} FROM event WHERE seq > ?1 AND (?2 OR id IN (SELECT value FROM json_each(?3))) \
             ORDER BY seq LIMIT ?4"
        );
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
        self.query(&sql, (filter.after, filter.ids.is_none(), ids, limit))
    }

    /// The number of the newest event; 0 where there is none.
    pub fn last_seq(&self) -> Result<i64, Error> {
        database(&self.path, newest(&self.connection))
    }

    /// The newest events of each session, oldest first; no refusals, of which an agent can make many.
    pub fn latest(&self, ids: &[String], count: usize) -> Result<BTreeMap<String, Vec<Event>>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM event WHERE id = ?1 AND NOT (source = 'proxy' AND type = 'denied') ORDER BY seq DESC LIMIT ?2"
        );
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let mut latest = BTreeMap::new();
        for id in ids {
            let mut events = self.query(&sql, (id, limit))?;
            events.reverse();
            latest.insert(id.clone(), events);
        }
        Ok(latest)
    }

    fn query(&self, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Event>, Error> {
        let read = || -> rusqlite::Result<Vec<Event>> {
            self.connection.prepare_cached(sql)?.query_map(values, event)?.collect()
        };
        database(&self.path, read())
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let data: String = row.get(7)?;
    Ok(Event {
        seq: row.get(0)?,
        time: row.get(1)?,
        project: row.get(2)?,
        id: row.get(3)?,
        session: row.get(4)?,
        source: row.get(5)?,
        kind: row.get(6)?,
        data: serde_json::from_str(&data).unwrap_or(serde_json::Value::String(data)),
    })
}
