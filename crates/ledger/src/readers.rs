//! A few connections that can only read, used on Tokio's blocking threads.
//!
//! Each read sees one moment of the database and neither waits for the writer nor makes it wait.

use std::{
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::{
    sync::{Mutex, mpsc},
    task,
};

use crate::{error::Error, schema};

/// A channel that holds the idle connections.
#[derive(Debug)]
pub(crate) struct Readers {
    count: usize,
    put_back: mpsc::Sender<Connection>,
    idle: Mutex<mpsc::Receiver<Connection>>,
}

impl Readers {
    pub(crate) fn open(path: &Path, count: usize) -> rusqlite::Result<Self> {
        let count = count.max(1);
        let (put_back, idle) = mpsc::channel(count);
        for _ in 0..count {
            // There is a place for each.
            let _ = put_back.try_send(schema::open_reader(path)?);
        }
        Ok(Self { count, put_back, idle: Mutex::new(idle) })
    }

    /// Runs a query.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, the query runs to its end and its answer is dropped.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let mut connection = self.idle.lock().await.recv().await.ok_or(Error::Closed)?;
        let put_back = self.put_back.clone();
        let reading = task::spawn_blocking(move || {
            let answer = panic::catch_unwind(AssertUnwindSafe(|| snapshot(&mut connection, query)));
            // After `close` there is no place for it, and it is closed by being dropped.
            let _ = put_back.try_send(connection);
            answer
        });
        match reading.await {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(panic)) => panic::resume_unwind(panic),
            // The runtime is going down.
            Err(_) => Err(Error::Closed),
        }
    }

    /// Waits for the reads that run, and closes the connections.
    pub(crate) async fn close(&self) {
        let mut idle = self.idle.lock().await;
        for _ in 0..self.count {
            if idle.recv().await.is_none() {
                return;
            }
        }
        idle.close();
    }
}

/// Runs a query that sees one moment of the database, however many statements it has.
fn snapshot<T>(
    connection: &mut Connection,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let answer = query(&transaction)?;
    transaction.finish()?;
    Ok(answer)
}
