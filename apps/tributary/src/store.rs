//! The one file that holds everything between a source and its sinks: marks, ids that came in already, and the outbox.
//!
//! What was read is safe before it counts as read: the items, their ids and the mark of the next visit are one transaction
//! with fsync. It is forgotten when every sink it was meant for has acknowledged it: each sink has a cursor, and what lies
//! below all cursors is deleted. So after any crash a visit is either whole or never was, and a delivery is repeated at most
//! from the last acknowledgement on. Read `schema/1.sql` for the tables, then `visits` and `outbox`.

mod outbox;
mod source_state;
#[cfg(test)]
mod tests;
mod visits;

use std::{collections::HashMap, path::Path};

use ledger::Ledger;
pub use ledger::{Error, OpenError, WriterStats};
use rusqlite::types::Type;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

pub use self::{
    outbox::{Entry, Moved, Refusal, SinkRow},
    source_state::SourceState,
    visits::{Committed, Visit},
};
use crate::source::SourceName;

const MIGRATIONS: [&str; 1] = [include_str!("store/schema/1.sql")];
/// Reads at the same time: the drains of sinks, and the page.
const READERS: usize = 4;

/// What belongs to the operator.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// With less free space on the disk, no visit is taken in.
    pub disk_free_min: u64,
    /// The file may grow to so many pages of 4 KiB. `None`: as far as the disk allows.
    pub pages_max: Option<u32>,
}

/// A handle to the open store; cloning it is cheap.
///
/// # Cancel safety
///
/// A write that is dropped while it waits for a place in the queue does nothing; dropped later, it still happens.
#[derive(Debug, Clone)]
pub struct Store {
    ledger: Ledger<outbox::Length>,
    /// How many items wait for some sink. Only the writer sets it, after the transaction that changed it; a sender is here,
    /// so that whoever waits for a change still does when the writer is gone.
    spilled: watch::Sender<u64>,
}

impl Store {
    /// Opens the directory, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// When another Tributary holds it, when a later version wrote it, and when the disk or SQLite fail.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let options = ledger::Options {
            readers: READERS,
            disk_free_min: options.disk_free_min,
            pages_max: options.pages_max,
            ..ledger::Options::new("tributary")
        };
        let spilled = watch::Sender::new(0);
        let told = spilled.clone();
        let begin = |connection: &mut rusqlite::Connection| {
            told.send_replace(outbox::length(connection)?);
            Ok(outbox::Length(told))
        };
        let ledger = Ledger::open(directory, options, &MIGRATIONS, begin)?;
        Ok(Self { ledger, spilled })
    }

    /// What is known of every source, also of those that are configured no more.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn sources(&self) -> Result<HashMap<SourceName, SourceState>, Error> {
        self.ledger
            .read(|connection| {
                let mut select = connection.prepare("SELECT name, state FROM source")?;
                let rows = select.query_map([], |row| {
                    Ok((row.get::<_, String>(0)?, from_json(&row.get::<_, String>(1)?, 1)?))
                })?;
                rows.map(|row| row.and_then(|(name, state)| Ok((name_of(&name)?, state)))).collect()
            })
            .await
    }

    /// What is known of one source: nothing, where it was never visited.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn source(&self, name: &SourceName) -> Result<SourceState, Error> {
        let name = name.clone();
        self.ledger
            .read(move |connection| {
                let mut select = connection.prepare_cached("SELECT state FROM source WHERE name = ?1")?;
                let mut rows = select.query([name.as_str()])?;
                rows.next()?
                    .map_or_else(|| Ok(SourceState::default()), |row| from_json(&row.get::<_, String>(0)?, 0))
            })
            .await
    }

    /// Resolves when the store has closed itself, since a disk operation failed and nobody knows what is durable.
    pub async fn closed(&self) {
        self.ledger.closed().await;
    }

    /// Whether it takes writes.
    pub fn is_writable(&self) -> bool {
        !self.ledger.is_closed()
    }

    /// What the writer did since the open.
    pub fn writer_stats(&self) -> WriterStats {
        self.ledger.stats()
    }

    /// Takes no more reads and writes, commits what is queued and lets go of the directory.
    ///
    /// # Errors
    ///
    /// When the last of it could not be written.
    pub async fn close(&self) -> Result<(), Error> {
        self.ledger.close().await
    }
}

/// What was written as JSON by us; anything else in its place is damage.
fn from_json<T: DeserializeOwned>(text: &str, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn name_of(text: &str) -> rusqlite::Result<SourceName> {
    text.parse().map_err(|error: crate::source::NotAName| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
    })
}
