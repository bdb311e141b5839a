//! How a file is opened, and how an older one is brought up to date.
//!
//! `user_version` counts the migrations that a file has had; each runs in a transaction of its own.

use std::{io, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::{backup::create_private, error::OpenError, options::Options};

/// Somebody who looks into the file with another tool may hold its write lock for so long.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);
const STATEMENTS_CACHED: usize = 64;

/// Opens the one connection that writes, and brings the file up to date.
pub(crate) fn open_writer(
    path: &Path,
    options: &Options,
    migrations: &[&str],
) -> Result<Connection, OpenError> {
    let database = |source| OpenError::Database { path: path.to_owned(), source };
    make_private(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let mut connection = Connection::open(path).map_err(database)?;
    configure_writer(&connection, options).map_err(database)?;
    let found = version(&connection).map_err(database)?;
    let Some(missing) = usize::try_from(found).ok().and_then(|done| migrations.get(done..)) else {
        let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
        return Err(OpenError::TooNew { path: path.to_owned(), found, known });
    };
    for (version, migration) in (found + 1..).zip(missing) {
        migrate(&mut connection, version, migration).map_err(database)?;
    }
    Ok(connection)
}

/// Makes a file that is missing. SQLite would let others read it, in a directory that is not ours alone; what it puts
/// beside the file has the rights of the file.
fn make_private(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_private(path).map(drop),
        // One that is there, or cannot be looked at, is SQLite's to judge.
        _ => Ok(()),
    }
}

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT_MAX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(connection)
}

fn configure_writer(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT_MAX)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // The writer chooses when to checkpoint.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    if let Some(pages) = options.pages_max {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn migrate(connection: &mut Connection, version: i64, migration: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}
