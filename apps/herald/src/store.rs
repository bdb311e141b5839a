//! The one file that holds everything: SQLite, with one thread that writes and a few connections that read.
//!
//! What a method returns is durable. Every write after a claim is fenced by the epoch of this run, so a process that
//! was replaced writes nothing. The store refuses to know what a provider is or why a delivery failed; it keeps the
//! books. Read `schema/1.sql` for the tables, the crate `ledger` for how commits are grouped, then `accept`,
//! `claim`, `settle`.

mod accept;
mod books;
mod claim;
mod error;
mod event;
mod options;
mod query;
mod recover;
mod row;
mod settle;
mod view;
mod work;

pub use error::{AcceptError, Error, OpenError, Refused};
pub use ledger::WriterStats;
pub use options::Options;
pub use view::{
    ApiKey, Attempt, Counts, Cursor, DeliveryFilter, DeliverySummary, DeliveryView, Entry, Event, EventKind,
    NotACursor, NotificationSummary, NotificationView, Page, StoredMail,
};
pub use work::{
    Accepted, Class, Epoch, Idempotency, Planned, Recovered, Settled, Settlement, ViewerMail, Work,
};

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use ledger::Ledger;
use rusqlite::params;
use tokio::sync::watch;

use self::{
    books::{Books, Signals, Tx},
    claim::Claimed,
};
use crate::model::{DeliveryId, NewNotification, NotificationId};

/// How an older file is brought up to date; the tables are described there.
const MIGRATIONS: [&str; 1] = [include_str!("store/schema/1.sql")];

/// A handle to the open store; cloning it is cheap.
///
/// # Cancel safety
///
/// A write that is dropped while it waits for a place in the queue does nothing; dropped later, it still happens.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ledger: Ledger<Books>,
    signals: Arc<Signals>,
    epoch: Epoch,
    recovered: Recovered,
}

impl Store {
    /// Whether a store was ever opened in this directory.
    pub fn is_in(directory: &Path) -> bool {
        Options::default().of_ledger().is_in(directory)
    }

    /// Opens the directory, which is made where it is missing, and takes over what a run before left half-done.
    ///
    /// # Errors
    ///
    /// When another process holds it, when a later version wrote it, and when the disk or SQLite fail.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let signals = Arc::new(Signals::default());
        let mut recovered = Recovered::default();
        let mut epoch = Epoch(0);
        let ledger = Ledger::open(directory, options.of_ledger(), &MIGRATIONS, |connection| {
            (epoch, recovered) = recover::begin(connection)?;
            Ok(Books { epoch, options, signals: Arc::clone(&signals) })
        })?;
        Ok(Self(Arc::new(Inner { ledger, signals, epoch, recovered })))
    }

    async fn write<T: Send + 'static>(
        &self,
        run: impl Fn(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.0.ledger.write(move |tx| run(&Tx::of(tx))).await
    }

    /// The number of this run.
    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    /// What the open found half-done.
    pub fn recovered(&self) -> Recovered {
        self.0.recovered
    }

    /// Whether it takes no writes any more: it was closed, or a disk operation failed.
    pub fn is_closed(&self) -> bool {
        self.0.ledger.is_closed()
    }

    /// Whether nothing new is accepted for want of free disk.
    pub fn disk_is_low(&self) -> bool {
        self.0.ledger.disk_is_low()
    }

    /// Takes no more reads and writes, commits what is queued, folds the log into the file and lets go of the
    /// directory.
    ///
    /// # Errors
    ///
    /// When the last of it could not be written.
    pub async fn close(&self) -> Result<(), Error> {
        self.0.ledger.close().await
    }

    /// Remembers a key by its hash.
    ///
    /// # Errors
    ///
    /// When the name or the key is taken, or the store cannot write.
    pub async fn add_api_key(&self, name: &str, sha256: [u8; 32]) -> Result<(), Error> {
        let name = name.to_owned();
        self.write(move |tx| {
            tx.prepare("INSERT INTO api_key (name, sha256, created_at) VALUES (?1, ?2, ?3)")?
                .execute(params![name, sha256, tx.now])
                .map(|_| ())
        })
        .await
    }

    /// Every key that may call, by hash.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, Error> {
        self.0.ledger.read(query::api_keys).await
    }

    /// Stores a notification with its plan; durable when this returns.
    ///
    /// # Errors
    ///
    /// [`AcceptError`]; nothing was stored then.
    pub async fn accept(
        &self,
        new: NewNotification,
        idempotency: Option<Idempotency>,
    ) -> Result<Accepted, AcceptError> {
        self.write(move |tx| accept::accept(tx, &new, idempotency.as_ref())).await?
    }

    /// Leases up to `limit` deliveries of a provider that are due, oldest first.
    ///
    /// # Errors
    ///
    /// When the store cannot write.
    ///
    /// # Cancel safety
    ///
    /// What was leased for a caller that is gone becomes due again.
    pub async fn claim(&self, provider: &str, limit: usize) -> Result<Vec<Work>, Error> {
        let (provider, backdoor) = (provider.to_owned(), self.0.ledger.backdoor());
        let claimed = self
            .0
            .ledger
            .write_then(
                move |tx| claim::claim(&Tx::of(tx), &provider, limit),
                move |work| Claimed::new(work, backdoor),
            )
            .await?;
        Ok(claimed.take())
    }

    /// Notes durably that a leased delivery is about to be sent. Not a byte may leave before this returned.
    ///
    /// # Errors
    ///
    /// [`Refused::Fenced`] where it is not ours to send any more.
    pub async fn intend(&self, delivery: DeliveryId) -> Result<(), Refused> {
        let held = self.write(move |tx| claim::intend(tx, delivery)).await?;
        if held { Ok(()) } else { Err(Refused::Fenced) }
    }

    /// Makes what is leased, and was not begun, due again.
    ///
    /// # Errors
    ///
    /// When the store cannot write.
    pub async fn release(&self, deliveries: &[DeliveryId]) -> Result<(), Error> {
        let deliveries = deliveries.to_vec();
        self.write(move |tx| claim::release(tx, &deliveries)).await
    }

    /// Records how an attempt ended.
    ///
    /// # Errors
    ///
    /// [`Refused::Fenced`] where this run has no intent on the delivery.
    pub async fn settle(&self, delivery: DeliveryId, settlement: Settlement) -> Result<(), Refused> {
        let ours = self.write(move |tx| settle::settle(tx, delivery, &settlement)).await?;
        if ours { Ok(()) } else { Err(Refused::Fenced) }
    }

    /// When the next delivery of a provider may be claimed, which may be in the past.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn next_due(&self, provider: &str) -> Result<Option<Timestamp>, Error> {
        let provider = provider.to_owned();
        self.0.ledger.read(move |connection| query::next_due(connection, &provider)).await
    }

    /// When the next delivery that waits, for whatever, is too late.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn next_deadline(&self) -> Result<Option<Timestamp>, Error> {
        self.0.ledger.read(query::next_deadline).await
    }

    /// Expires what waits and is too late, a thousand at a time.
    ///
    /// # Errors
    ///
    /// When the store cannot write.
    pub async fn expire_overdue(&self) -> Result<(), Error> {
        self.write(claim::expire_overdue).await
    }

    /// Changes whenever something may have become due.
    pub fn due_signal(&self) -> watch::Receiver<u64> {
        self.0.signals.due.subscribe()
    }

    /// A notification with everything that became of it.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn notification(&self, id: NotificationId) -> Result<Option<NotificationView>, Error> {
        self.0.ledger.read(move |connection| query::notification(connection, id)).await
    }

    /// A page of notifications, newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn notifications(
        &self,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<NotificationSummary>, Error> {
        self.0.ledger.read(move |connection| query::notifications(connection, cursor, limit)).await
    }

    /// A page of deliveries, newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn deliveries(
        &self,
        filter: DeliveryFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<DeliverySummary>, Error> {
        self.0.ledger.read(move |connection| query::deliveries(connection, filter, cursor, limit)).await
    }

    /// What happened after `seq`, oldest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn events_after(&self, seq: u64, limit: usize) -> Result<Vec<Event>, Error> {
        self.0.ledger.read(move |connection| query::events_after(connection, seq, limit)).await
    }

    /// The number of the newest event, or 0 where nothing has happened yet.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn newest_event(&self) -> Result<u64, Error> {
        self.0.ledger.read(query::newest_event).await
    }

    /// Changes whenever something happened.
    pub fn event_signal(&self) -> watch::Receiver<u64> {
        self.0.signals.events.subscribe()
    }

    /// The newest mails of the outbox viewer.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn viewer_mails(&self, limit: usize) -> Result<Vec<StoredMail>, Error> {
        self.0.ledger.read(move |connection| query::viewer_mails(connection, limit)).await
    }

    /// The mail of one delivery, if the outbox viewer still has it.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn viewer_mail(&self, delivery: DeliveryId) -> Result<Option<StoredMail>, Error> {
        self.0.ledger.read(move |connection| query::viewer_mail(connection, delivery)).await
    }

    /// How many deliveries there are, and what became of them, at one moment.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn counts(&self) -> Result<Counts, Error> {
        self.0.ledger.read(query::counts).await
    }

    /// What the writer did since the open.
    pub fn writer_stats(&self) -> WriterStats {
        self.0.ledger.stats()
    }
}
