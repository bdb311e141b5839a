//! A unit of work for the writer: a closure, and whoever waits for its answer.

use rusqlite::{CachedStatement, Connection};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{Book, error::Error};

/// What an operation sees of the transaction it runs in.
#[derive(Debug)]
pub struct Tx<'a, B: Book> {
    pub connection: &'a Connection,
    /// What the application's operations share.
    pub book: &'a B,
    /// What this group leaves behind.
    pub note: &'a B::Note,
    /// Whether there is less free space than the floor.
    pub disk_is_low: bool,
}

impl<'a, B: Book> Tx<'a, B> {
    /// A statement, prepared once for all operations.
    ///
    /// # Errors
    ///
    /// When it is wrong.
    pub fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
        self.connection.prepare_cached(sql)
    }
}

/// A unit of work that is committed whole or not at all.
pub(crate) trait Operation<B: Book>: Send {
    /// Runs in the open transaction. May run again, after a rollback.
    fn run(&mut self, tx: &Tx<'_, B>) -> rusqlite::Result<()>;
    /// Tells the caller, after the commit or when there is none.
    fn reply(self: Box<Self>, committed: Result<(), Error>);
}

/// An operation made of a closure.
pub(crate) struct Job<T, R, Run, Reply> {
    run: Run,
    /// A last step after the commit.
    reply: Reply,
    done: Option<T>,
    caller: oneshot::Sender<Result<R, Error>>,
    /// Given back when the operation is done with.
    _place: Option<OwnedSemaphorePermit>,
}

impl<T, R, Run, Reply> Job<T, R, Run, Reply> {
    pub(crate) fn new(
        run: Run,
        reply: Reply,
        caller: oneshot::Sender<Result<R, Error>>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { run, reply, done: None, caller, _place: place }
    }
}

impl<B, T, R, Run, Reply> Operation<B> for Job<T, R, Run, Reply>
where
    B: Book,
    T: Send,
    R: Send,
    Run: Fn(&Tx<'_, B>) -> rusqlite::Result<T> + Send,
    Reply: FnOnce(T) -> R + Send,
{
    fn run(&mut self, tx: &Tx<'_, B>) -> rusqlite::Result<()> {
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
