//! What Herald's operations share, and what they see of the transaction they run in.
//!
//! The file and its writer are the crate `ledger`; this says what an operation of Herald's gets from it, and what the
//! rest of Herald may watch: that something became due, that something happened.

use std::{cell::Cell, sync::Arc};

use ledger::Book;
use rusqlite::{CachedStatement, Connection};
use tokio::sync::watch;

use super::{options::Options, row::Millis, work::Epoch};

/// What the writer's thread has at hand.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) epoch: Epoch,
    pub(super) options: Options,
    pub(super) signals: Arc<Signals>,
}

/// Counts up whenever something may have become due, and whenever something happened.
#[derive(Debug, Default)]
pub(super) struct Signals {
    pub(super) due: watch::Sender<u64>,
    pub(super) events: watch::Sender<u64>,
}

/// What a group of operations touched.
#[derive(Debug, Default)]
pub(super) struct Touched {
    due: Cell<bool>,
    events: Cell<bool>,
}

impl Book for Books {
    type Note = Touched;

    fn committed(&self, touched: Touched) {
        if touched.due.get() {
            self.signals.due.send_modify(|count| *count += 1);
        }
        if touched.events.get() {
            self.signals.events.send_modify(|count| *count += 1);
        }
    }
}

/// The transaction, as one operation sees it.
pub(super) struct Tx<'a> {
    pub(super) connection: &'a Connection,
    pub(super) now: Millis,
    pub(super) epoch: Epoch,
    pub(super) options: &'a Options,
    pub(super) disk_is_low: bool,
    /// Whether something may have become due.
    pub(super) touched_due: &'a Cell<bool>,
    /// Whether an event was written.
    pub(super) touched_events: &'a Cell<bool>,
}

impl<'a> Tx<'a> {
    pub(super) fn of(tx: &ledger::Tx<'a, Books>) -> Self {
        Self {
            connection: tx.connection,
            now: Millis::now(),
            epoch: tx.book.epoch,
            options: &tx.book.options,
            disk_is_low: tx.disk_is_low,
            touched_due: &tx.note.due,
            touched_events: &tx.note.events,
        }
    }

    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    pub(super) fn last_insert_rowid(&self) -> i64 {
        self.connection.last_insert_rowid()
    }
}
