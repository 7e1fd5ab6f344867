//! Keeps the store within a size and an age: the session that takes most room gives first, its oldest events first.

use rusqlite::Connection;
use std::collections::BTreeMap;

/// Bytes that the store may take; pages that are free again do not count, they are used before the file grows.
pub const MOST_BYTES: i64 = 512 << 20;
/// Events that are removed in one transaction.
const CHUNK: i64 = 1000;

/// Removes events until a sixteenth of the room is free; nothing while the store fits.
pub fn retain(connection: &Connection, most: i64) -> rusqlite::Result<()> {
    if used(connection)? <= most {
        return Ok(());
    }
    let mut takes = takes(connection)?;
    while used(connection)? > most - most / 16 {
        let Some((id, bytes)) = takes.iter().max_by_key(|(_, bytes)| **bytes) else { break };
        let (id, bytes) = (id.clone(), *bytes);
        match remove_oldest(connection, &id)? {
            None => takes.remove(&id),
            Some(removed) => takes.insert(id, bytes - removed),
        };
    }
    Ok(())
}

/// How long an event is kept.
const OLDEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(90 * 24);

/// Removes what is older than an event may be.
pub fn expire(connection: &Connection, now: jiff::Timestamp) -> rusqlite::Result<()> {
    let before = format!("{:.3}", now - OLDEST);
    // Numbers and times go up together but for what a changed clock does: what is newer ends it.
    let sql = "DELETE FROM event WHERE seq IN (SELECT seq FROM event ORDER BY seq LIMIT ?1) AND time < ?2";
    while connection.prepare_cached(sql)?.execute((CHUNK, &before))? > 0 {}
    Ok(())
}

fn used(connection: &Connection) -> rusqlite::Result<i64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
}

/// What each session's events take, near enough.
fn takes(connection: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    connection
        .prepare("SELECT id, sum(octet_length(data)) FROM event GROUP BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Removes a session's oldest events and answers how many bytes they had; `None` where it has none.
fn remove_oldest(connection: &Connection, id: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE id = ?1 ORDER BY seq LIMIT ?2) \
               RETURNING octet_length(data)";
    let removed: Vec<i64> = connection
        .prepare_cached(sql)?
        .query_map((id, CHUNK), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok((!removed.is_empty()).then(|| removed.iter().sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(directory: &tempfile::TempDir, events: &[(&str, i64, usize)]) -> Connection {
        let connection = super::super::open(&directory.path().join("state.db")).unwrap();
        let sql = "INSERT INTO event (time, project, id, session, source, type, data) \
                   VALUES ('', '', ?1, '', '', '', ?2)";
        let transaction = connection.unchecked_transaction().unwrap();
        for (id, count, length) in events {
            for _ in 0..*count {
                transaction.execute(sql, (id, "x".repeat(*length))).unwrap();
            }
        }
        transaction.commit().unwrap();
        connection
    }

    fn count(connection: &Connection, id: &str) -> i64 {
        connection.query_row("SELECT count(*) FROM event WHERE id = ?1", [id], |row| row.get(0)).unwrap()
    }

    #[test]
    fn the_session_that_takes_most_gives_and_the_store_stays_within_its_size() {
        let directory = tempfile::tempdir().unwrap();
        let connection =
            filled(&directory, &[("quiet", 100, 100), ("loud", 5000, 4000), ("quiet", 100, 100)]);
        retain(&connection, 8 << 20).unwrap();
        assert!(used(&connection).unwrap() <= 8 << 20);
        assert_eq!(count(&connection, "quiet"), 200);
        assert_eq!(count(&connection, "loud"), 1000);
        let oldest: i64 = connection
            .query_row("SELECT min(seq) FROM event WHERE id = 'loud'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(oldest, 4101, "the oldest went");
    }

    #[test]
    fn what_is_older_than_an_event_may_be_goes() {
        let directory = tempfile::tempdir().unwrap();
        let connection = filled(&directory, &[("a", 3000, 10)]);
        let sql = "UPDATE event SET time = ?1 WHERE seq BETWEEN ?2 AND ?3";
        let now: jiff::Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        for (time, from, to) in [
            ("2026-03-02T23:59:59.999Z", 1, 2500),
            ("2026-03-03T00:00:00.000Z", 2501, 2600),
            ("2026-05-31T00:00:00.000Z", 2601, 3000),
        ] {
            connection.execute(sql, (time, from, to)).unwrap();
        }
        expire(&connection, now).unwrap();
        assert_eq!(count(&connection, "a"), 500);
        expire(&connection, now).unwrap();
        assert_eq!(count(&connection, "a"), 500);
    }

    #[test]
    fn a_store_that_fits_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let connection = filled(&directory, &[("a", 100, 100)]);
        retain(&connection, 8 << 20).unwrap();
        assert_eq!(count(&connection, "a"), 100);
    }

    #[test]
    fn a_size_that_cannot_be_reached_ends_with_an_empty_store() {
        let directory = tempfile::tempdir().unwrap();
        let connection = filled(&directory, &[("a", 1500, 100), ("b", 10, 100)]);
        retain(&connection, 1).unwrap();
        assert_eq!(count(&connection, "a") + count(&connection, "b"), 0);
    }
}
