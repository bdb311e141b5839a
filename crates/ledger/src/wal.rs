//! SQLite's write-ahead log, and when it is folded back into the database.
//!
//! The writer does so between groups: when the log has grown long, when there has been nothing to do for a moment,
//! and at the end. A commit is durable once it is in the log, so folding may fail without a loss.

use std::{
    ffi::c_int,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, hooks, wal::CheckpointMode};

/// 16 MiB, at 4 KiB a page.
const LONG_PAGES: u32 = 4_096;

#[derive(Debug)]
pub(crate) struct Wal {
    /// The length of the log, written by SQLite's hook at each commit.
    pages: Arc<AtomicU32>,
    /// So many of them are in the database as well.
    folded: u32,
}

impl Wal {
    /// After so long without work, even a short log is folded.
    pub(crate) const QUIET: Duration = Duration::from_millis(500);

    pub(crate) fn watch(connection: &mut Connection) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut hooks::Wal, pages| {
            seen.store(count(pages), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages, folded: 0 })
    }

    pub(crate) fn is_folded(&mut self) -> bool {
        self.unfolded() == 0
    }

    pub(crate) fn is_long(&mut self) -> bool {
        self.unfolded() >= LONG_PAGES
    }

    fn unfolded(&mut self) -> u32 {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.folded {
            // SQLite has begun the log anew.
            self.folded = 0;
        }
        pages - self.folded
    }

    /// Folds what no reader still needs, without waiting for anybody.
    ///
    /// # Errors
    ///
    /// Only where the disk failed. Where it is full, there is another time.
    pub(crate) fn fold(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        match connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
            Ok((_, folded)) => self.folded = count(folded),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log stays long");
                self.folded = self.pages.load(Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Folds everything and empties the log.
    pub(crate) fn fold_at_end(connection: &Connection) -> rusqlite::Result<()> {
        connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE).map(|_| ())
    }
}

/// SQLite says -1 where there is nothing to count.
fn count(pages: c_int) -> u32 {
    u32::try_from(pages).unwrap_or(0)
}
