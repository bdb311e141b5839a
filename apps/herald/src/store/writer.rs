//! The one thread that writes, and its handle.
//!
//! Callers hand in closures; the thread runs those that come within a moment of one another in one transaction and
//! answers after its commit, so that many share one fsync. A group is optimistic: if an operation fails, the whole
//! group is rolled back and each operation runs again alone, so the one that fails spoils nothing. After a failed
//! disk operation nobody knows what is durable, so the writer stops for good; the next open finds out.

use std::{
    cell::Cell,
    io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Mutex, Semaphore, oneshot};

use super::{
    directory::{Disk, Lock},
    error::Error,
    operation::{Job, Operation, Tx},
    options::Options,
    row::Millis,
    signals::Signals,
    wal::Wal,
    work::Epoch,
};

enum Message {
    Run(Box<dyn Operation>),
    Stop,
}

/// The handle.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    /// The places in the queue. Closed, there are none.
    places: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<Result<(), Error>>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        wal: Wal,
        lock: Lock,
        disk: Disk,
        epoch: Epoch,
        options: Options,
        signals: Arc<Signals>,
    ) -> io::Result<Self> {
        let (sender, queue) = mpsc::channel();
        let places = Arc::new(Semaphore::new(options.queue_ops_max));
        let worker = Worker {
            connection,
            wal,
            _lock: lock,
            disk,
            epoch,
            options,
            signals,
            queue,
            places: Arc::clone(&places),
            stopping: false,
            last_group_ops: 0,
        };
        let thread = thread::Builder::new().name("herald-writer".to_owned()).spawn(move || worker.run())?;
        Ok(Self { queue: sender, places, thread: Mutex::new(Some(thread)) })
    }

    /// Runs `run` in a transaction, and returns what it returned once that is durable.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for a place, nothing happens. Dropped later, the operation still runs.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        run: impl Fn(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_then(run, |done| done).await
    }

    /// Like [`Writer::write`], with a last step on the writer's thread after the commit.
    pub(super) async fn write_then<T: Send + 'static, R: Send + 'static>(
        &self,
        run: impl Fn(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        reply: impl FnOnce(T) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Closed)?;
        let (caller, answer) = oneshot::channel();
        let job = Job::new(run, reply, caller, Some(place));
        self.queue.send(Message::Run(Box::new(job))).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// A way to add small operations from where nobody can wait.
    pub(super) fn backdoor(&self) -> Backdoor {
        Backdoor { queue: self.queue.clone() }
    }

    pub(super) fn refuse_new(&self) {
        self.places.close();
    }

    /// Commits what is queued, checkpoints, and waits until the thread has ended.
    pub(super) async fn stop(&self) -> Result<(), Error> {
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
impl Drop for Writer {
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
#[derive(Debug, Clone)]
pub(super) struct Backdoor {
    queue: mpsc::Sender<Message>,
}

impl Backdoor {
    pub(super) fn send(&self, run: impl Fn(&Tx<'_>) -> rusqlite::Result<()> + Send + 'static) {
        let (caller, _) = oneshot::channel();
        let job = Job::new(run, |done| done, caller, None);
        // A writer that has stopped leaves it to the next open.
        let _ = self.queue.send(Message::Run(Box::new(job)));
    }
}

/// The thread's own side. The connection is closed before the lock is released.
struct Worker {
    connection: Connection,
    wal: Wal,
    _lock: Lock,
    disk: Disk,
    epoch: Epoch,
    options: Options,
    signals: Arc<Signals>,
    queue: mpsc::Receiver<Message>,
    places: Arc<Semaphore>,
    /// A stop came while a group was being filled.
    stopping: bool,
    last_group_ops: usize,
}

impl Worker {
    fn run(mut self) -> Result<(), Error> {
        let _closed = CloseAtEnd { places: Arc::clone(&self.places), signals: Arc::clone(&self.signals) };
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
    fn next(&mut self) -> rusqlite::Result<Option<Message>> {
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
    fn commit_group(&mut self, first: Box<dyn Operation>) -> Result<(), Error> {
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
    fn fill(&mut self, group: &mut Vec<Box<dyn Operation>>) -> rusqlite::Result<()> {
        let wait_until = Instant::now() + self.patience();
        let touched = Touched::default();
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let disk_is_low = self.disk.is_low();
        if let Some(first) = group.first_mut() {
            first.run(&self.tx(&touched, disk_is_low))?;
        }
        while group.len() < self.options.commit_ops_max {
            match self.queue.recv_timeout(wait_until.saturating_duration_since(Instant::now())) {
                Ok(Message::Run(mut operation)) => {
                    let ran = operation.run(&self.tx(&touched, disk_is_low));
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
        self.commit(&touched, group.len())
    }

    /// How long a group waits for company. Whoever was alone the last time is not kept waiting.
    fn patience(&self) -> Duration {
        if self.last_group_ops > 1 { self.options.commit_delay } else { Duration::ZERO }
    }

    fn commit_one_by_one(&mut self, group: Vec<Box<dyn Operation>>) -> Result<(), Error> {
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

    fn commit_one(&mut self, operation: &mut dyn Operation) -> rusqlite::Result<()> {
        let touched = Touched::default();
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let disk_is_low = self.disk.is_low();
        operation.run(&self.tx(&touched, disk_is_low))?;
        self.commit(&touched, 1)
    }

    fn commit(&mut self, touched: &Touched, operations: usize) -> rusqlite::Result<()> {
        let began = Instant::now();
        self.connection.execute_batch("COMMIT")?;
        self.signals.committed(operations, began.elapsed(), touched.due.get(), touched.events.get());
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

    fn tx<'a>(&'a self, touched: &'a Touched, disk_is_low: bool) -> Tx<'a> {
        Tx {
            connection: &self.connection,
            now: Millis::now(),
            epoch: self.epoch,
            options: &self.options,
            disk_is_low,
            touched_due: &touched.due,
            touched_events: &touched.events,
        }
    }
}

#[derive(Default)]
struct Touched {
    due: Cell<bool>,
    events: Cell<bool>,
}

fn reply_all(operations: impl IntoIterator<Item = Box<dyn Operation>>, committed: &Result<(), Error>) {
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
    signals: Arc<Signals>,
}

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.places.close();
        self.signals.close();
    }
}
