//! Bringing back what a backup has: one room into a store in use, or the whole file into a directory at rest.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ledger::{Lock, create_private, sync_parent};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, config::DbConfig, params, params_from_iter,
    types::Value, wal::CheckpointMode,
};

use super::{
    Error, MIGRATIONS, OpenError, Store,
    load::read_all,
    rooms::{fresh_log_id, room},
    view::RoomRow,
};
use crate::model::RoomId;

const FILE: &str = "artnest.db";
/// What SQLite has beside a file, by its ending.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];
/// How long a restore waits for those who read the old file.
const READERS_WAIT_MAX: Duration = Duration::from_secs(1);
/// Columns that a room takes over from a backup; its number and its log are its own.
const ROOM: &str = "id, name, is_public, width, height, seq, base_seq, snapshot_seq, used_bytes, quota_bytes, strokes, \
    next_member, viewer_link, artist_link, owner_link, created_at, updated_at";
/// What belongs to a room, with the columns beside its number.
const PARTS: [(&str, &str); 4] = [
    ("member", "member, key_sha256, name, role, is_fixed, banned, last_op, seen_at"),
    ("log", "first_seq, last_seq, at, is_packed, bytes"),
    ("snapshot", "seq, records, bytes, parts"),
    ("part", "seq, number, bytes"),
];

/// A backup that SQLite finds whole, and of this version.
///
/// It is somebody else's file: whatever fails in it is no fault of the store, and is told before the store is changed.
#[derive(Debug, Clone)]
pub struct Backup {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Backup {
    /// Opens a backup. This and what follows takes its time and must not be done where others wait.
    ///
    /// # Errors
    ///
    /// When it is none of ours, or damaged. So with the others.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { connection: Arc::new(Mutex::new(open(path)?)), path: path.to_owned() })
    }

    /// Its rooms.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn rooms(&self) -> Result<Vec<RoomId>, OpenError> {
        let database = |source| OpenError::Database { path: self.path.clone(), source };
        let connection = self.lock();
        let mut select = connection.prepare("SELECT id FROM room ORDER BY room").map_err(database)?;
        let ids = select.query_map([], |row| row.get::<_, String>(0)).map_err(database)?;
        let ids: Vec<String> = ids.collect::<Result<_, _>>().map_err(database)?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Reads a room from end to end; whether there is such a room.
    ///
    /// # Errors
    ///
    /// When it makes no sense, which SQLite does not see.
    pub fn check(&self, id: RoomId) -> Result<bool, OpenError> {
        let connection = self.lock();
        let read = room(&connection, id).and_then(|row| match row {
            Some(row) => read_all(&connection, row.key),
            None => Ok(false),
        });
        read.map_err(|error| {
            let verdict = format!("room {id}: {error}");
            OpenError::Damaged { path: self.path.clone(), verdict }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Puts a room of a backup in the place of the one that there is, if there is one, in one transaction. `None` where
    /// the backup has no such room. Its log gets another number, so nobody resumes in the one that they knew.
    ///
    /// # Errors
    ///
    /// When it could not be read or stored.
    pub async fn restore_room(&self, backup: &Backup, id: RoomId) -> Result<Option<RoomRow>, Error> {
        let (backup, log_id) = (backup.clone(), fresh_log_id());
        self.ledger().write(move |tx| restore(tx.connection, &backup.lock(), id, log_id)).await
    }
}

/// Puts a backup in the place of the file of a directory that nobody uses. What was there stays beside it, under another
/// name, which is returned.
///
/// # Errors
///
/// When the backup is none of ours or damaged, the directory is in use, or the disk fails. Then what was there is there
/// still, under its name.
pub(crate) fn replace(directory: &Path, backup: &Path) -> Result<Option<PathBuf>, OpenError> {
    open(backup)?;
    let failed = |source| OpenError::Io { path: directory.to_owned(), source };
    // Until the new file has its name, nobody may begin on the old one.
    let _lock = Lock::acquire(directory, "artnest")?;
    let (file, fresh) = (directory.join(FILE), Unfinished(directory.join("artnest.db.restoring")));
    // A backup may be kept as one that nobody can write; what is restored is written to.
    File::open(backup)
        .and_then(|mut backup| io::copy(&mut backup, &mut create_private(&fresh.0)?))
        .map_err(failed)?;
    give_fresh_logs(&fresh.0).map_err(|source| OpenError::Database { path: fresh.0.clone(), source })?;
    File::open(&fresh.0).and_then(|file| file.sync_all()).map_err(failed)?;
    let was_there = file.try_exists().map_err(failed)?;
    if was_there && fold(&file).map_err(|source| OpenError::Database { path: file.clone(), source })? {
        remove_companions(&file).map_err(failed)?;
    }
    let old = Aside::keep(&file).map_err(failed)?;
    old.leave_only_the_file().map_err(failed)?;
    fs::rename(&fresh.0, &file).map_err(failed)?;
    let kept = old.give_up_the_name();
    sync_parent(&file).map_err(failed)?;
    Ok(was_there.then_some(kept))
}

/// Brings what is in the write-ahead log into the file, and leaves the log empty; whether that could be done. A file that
/// cannot be read stays as it is: it may be the reason for the restore.
///
/// # Errors
///
/// When somebody reads the file. They would go on in one whose log is gone.
fn fold(file: &Path) -> rusqlite::Result<bool> {
    let folded = Connection::open(file).and_then(|connection| {
        connection.busy_timeout(READERS_WAIT_MAX)?;
        // SQLite would remove a log of which it can make nothing.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // Before its first read, a connection does not know that there is a log, and folds nothing.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE)
    });
    match folded {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "the old file cannot be read; it is kept as it is");
            Ok(false)
        }
        Ok(_) => Ok(true),
    }
}

/// What SQLite has beside a file: it would read the log of an old one into a new one.
fn remove_companions(file: &Path) -> io::Result<()> {
    for companion in COMPANIONS {
        match fs::remove_file(with_ending(file, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The file of a directory under a second name, together with what SQLite has left beside it.
///
/// Dropped, it takes the second names away. Until the new file takes the first name the old one has it, so a crash
/// leaves the one or the other, and never none.
struct Aside {
    file: PathBuf,
    name: PathBuf,
    is_needed: bool,
}

impl Aside {
    /// Gives the second names, durably.
    fn keep(file: &Path) -> io::Result<Self> {
        let aside = Self { file: file.to_owned(), name: free_name(file)?, is_needed: false };
        for ending in [""].into_iter().chain(COMPANIONS) {
            let (old, new) = aside.names(ending);
            match fs::hard_link(&old, &new) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // Some file systems have no links. There a crash right here is repaired by hand.
                Err(error) if has_no_links(&error) => fs::rename(&old, &new)?,
                linked => linked?,
            }
        }
        sync_parent(file)?;
        Ok(aside)
    }

    /// Takes the first names of what is beside the file, which has its second ones by now.
    fn leave_only_the_file(&self) -> io::Result<()> {
        remove_companions(&self.file)?;
        sync_parent(&self.file)
    }

    /// Another file has the first name now.
    fn give_up_the_name(mut self) -> PathBuf {
        self.is_needed = true;
        self.name.clone()
    }

    fn names(&self, ending: &str) -> (PathBuf, PathBuf) {
        (with_ending(&self.file, ending), with_ending(&self.name, ending))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.is_needed {
            return;
        }
        // The file comes last: nobody may find it without its log.
        for ending in ["-shm", "-wal", ""] {
            let (old, new) = self.names(ending);
            let _ = if old.exists() { fs::remove_file(new) } else { fs::rename(new, old) };
        }
    }
}

/// Removed when it is dropped, unless it got its name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for ending in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(with_ending(&self.0, ending));
        }
    }
}

fn has_no_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Gives every room of a file another log, so that nobody resumes in the one that they knew.
fn give_fresh_logs(file: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(file)?;
    // Nothing may be left beside a file that is about to get another name.
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    let transaction = connection.transaction()?;
    let rooms: Vec<i64> = transaction
        .prepare("SELECT room FROM room")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for room in rooms {
        transaction.execute("UPDATE room SET log_id = ?2 WHERE room = ?1", params![room, fresh_log_id()])?;
    }
    transaction.commit()
}

fn free_name(file: &Path) -> io::Result<PathBuf> {
    for number in 1..1_000 {
        let name = with_ending(file, &format!(".before-restore-{number}"));
        if !name.try_exists()? && !with_ending(&name, "-wal").try_exists()? {
            return Ok(name);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "remove some artnest.db.before-restore-… first"))
}

/// Opens a backup, if it is whole and of this version.
fn open(backup: &Path) -> Result<Connection, OpenError> {
    let database = |source| OpenError::Database { path: backup.to_owned(), source };
    ledger::check_copy(backup)?;
    let connection =
        Connection::open_with_flags(backup, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(database)?;
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(database)?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found == known {
        return Ok(connection);
    }
    let verdict = format!("it is of version {found}, and this Artnest restores only its own, {known}");
    Err(OpenError::Damaged { path: backup.to_owned(), verdict })
}

fn restore(
    connection: &Connection,
    backup: &Connection,
    id: RoomId,
    log_id: u64,
) -> rusqlite::Result<Option<RoomRow>> {
    let select = format!("SELECT room, {ROOM} FROM room WHERE id = ?1");
    let found = backup.query_row(&select, [id.as_str()], |row| {
        (0..=ROOM.split(',').count()).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>()
    });
    let Some(values) = found.optional().map_err(foreign)? else { return Ok(None) };
    let Some((theirs, values)) = values.split_first() else { return Ok(None) };
    connection.execute("DELETE FROM room WHERE id = ?1", [id.as_str()])?;
    let places = ", ?".repeat(values.len());
    let insert = format!("INSERT INTO room (log_id, {ROOM}) VALUES (?{places})");
    let log_id = Value::Integer(i64::try_from(log_id).unwrap_or(i64::MAX));
    connection.execute(&insert, params_from_iter(std::iter::once(&log_id).chain(values)))?;
    let ours = connection.last_insert_rowid();
    for (table, columns) in PARTS {
        copy_rows(connection, backup, table, columns, theirs, ours)?;
    }
    room(connection, id)
}

fn copy_rows(
    connection: &Connection,
    backup: &Connection,
    table: &str,
    columns: &str,
    theirs: &Value,
    ours: i64,
) -> rusqlite::Result<()> {
    let count = columns.split(',').count();
    let mut select =
        backup.prepare(&format!("SELECT {columns} FROM {table} WHERE room = ?1")).map_err(foreign)?;
    let insert = format!("INSERT INTO {table} (room, {columns}) VALUES (?{})", ", ?".repeat(count));
    let mut insert = connection.prepare(&insert)?;
    let mut rows = select.query(params![theirs]).map_err(foreign)?;
    while let Some(row) = rows.next().map_err(foreign)? {
        let values = (0..count).map(|column| row.get(column));
        let values: Vec<Value> = values.collect::<Result<_, _>>().map_err(foreign)?;
        insert.execute(params_from_iter(std::iter::once(Value::Integer(ours)).chain(values)))?;
    }
    Ok(())
}

/// An error of the backup, which the ledger would take for one of its own file, and close itself.
fn foreign(error: rusqlite::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_aside_is_taken_back_with_its_log_where_the_rest_fails() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        let all = || fs::read_dir(directory.path()).unwrap().count();
        for ending in ["", "-wal"] {
            fs::write(with_ending(&file, ending), ending).unwrap();
        }
        let aside = Aside::keep(&file).unwrap();
        assert_eq!(all(), 4, "each has two names");
        aside.leave_only_the_file().unwrap();
        assert_eq!(all(), 3, "the log of the old file is not read into the new one");
        drop(aside);
        assert_eq!(all(), 2);
        assert_eq!(fs::read_to_string(with_ending(&file, "-wal")).unwrap(), "-wal");
    }
}
