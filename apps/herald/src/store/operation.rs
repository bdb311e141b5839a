//! A unit of work for the writer: a closure, and whoever waits for its answer.

use std::cell::Cell;

use rusqlite::{CachedStatement, Connection};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{error::Error, options::Options, row::Millis, work::Epoch};

/// What an operation sees of the transaction it runs in.
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

impl Tx<'_> {
    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    pub(super) fn last_insert_rowid(&self) -> i64 {
        self.connection.last_insert_rowid()
    }
}

/// A unit of work that is committed whole or not at all.
pub(super) trait Operation: Send {
    /// Runs in the open transaction. May run again, after a rollback.
    fn run(&mut self, tx: &Tx<'_>) -> rusqlite::Result<()>;
    /// Tells the caller, after the commit or when there is none.
    fn reply(self: Box<Self>, committed: Result<(), Error>);
}

/// An operation made of a closure.
pub(super) struct Job<T, R, Run, Reply> {
    run: Run,
    /// A last step after the commit.
    reply: Reply,
    done: Option<T>,
    caller: oneshot::Sender<Result<R, Error>>,
    /// Given back when the operation is done with.
    _place: Option<OwnedSemaphorePermit>,
}

impl<T, R, Run, Reply> Job<T, R, Run, Reply> {
    pub(super) fn new(
        run: Run,
        reply: Reply,
        caller: oneshot::Sender<Result<R, Error>>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { run, reply, done: None, caller, _place: place }
    }
}

impl<T, R, Run, Reply> Operation for Job<T, R, Run, Reply>
where
    T: Send,
    R: Send,
    Run: Fn(&Tx<'_>) -> rusqlite::Result<T> + Send,
    Reply: FnOnce(T) -> R + Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> rusqlite::Result<()> {
        self.done = Some((self.run)(tx)?);
        Ok(())
    }

    fn reply(self: Box<Self>, committed: Result<(), Error>) {
        let Self { reply, done, caller, .. } = *self;
        let answer = match (committed, done) {
            (Ok(()), Some(done)) => Ok(reply(done)),
            (Ok(()), None) => Err(Error::Closed),
            (Err(error), _) => Err(error),
        };
        // A caller that went away does not want to know.
        let _ = caller.send(answer);
    }
}
