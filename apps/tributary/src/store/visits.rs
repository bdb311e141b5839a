//! A visit becomes durable: its items, their ids and the mark of the next one, or nothing of it.

use std::collections::HashSet;

use ledger::Tx;
use rusqlite::{Connection, params};

use super::{
    Error, SourceState, Store,
    outbox::{self, Length},
    to_json,
};
use crate::{
    item::{Item, ItemId},
    source::SourceName,
};

/// Ids that are remembered of a source beside those of its last visit. Feeds that bring back what is older than this are
/// read again, and sinks know the items by their ids.
const SEEN_MAX: usize = 10_000;

/// What a visit leaves behind.
#[derive(Debug, Clone)]
pub struct Visit {
    pub source: SourceName,
    /// What is known after it, where any of the items had not come in before; their number is added here.
    pub if_news: SourceState,
    /// And where none had.
    pub if_no_news: SourceState,
    pub items: Vec<Item>,
    /// The sinks that the items are meant for. `None`: all.
    pub sinks: Option<Vec<String>>,
    /// Items that may wait in the outbox.
    pub spill_items_max: u64,
}

/// What became of a visit.
#[derive(Debug, Clone, PartialEq)]
pub enum Committed {
    /// It is durable, with those of its items that had not come in before. The state is the one that is stored now.
    Durable { fresh: Vec<Item>, state: Box<SourceState> },
    /// The outbox has no room for its items. Nothing was stored.
    Full { items: u64 },
    /// There is less free disk than the floor. Nothing was stored.
    DiskIsLow,
}

impl Store {
    /// Stores a visit, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn commit(&self, visit: Visit) -> Result<Committed, Error> {
        self.ledger.write(move |tx| commit(tx, &visit)).await
    }
}

fn commit(tx: &Tx<'_, Length>, visit: &Visit) -> rusqlite::Result<Committed> {
    let connection = tx.connection;
    let fresh = fresh(connection, visit)?;
    let mut state = if fresh.is_empty() { visit.if_no_news.clone() } else { visit.if_news.clone() };
    if !fresh.is_empty() {
        if tx.disk_is_low {
            return Ok(Committed::DiskIsLow);
        }
        // A visit with more items than may wait at all is let in when nothing waits; else it never could be.
        let waiting = outbox::length(connection)?;
        if waiting > 0 && waiting + count(fresh.len()) > visit.spill_items_max {
            return Ok(Committed::Full { items: waiting });
        }
        let at = jiff::Timestamp::now();
        outbox::append(tx, &visit.source, visit.sinks.as_deref(), &fresh, at)?;
        state.items_total += count(fresh.len());
    }
    see(connection, visit, state.visits)?;
    let mut keep = connection.prepare_cached(
        "INSERT INTO source (name, state) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
    )?;
    keep.execute(params![visit.source.as_str(), to_json(&state)?])?;
    Ok(Committed::Durable { fresh, state: Box::new(state) })
}

/// The items that did not come in before, each once.
fn fresh(connection: &Connection, visit: &Visit) -> rusqlite::Result<Vec<Item>> {
    let mut known = connection.prepare_cached("SELECT 1 FROM seen WHERE source = ?1 AND id = ?2")?;
    let mut here = HashSet::<ItemId>::new();
    let mut fresh = Vec::new();
    for item in &visit.items {
        let is_known = known.exists(params![visit.source.as_str(), item.id.as_bytes()])?;
        if !is_known && here.insert(item.id) {
            fresh.push(item.clone());
        }
    }
    Ok(fresh)
}

/// Remembers the ids, and forgets those that were not seen for longest.
fn see(connection: &Connection, visit: &Visit, number: u64) -> rusqlite::Result<()> {
    if visit.items.is_empty() {
        return Ok(());
    }
    let source = visit.source.as_str();
    let mut see = connection.prepare_cached(
        "INSERT INTO seen (source, id, visit) VALUES (?1, ?2, ?3)
         ON CONFLICT (source, id) DO UPDATE SET visit = excluded.visit",
    )?;
    for item in &visit.items {
        see.execute(params![source, item.id.as_bytes(), number])?;
    }
    // Exactly those beyond the limit: the ids of one visit may be half of all.
    let mut forget = connection.prepare_cached(
        "DELETE FROM seen WHERE source = ?1 AND id IN
         (SELECT id FROM seen WHERE source = ?1 AND visit < ?2 ORDER BY visit DESC LIMIT -1 OFFSET ?3)",
    )?;
    forget.execute(params![source, number, SEEN_MAX]).map(drop)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
