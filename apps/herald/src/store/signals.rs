//! What the rest of Herald may watch: that something became due, that something happened, that the store is open.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::view::WriterStats;

#[derive(Debug)]
pub(super) struct Signals {
    pub(super) due: watch::Sender<u64>,
    pub(super) events: watch::Sender<u64>,
    open: AtomicBool,
    stats: Mutex<WriterStats>,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self {
            due: watch::Sender::new(0),
            events: watch::Sender::new(0),
            open: AtomicBool::new(true),
            stats: Mutex::default(),
        }
    }

    /// A group is durable.
    pub(super) fn committed(&self, operations: usize, took: Duration, due: bool, events: bool) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.commits += 1;
        stats.operations += u64::try_from(operations).unwrap_or(u64::MAX);
        stats.last_commit = took;
        drop(stats);
        if due {
            self.due.send_modify(|count| *count += 1);
        }
        if events {
            self.events.send_modify(|count| *count += 1);
        }
    }

    pub(super) fn stats(&self) -> WriterStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
    }
}
