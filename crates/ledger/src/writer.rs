//! The one thread that writes, and its handle.
//!
//! Callers hand in closures; the thread runs those that come within a moment of one another in one transaction and
//! answers after its commit, so that many share one fsync. A group is optimistic: if an operation fails, the whole
//! group is rolled back and each operation runs again alone, so the one that fails spoils nothing. After a failed
//! disk operation nobody knows what is durable, so the writer stops for good; the next open finds out.

use std::{
    fmt, io,
    sync::{Arc, Mutex as StdMutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Mutex, Semaphore, oneshot, watch};

use crate::{
    Book,
    directory::{Disk, Lock},
    error::Error,
    operation::{Job, Operation, Tx},
    options::Options,
    wal::Wal,
};

type Boxed<B> = Box<dyn Operation<B>>;

enum Message<B: Book> {
    Run(Boxed<B>),
    Stop,
}

/// What the thread and the handles both see.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    is_closed: watch::Sender<bool>,
    stats: StdMutex<WriterStats>,
}

/// What the writer did since the open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterStats {
    pub commits: u64,
    pub operations: u64,
    /// How long the last commit took, most of it the fsync.
    pub last_commit: Duration,
}

impl Shared {
    pub(crate) fn is_open(&self) -> bool {
        !*self.is_closed.borrow()
    }

    pub(crate) async fn closed(&self) {
        // The sender is here, so it cannot be gone.
        let _ = self.is_closed.subscribe().wait_for(|&closed| closed).await;
    }

    pub(crate) fn stats(&self) -> WriterStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn committed(&self, operations: usize, took: Duration) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.commits += 1;
        stats.operations += u64::try_from(operations).unwrap_or(u64::MAX);
        stats.last_commit = took;
    }
}

/// The handle.
#[derive(Debug)]
pub(crate) struct Writer<B: Book> {
    queue: mpsc::Sender<Message<B>>,
    /// The places in the queue. Closed, there are none.
    places: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<Result<(), Error>>>>,
}

impl<B: Book> Writer<B> {
    /// Starts the thread.
    pub(crate) fn start(
        connection: Connection,
        wal: Wal,
        lock: Lock,
        disk: Disk,
        book: B,
        options: Options,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let (sender, queue) = mpsc::channel();
        let places = Arc::new(Semaphore::new(options.queue_ops_max));
        let worker = Worker {
            connection,
            wal,
            _lock: lock,
            disk,
            book,
            options,
            shared,
            queue,
            places: Arc::clone(&places),
            stopping: false,
            last_group_ops: 0,
        };
        let closed = CloseAtEnd { places: Arc::clone(&worker.places), shared: Arc::clone(&worker.shared) };
        let name = format!("{}-writer", worker.options.application);
        let thread = thread::Builder::new().name(name).spawn(move || {
            // After the worker is gone, and with it the connection.
            let _closed = closed;
            worker.run()
        })?;
        Ok(Self { queue: sender, places, thread: Mutex::new(Some(thread)) })
    }

    /// Runs `run` in a transaction and `reply` after its commit, both on the thread.
    pub(crate) async fn write_then<T: Send + 'static, R: Send + 'static>(
        &self,
        run: impl Fn(&Tx<'_, B>) -> rusqlite::Result<T> + Send + 'static,
        reply: impl FnOnce(T) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Closed)?;
        let (caller, answer) = oneshot::channel();
        let job = Job::new(run, reply, caller, Some(place));
        self.queue.send(Message::Run(Box::new(job))).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// A way to add small operations from where nobody can wait.
    pub(crate) fn backdoor(&self) -> Backdoor<B> {
        Backdoor { queue: self.queue.clone() }
    }

    pub(crate) fn refuse_new(&self) {
        self.places.close();
    }

    /// Commits what is queued, checkpoints, and waits until the thread has ended.
    pub(crate) async fn stop(&self) -> Result<(), Error> {
        self.refuse_new();
        let mut thread = self.thread.lock().await;
        let Some(running) = thread.take() else { return Ok(()) };
        // It may have stopped by itself.
        let _ = self.queue.send(Message::Stop);
        let joined = tokio::task::spawn_blocking(move || running.join()).await;
        match joined {
            Ok(Ok(ended)) => ended,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Closed),
        }
    }
}

/// Without [`Writer::stop`], what is queued is still committed before the last handle is gone.
impl<B: Book> Drop for Writer<B> {
    fn drop(&mut self) {
        self.refuse_new();
        if let Some(thread) = self.thread.get_mut().take() {
            let _ = self.queue.send(Message::Stop);
            // What became of it, its operations were told.
            let _ = thread.join();
        }
    }
}

/// Adds an operation without a place in the queue and without an answer.
pub struct Backdoor<B: Book> {
    queue: mpsc::Sender<Message<B>>,
}

impl<B: Book> Clone for Backdoor<B> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<B: Book> fmt::Debug for Backdoor<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backdoor").finish_non_exhaustive()
    }
}

impl<B: Book> Backdoor<B> {
    /// Queues an operation. A writer that has stopped does not run it.
    pub fn send(&self, run: impl Fn(&Tx<'_, B>) -> rusqlite::Result<()> + Send + 'static) {
        let (caller, _) = oneshot::channel();
        let job = Job::new(run, |done| done, caller, None);
        // A writer that has stopped leaves it to the next open.
        let _ = self.queue.send(Message::Run(Box::new(job)));
    }
}

/// The thread's own side. The connection is closed before the lock is released.
struct Worker<B: Book> {
    connection: Connection,
    wal: Wal,
    _lock: Lock,
    disk: Disk,
    book: B,
    options: Options,
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Message<B>>,
    places: Arc<Semaphore>,
    /// A stop came while a group was being filled.
    stopping: bool,
    last_group_ops: usize,
}

impl<B: Book> Worker<B> {
    fn run(mut self) -> Result<(), Error> {
        let ended = self.serve();
        match &ended {
            Ok(()) => tracing::debug!("the writer has stopped"),
            Err(error) => tracing::error!(%error, "a disk operation failed: the store has closed itself"),
        }
        ended
    }

    fn serve(&mut self) -> Result<(), Error> {
        while !self.stopping {
            match self.next()? {
                Some(Message::Run(first)) => self.commit_group(first)?,
                Some(Message::Stop) => self.stopping = true,
                None => {}
            }
            if self.wal.is_long() {
                self.wal.fold(&self.connection)?;
            }
        }
        Ok(Wal::fold_at_end(&self.connection)?)
    }

    /// `None` after a quiet moment, in which the log was folded.
    fn next(&mut self) -> rusqlite::Result<Option<Message<B>>> {
        if self.wal.is_folded() {
            return Ok(Some(self.queue.recv().unwrap_or(Message::Stop)));
        }
        match self.queue.recv_timeout(Wal::QUIET) {
            Ok(message) => Ok(Some(message)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Ok(Some(Message::Stop)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.wal.fold(&self.connection)?;
                Ok(None)
            }
        }
    }

    /// Commits `first` and what comes shortly after it. Fails only where the writer has to stop.
    fn commit_group(&mut self, first: Boxed<B>) -> Result<(), Error> {
        let mut group = vec![first];
        let committed = self.fill(&mut group);
        self.last_group_ops = group.len();
        match committed {
            Ok(()) => {
                reply_all(group, &Ok(()));
                Ok(())
            }
            Err(error) => {
                let must_stop = must_stop(&error);
                let error = self.roll_back(error);
                if must_stop {
                    reply_all(group, &Err(error.clone()));
                    return Err(error);
                }
                self.commit_one_by_one(group)
            }
        }
    }

    /// Runs operations as they come, and commits when there are enough or the time is up.
    fn fill(&mut self, group: &mut Vec<Boxed<B>>) -> rusqlite::Result<()> {
        let wait_until = Instant::now() + self.patience();
        let note = B::Note::default();
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let disk_is_low = self.disk.is_low();
        if let Some(first) = group.first_mut() {
            first.run(&self.tx(&note, disk_is_low))?;
        }
        while group.len() < self.options.commit_ops_max {
            match self.queue.recv_timeout(wait_until.saturating_duration_since(Instant::now())) {
                Ok(Message::Run(mut operation)) => {
                    let ran = operation.run(&self.tx(&note, disk_is_low));
                    group.push(operation);
                    ran?;
                }
                Ok(Message::Stop) => {
                    self.stopping = true;
                    break;
                }
                Err(_) => break,
            }
        }
        self.commit(note, group.len())
    }

    /// How long a group waits for company. Whoever was alone the last time is not kept waiting.
    fn patience(&self) -> Duration {
        if self.last_group_ops > 1 { self.options.commit_delay } else { Duration::ZERO }
    }

    fn commit_one_by_one(&mut self, group: Vec<Boxed<B>>) -> Result<(), Error> {
        let mut rest = group.into_iter();
        while let Some(mut operation) = rest.next() {
            let Err(error) = self.commit_one(operation.as_mut()) else {
                operation.reply(Ok(()));
                continue;
            };
            let must_stop = must_stop(&error);
            let error = self.roll_back(error);
            operation.reply(Err(error.clone()));
            if must_stop {
                reply_all(rest, &Err(Error::Closed));
                return Err(error);
            }
        }
        Ok(())
    }

    fn commit_one(&mut self, operation: &mut dyn Operation<B>) -> rusqlite::Result<()> {
        let note = B::Note::default();
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let disk_is_low = self.disk.is_low();
        operation.run(&self.tx(&note, disk_is_low))?;
        self.commit(note, 1)
    }

    fn commit(&mut self, note: B::Note, operations: usize) -> rusqlite::Result<()> {
        let began = Instant::now();
        self.connection.execute_batch("COMMIT")?;
        self.shared.committed(operations, began.elapsed());
        self.book.committed(note);
        Ok(())
    }

    fn roll_back(&self, error: rusqlite::Error) -> Error {
        // Some errors have rolled back already; a rollback that fails leaves a transaction that the next BEGIN meets.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "cannot roll back");
        }
        error.into()
    }

    fn tx<'a>(&'a self, note: &'a B::Note, disk_is_low: bool) -> Tx<'a, B> {
        Tx { connection: &self.connection, book: &self.book, note, disk_is_low }
    }
}

fn reply_all<B: Book>(operations: impl IntoIterator<Item = Boxed<B>>, committed: &Result<(), Error>) {
    for operation in operations {
        operation.reply(committed.clone());
    }
}

/// Whether the file can no longer be trusted to hold what it was given.
fn must_stop(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
        )
    )
}

/// However the thread ends, even by a panic, nobody waits for it in vain.
struct CloseAtEnd {
    places: Arc<Semaphore>,
    shared: Arc<Shared>,
}

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.places.close();
        self.shared.is_closed.send_replace(true);
    }
}
