//! What is owed to the sinks, in the order in which it came in, and how far each has come.

use std::cell::Cell;

use jiff::Timestamp;
use ledger::{Book, Tx};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;

use super::{Error, Store, from_json, to_json};
use crate::{item::Item, source::SourceName};

/// Why what a sink was still owed is kept aside when the settings name it no more; what has this reason goes to it when they
/// name it again.
pub(super) const REMOVED: &str = "the sink was removed";

/// Rows that one search for a sink's items looks at; those of other sinks are passed over.
const LOOK_MAX: usize = 1_024;

/// The outbox's length, told to all who wait for it to change when the transaction that changed it is durable.
#[derive(Debug)]
pub(super) struct Length(pub(super) watch::Sender<u64>);

impl Book for Length {
    /// The length after the last operation that touched the outbox.
    type Note = Cell<Option<u64>>;

    fn committed(&self, note: Self::Note) {
        if let Some(length) = note.get() {
            // Also where it is the same: what came in and what was deleted may be as many.
            self.0.send_replace(length);
        }
    }
}

/// An item, and its number in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub seq: u64,
    pub item: Item,
}

/// An item that a sink will never take.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub entry: Entry,
    pub why: String,
}

/// What became of what sinks were owed that are gone, or that are there again: their names, and how many items.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Kept aside.
    pub aside: Vec<(String, usize)>,
    /// Owed once more.
    pub back: Vec<(String, usize)>,
}

/// How far a sink has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkRow {
    pub name: String,
    /// Rows of the outbox that it has still to pass.
    pub behind: u64,
    /// Items that it will never take.
    pub refused: u64,
}

impl Store {
    /// Makes these the sinks that there are. What one that is gone was still owed is kept aside; one that is there again is
    /// owed it once more. Otherwise a new one begins with what comes in from now on.
    ///
    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn set_sinks(&self, names: Vec<String>) -> Result<Moved, Error> {
        self.ledger
            .write(move |tx| {
                let moved = Moved {
                    aside: set_aside(tx.connection, &to_json(&names)?)?,
                    back: add(tx.connection, &names)?,
                };
                forget_delivered(tx)?;
                Ok(moved)
            })
            .await
    }

    /// The next items that a sink is owed, at most so many, and the number up to which this says all. Empty: it is owed
    /// nothing up to that number.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn owed(&self, sink: &str, items_max: usize) -> Result<(Vec<Entry>, u64), Error> {
        let sink = sink.to_owned();
        self.ledger.read(move |connection| owed(connection, &sink, items_max)).await
    }

    /// A sink has everything up to `seq`, except what it refused for good.
    ///
    /// # Errors
    ///
    /// When it could not be stored. The sink will be given the same items again.
    pub async fn acknowledge(&self, sink: &str, seq: u64, refused: Vec<Refusal>) -> Result<(), Error> {
        let sink = sink.to_owned();
        self.ledger
            .write(move |tx| {
                let connection = tx.connection;
                let at = Timestamp::now().as_millisecond();
                let mut refuse = connection.prepare_cached(
                    "INSERT OR REPLACE INTO refused (sink, seq, why, item, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?;
                for Refusal { entry, why } in &refused {
                    refuse.execute(params![sink, entry.seq, why, to_json(&entry.item)?, at])?;
                }
                let mut advance = connection
                    .prepare_cached("UPDATE sink SET acknowledged = max(acknowledged, ?2) WHERE name = ?1")?;
                advance.execute(params![sink, seq])?;
                forget_delivered(tx)
            })
            .await
    }

    /// How far each sink has come.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn sinks(&self) -> Result<Vec<SinkRow>, Error> {
        self.ledger
            .read(|connection| {
                let mut select = connection.prepare_cached(
                    "SELECT name, (SELECT coalesce(max(seq), 0) FROM outbox), acknowledged,
                            (SELECT count(*) FROM refused WHERE refused.sink = sink.name)
                     FROM sink ORDER BY name",
                )?;
                let rows = select.query_map([], |row| {
                    let (last, acknowledged): (u64, u64) = (row.get(1)?, row.get(2)?);
                    let behind = last.saturating_sub(acknowledged);
                    Ok(SinkRow { name: row.get(0)?, behind, refused: row.get(3)? })
                })?;
                rows.collect()
            })
            .await
    }

    /// Items that some sink has not acknowledged.
    pub fn spilled(&self) -> u64 {
        *self.spilled.borrow()
    }

    /// The same, for whoever waits until something comes in or is delivered.
    pub(crate) fn watch_spilled(&self) -> watch::Receiver<u64> {
        self.spilled.subscribe()
    }
}

pub(super) fn append(
    tx: &Tx<'_, Length>,
    source: &SourceName,
    sinks: Option<&[String]>,
    items: &[Item],
    at: Timestamp,
) -> rusqlite::Result<()> {
    let sinks = sinks.map(|sinks| to_json(&sinks)).transpose()?;
    let mut insert = tx.prepare("INSERT INTO outbox (source, sinks, item, at) VALUES (?1, ?2, ?3, ?4)")?;
    for item in items {
        insert.execute(params![source.as_str(), sinks, to_json(item)?, at.as_millisecond()])?;
    }
    note_length(tx)
}

/// Removes the sinks that are not among these, and keeps aside what they were owed.
fn set_aside(connection: &Connection, names: &str) -> rusqlite::Result<Vec<(String, usize)>> {
    let mut gone = connection.prepare_cached(
        "DELETE FROM sink WHERE name NOT IN (SELECT value FROM json_each(?1)) RETURNING name, acknowledged",
    )?;
    let gone = gone.query_map([names], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let gone = gone.collect::<rusqlite::Result<Vec<(String, u64)>>>()?;
    let mut keep = connection.prepare_cached(
        "INSERT OR REPLACE INTO refused (sink, seq, why, item, at) SELECT ?1, seq, ?3, item, at FROM outbox
         WHERE seq > ?2 AND (sinks IS NULL OR ?1 IN (SELECT value FROM json_each(sinks)))",
    )?;
    let aside = gone.into_iter().map(|(name, acknowledged)| {
        let items = keep.execute(params![name, acknowledged, REMOVED])?;
        Ok((name, items))
    });
    some(aside)
}

/// Adds the sinks that are not there yet. What was kept aside for them comes in again, before all that is new.
fn add(connection: &Connection, names: &[String]) -> rusqlite::Result<Vec<(String, usize)>> {
    let mut add = connection.prepare_cached(
        "INSERT INTO sink (name, acknowledged)
         VALUES (?1, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'))
         ON CONFLICT (name) DO NOTHING",
    )?;
    let mut added = Vec::new();
    for name in names {
        if add.execute([name])? > 0 {
            added.push(name);
        }
    }
    let mut owe = connection.prepare_cached(
        "INSERT INTO outbox (source, sinks, item, at) SELECT item ->> 'source', json_array(sink), item, at
         FROM refused WHERE sink = ?1 AND why = ?2 ORDER BY seq",
    )?;
    let mut forget = connection.prepare_cached("DELETE FROM refused WHERE sink = ?1 AND why = ?2")?;
    let back = added.into_iter().map(|name| {
        let items = owe.execute([name, REMOVED])?;
        forget.execute([name, REMOVED])?;
        Ok((name.clone(), items))
    });
    some(back)
}

/// Without the sinks that were owed nothing.
fn some(
    moved: impl Iterator<Item = rusqlite::Result<(String, usize)>>,
) -> rusqlite::Result<Vec<(String, usize)>> {
    moved.filter(|moved| !matches!(moved, Ok((_, 0)))).collect()
}

/// Has the length told, once the transaction is durable.
fn note_length(tx: &Tx<'_, Length>) -> rusqlite::Result<()> {
    tx.note.set(Some(length(tx.connection)?));
    Ok(())
}

/// How many rows there are, by its two ends.
pub(super) fn length(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce((SELECT max(seq) FROM outbox) - (SELECT min(seq) FROM outbox) + 1, 0)";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

fn owed(connection: &Connection, sink: &str, items_max: usize) -> rusqlite::Result<(Vec<Entry>, u64)> {
    let mut from = connection.prepare_cached("SELECT acknowledged FROM sink WHERE name = ?1")?;
    let from: Option<u64> = from.query_row([sink], |row| row.get(0)).optional()?;
    // A sink that is gone is owed nothing, though its drain may not know yet.
    let Some(mut up_to) = from else { return Ok((Vec::new(), 0)) };
    let mut select = connection
        .prepare_cached("SELECT seq, sinks, item FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = select.query(params![up_to, LOOK_MAX])?;
    let mut entries = Vec::new();
    while entries.len() < items_max
        && let Some(row) = rows.next()?
    {
        up_to = row.get(0)?;
        let sinks: Option<Vec<String>> =
            row.get::<_, Option<String>>(1)?.map(|text| from_json(&text, 1)).transpose()?;
        if sinks.is_none_or(|sinks| sinks.iter().any(|name| name == sink)) {
            entries.push(Entry { seq: up_to, item: from_json(&row.get::<_, String>(2)?, 2)? });
        }
    }
    Ok((entries, up_to))
}

/// Deletes what every sink has passed.
fn forget_delivered(tx: &Tx<'_, Length>) -> rusqlite::Result<()> {
    let sql = "DELETE FROM outbox WHERE seq <= (SELECT coalesce(min(acknowledged), 0) FROM sink)";
    tx.prepare(sql)?.execute([])?;
    note_length(tx)
}
