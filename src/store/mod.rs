//! The history of events: one `SQLite` file, written by the daemon alone, read by anyone meanwhile.

mod event;
mod reader;
mod retain;
mod writer;

pub use event::{Event, New};
pub use reader::{Filter, Reader};
pub use writer::Writer;

use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// The version of the tables.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        time TEXT NOT NULL,
        project TEXT NOT NULL,
        id TEXT NOT NULL,
        session TEXT NOT NULL,
        source TEXT NOT NULL,
        type TEXT NOT NULL,
        data TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS event_id ON event (id, seq);
";

/// A store that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `SQLite` refused.
    #[error("the event store `{path}` cannot be used", path = path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// The file was made by a newer program.
    #[error("the event store `{path}` has version {version}, this program knows {VERSION}", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// Events could not be written.
    #[error("the event store `{path}` took no events: {reason}", path = path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// Why not; the same for all events of one transaction.
        reason: String,
    },
    /// The writer has ended.
    #[error("the event store is closed")]
    Closed,
    /// The file could not be made private or moved aside.
    #[error(transparent)]
    File(#[from] crate::fs::Error),
}

fn database<T>(path: &Path, result: rusqlite::Result<T>) -> Result<T, Error> {
    result.map_err(|source| Error::Database { path: path.to_owned(), source })
}

/// Opens the file for writing, with its tables. A file that is damaged is moved aside.
fn open(path: &Path) -> Result<Connection, Error> {
    match prepare(path) {
        Err(Error::Database { source, .. }) if is_damage(&source) => {
            set_aside(path)?;
            prepare(path)
        }
        other => other,
    }
}

/// Moves a damaged file away with its log, the file last: a log that is left beside a new file, were this interrupted,
/// would be taken for the new one's. One damaged file is kept.
fn set_aside(path: &Path) -> Result<(), Error> {
    let aside = path.with_extension("db.damaged");
    tracing::error!(path = %path.display(), aside = %aside.display(), "the event store is damaged: begun anew");
    let beside = |path: &Path, suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    // Shared memory is made again from the log.
    crate::fs::remove_file(&beside(path, "-shm"))?;
    for suffix in ["-wal", ""] {
        let (from, to) = (beside(path, suffix), beside(&aside, suffix));
        crate::fs::remove_file(&to)?;
        if crate::fs::exists(&from) {
            crate::fs::rename(&from, &to)?;
        }
    }
    Ok(())
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn prepare(path: &Path) -> Result<Connection, Error> {
    crate::fs::touch_private(path)?;
    let connection = database(path, Connection::open(path))?;
    database(path, connection.busy_timeout(std::time::Duration::from_secs(5)))?;
    database(
        path,
        connection
            .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-512; PRAGMA journal_size_limit=16777216;"),
    )?;
    let version: i64 = database(path, connection.query_row("PRAGMA user_version", [], |row| row.get(0)))?;
    if version > VERSION {
        return Err(Error::Newer { path: path.to_owned(), version });
    }
    database(path, connection.execute_batch(TABLES))?;
    if version < VERSION {
        database(path, connection.pragma_update(None, "user_version", VERSION))?;
    }
    // Read here too: damage behind the first page shows only when the table is looked at.
    database(path, newest(&connection))?;
    Ok(connection)
}

/// The number of the newest event; 0 where there is none.
fn newest(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get(0))
}
