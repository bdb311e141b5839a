//! One SQLite file with one thread that writes, in groups that share an fsync, and a few connections that read.
//!
//! What a write returned is durable: the file is in WAL mode with `synchronous=FULL`, and the answer comes after the
//! commit. Operations that come close together share one commit; the one that fails spoils nothing for the others.
//! After a failed disk operation nobody knows what is durable, so the ledger closes itself; opening it again finds out.
//! Until then it keeps the directory, so that nobody else takes it for one at rest.
//! What the tables mean is up to the application, which brings its migrations and, as a [`Book`], what its operations
//! share. Read `writer` for how commits are grouped, then `readers`.

mod backup;
mod directory;
mod error;
mod operation;
mod options;
mod readers;
mod schema;
mod wal;
mod writer;

pub use backup::{check_copy, copy, create_private};
pub use directory::{Lock, sync_parent};
pub use error::{Error, OpenError};
pub use operation::Tx;
pub use options::Options;
pub use writer::{Backdoor, WriterStats};

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use self::{
    directory::Disk,
    readers::Readers,
    wal::Wal,
    writer::{Shared, Writer},
};

/// What the operations of an application share, beside the connection.
pub trait Book: Send + 'static {
    /// What the operations of one group leave behind for [`Book::committed`].
    type Note: Default;

    /// A group is durable. Called on the writer's thread, before its operations are answered.
    fn committed(&self, note: Self::Note);
}

/// For applications that share nothing.
impl Book for () {
    type Note = ();

    fn committed(&self, (): ()) {}
}

/// A handle to an open ledger; cloning it is cheap. When the last is gone, what is queued is committed and the
/// directory let go.
///
/// # Cancel safety
///
/// A write that is dropped while it waits for a place in the queue does nothing; dropped later, it still happens.
#[derive(Debug)]
pub struct Ledger<B: Book = ()>(Arc<Inner<B>>);

impl<B: Book> Clone for Ledger<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<B: Book> {
    writer: Writer<B>,
    readers: Readers,
    shared: Arc<Shared>,
    /// Whose disk is looked at.
    directory: PathBuf,
    disk_free_min: u64,
    /// Let go after the writer and the readers, or by [`Ledger::close`]; not by a ledger that closes itself.
    lock: Mutex<Option<Lock>>,
}

impl<B: Book> Ledger<B> {
    /// Opens the file in the directory, both made where they are missing, brings it up to date by the migrations that
    /// it has not had, and lets `begin` do what a new run does first.
    ///
    /// # Errors
    ///
    /// When another process holds the directory, when a later version wrote it, and when the disk or SQLite fail.
    pub fn open(
        directory: &Path,
        options: Options,
        migrations: &[&str],
        begin: impl FnOnce(&mut Connection) -> rusqlite::Result<B>,
    ) -> Result<Self, OpenError> {
        let lock = Lock::acquire(directory, options.application)?;
        Self::open_locked(lock, directory, options, migrations, begin)
    }

    /// Like [`Ledger::open`], in the place of this one that has closed itself, whose hold on the directory it takes over.
    ///
    /// # Errors
    ///
    /// As with [`Ledger::open`]. Then this one holds the directory still.
    pub fn reopen(
        &self,
        directory: &Path,
        options: Options,
        migrations: &[&str],
        begin: impl FnOnce(&mut Connection) -> rusqlite::Result<B>,
    ) -> Result<Self, OpenError> {
        let held = self.lock().clone();
        match held {
            Some(lock) if self.is_closed() => Self::open_locked(lock, directory, options, migrations, begin),
            _ => Self::open(directory, options, migrations, begin),
        }
    }

    fn open_locked(
        lock: Lock,
        directory: &Path,
        options: Options,
        migrations: &[&str],
        begin: impl FnOnce(&mut Connection) -> rusqlite::Result<B>,
    ) -> Result<Self, OpenError> {
        let path = directory.join(options.file_name());
        let database = |source| OpenError::Database { path: path.clone(), source };
        let mut connection = schema::open_writer(&path, &options, migrations)?;
        let wal = Wal::watch(&mut connection).map_err(database)?;
        let book = begin(&mut connection).map_err(database)?;
        let readers = Readers::open(&path, options.readers).map_err(database)?;
        let shared = Arc::new(Shared::default());
        let disk_free_min = options.disk_free_min;
        let disk = Disk::new(directory, disk_free_min);
        let writer = Writer::start(connection, wal, lock.clone(), disk, book, options, Arc::clone(&shared))
            .map_err(|source| OpenError::Io { path: path.clone(), source })?;
        let lock = Mutex::new(Some(lock));
        Ok(Self(Arc::new(Inner {
            writer,
            readers,
            shared,
            directory: directory.to_owned(),
            disk_free_min,
            lock,
        })))
    }

    /// Runs `run` in a transaction, perhaps with others, and returns what it returned once that is durable. It may run
    /// again, after a rollback.
    ///
    /// # Errors
    ///
    /// When nothing was stored, or nobody knows; see [`Error`].
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for a place in the queue, nothing happens. Dropped later, the operation still runs.
    pub async fn write<T: Send + 'static>(
        &self,
        run: impl Fn(&Tx<'_, B>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.0.writer.write_then(run, |done| done).await
    }

    /// Like [`Ledger::write`], with a last step on the writer's thread after the commit.
    ///
    /// # Errors
    ///
    /// As with [`Ledger::write`].
    ///
    /// # Cancel safety
    ///
    /// As with [`Ledger::write`].
    pub async fn write_then<T: Send + 'static, R: Send + 'static>(
        &self,
        run: impl Fn(&Tx<'_, B>) -> rusqlite::Result<T> + Send + 'static,
        reply: impl FnOnce(T) -> R + Send + 'static,
    ) -> Result<R, Error> {
        self.0.writer.write_then(run, reply).await
    }

    /// A way to add small operations from where nobody can wait.
    pub fn backdoor(&self) -> Backdoor<B> {
        self.0.writer.backdoor()
    }

    /// Runs a query that sees one moment of the file, on one of the connections that only read.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or the ledger is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, the query runs to its end and its answer is dropped.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.0.readers.read(query).await
    }

    /// Whether it takes no writes any more: it was closed, or a disk operation failed.
    pub fn is_closed(&self) -> bool {
        !self.0.shared.is_open()
    }

    /// Whether there is less free space now than [`Options::disk_free_min`]. It asks the kernel.
    pub fn disk_is_low(&self) -> bool {
        directory::is_low(&self.0.directory, self.0.disk_free_min)
    }

    /// Waits until it takes no writes any more and the writer has closed the file.
    pub async fn closed(&self) {
        self.0.shared.closed().await;
    }

    /// What the writer did since the open.
    pub fn stats(&self) -> WriterStats {
        self.0.shared.stats()
    }

    /// Takes no more reads and writes, commits what is queued, folds the log into the file and lets go of the
    /// directory.
    ///
    /// # Errors
    ///
    /// When the last of it could not be written.
    pub async fn close(&self) -> Result<(), Error> {
        self.0.writer.refuse_new();
        // A read that still runs would keep the log from being folded.
        self.0.readers.close().await;
        let stopped = self.0.writer.stop().await;
        *self.lock() = None;
        stopped
    }

    fn lock(&self) -> MutexGuard<'_, Option<Lock>> {
        self.0.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
