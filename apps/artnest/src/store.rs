//! The one file that holds everything: rooms, members, the log of each room and its snapshots.
//!
//! What a write returned is durable. The log is the truth about a drawing; a snapshot is a shortcut to a point in it,
//! and never more. The store keeps bytes and refuses to judge: what may be drawn is decided in `room`. When a disk
//! operation fails it closes itself, and [`Store::keep_open`] opens it again; the directory stays locked meanwhile. Read
//! `schema/1.sql` for the tables, then `log` and `compact`.

mod compact;
mod load;
mod log;
mod members;
mod pack;
mod restore;
mod rooms;
#[cfg(test)]
mod tests;
mod view;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use ledger::Ledger;
pub use ledger::{Error, OpenError, WriterStats};
use rusqlite::{Connection, OptionalExtension};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, sleep},
};

pub(crate) use self::restore::replace;
pub use self::{
    load::Loaded,
    log::{Appended, Batch},
    members::{Admission, Entry},
    restore::Backup,
    rooms::{Changes, NewRoom},
    view::{Cursor, MemberRow, NotACursor, Page, RoomKey, RoomRow, SnapshotRow, Totals},
};

/// How an older file is brought up to date; the tables are described there.
const MIGRATIONS: [&str; 1] = [include_str!("store/schema/1.sql")];
/// Reads at the same time: joins, exports and one compaction.
const READERS: usize = 4;
/// How long one answer of [`Store::probe`] counts.
const PROBE_VALID: Duration = Duration::from_millis(900);
/// After a failed disk operation, the pause before it is opened again; it doubles …
const REOPEN_FIRST: Duration = Duration::from_millis(250);
/// … up to this.
const REOPEN_LONGEST: Duration = Duration::from_secs(10);

/// What belongs to the operator.
#[derive(Debug, Clone)]
pub struct Options {
    /// With less free space on the disk, rooms become read-only.
    pub disk_free_min: u64,
    /// The file may grow to so many pages of 4 KiB. `None`: as far as the disk allows.
    pub pages_max: Option<u32>,
}

/// A handle to the open store; cloning it is cheap.
///
/// # Cancel safety
///
/// A write that is dropped while it waits for a place in the queue does nothing; dropped later, it still happens.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    options: Options,
    /// Another one after a failed disk operation.
    ledger: RwLock<Ledger>,
    link_secret: [u8; 32],
    /// When a write was tried last, and what came of it.
    probed: Mutex<Option<(Instant, Result<(), Error>)>>,
    /// One compaction at a time: it has a whole drawing in memory.
    compaction: Semaphore,
}

impl Store {
    /// Opens the directory, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// When another process holds it, when a later version wrote it, and when the disk or SQLite fail.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let mut link_secret = [0; 32];
        let ledger = Ledger::open(directory, ledger_options(&options), &MIGRATIONS, |connection| {
            link_secret = secret(connection)?;
            Ok(())
        })?;
        Ok(Self(Arc::new(Inner {
            directory: directory.to_owned(),
            options,
            ledger: RwLock::new(ledger),
            link_secret,
            probed: Mutex::new(None),
            compaction: Semaphore::new(1),
        })))
    }

    /// Opens the store again whenever a failed disk operation has closed it. Runs until it is cancelled.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn keep_open(&self) {
        loop {
            self.ledger().closed().await;
            let mut pause = REOPEN_FIRST;
            loop {
                sleep(pause).await;
                pause = (pause * 2).min(REOPEN_LONGEST);
                match self.reopen().await {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::error!(%error, retry_in = ?pause, "the store cannot be opened again");
                    }
                }
            }
            tracing::info!("the store is open again");
        }
    }

    async fn reopen(&self) -> Result<(), OpenError> {
        let inner = Arc::clone(&self.0);
        let closed = self.ledger();
        let opened = tokio::task::spawn_blocking(move || {
            closed.reopen(&inner.directory, ledger_options(&inner.options), &MIGRATIONS, |_| Ok(()))
        });
        let ledger = opened.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        *self.0.ledger.write().unwrap_or_else(PoisonError::into_inner) = ledger;
        Ok(())
    }

    fn ledger(&self) -> Ledger {
        self.0.ledger.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it takes writes.
    pub fn is_writable(&self) -> bool {
        !self.ledger().is_closed()
    }

    /// Whether a write succeeds: makes one, at most once in a while, however many ask.
    ///
    /// # Errors
    ///
    /// Why it did not.
    pub async fn probe(&self) -> Result<(), Error> {
        let mut last = self.0.probed.lock().await;
        if let Some((at, outcome)) = &*last
            && at.elapsed() < PROBE_VALID
        {
            return outcome.clone();
        }
        let outcome = self.try_to_write().await;
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }

    async fn try_to_write(&self) -> Result<(), Error> {
        let disk_is_low = self
            .ledger()
            .write(|tx| {
                let mut update = tx.prepare(
                    "INSERT INTO server (name, value) VALUES ('probe', x'00')
                     ON CONFLICT (name) DO UPDATE SET value = randomblob(8)",
                )?;
                update.execute([])?;
                Ok(tx.disk_is_low)
            })
            .await?;
        if disk_is_low { Err(Error::DiskFull) } else { Ok(()) }
    }

    /// What the writer did since the open.
    pub fn writer_stats(&self) -> WriterStats {
        self.ledger().stats()
    }

    /// What invite links are made from.
    pub(crate) fn link_secret(&self) -> &[u8; 32] {
        &self.0.link_secret
    }

    /// Takes no more reads and writes, commits what is queued and lets go of the directory.
    ///
    /// # Errors
    ///
    /// When the last of it could not be written.
    pub async fn close(&self) -> Result<(), Error> {
        self.ledger().close().await
    }
}

fn ledger_options(options: &Options) -> ledger::Options {
    ledger::Options {
        readers: READERS,
        disk_free_min: options.disk_free_min,
        pages_max: options.pages_max,
        ..ledger::Options::new("artnest")
    }
}

/// The secret of this file, made when it is first opened.
fn secret(connection: &mut Connection) -> rusqlite::Result<[u8; 32]> {
    let found = connection
        .query_row("SELECT value FROM server WHERE name = 'link_secret'", [], |row| row.get(0))
        .optional()?;
    if let Some(secret) = found {
        return Ok(secret);
    }
    let fresh: [u8; 32] = rand::random();
    connection.execute("INSERT INTO server (name, value) VALUES ('link_secret', ?1)", [fresh])?;
    Ok(fresh)
}
