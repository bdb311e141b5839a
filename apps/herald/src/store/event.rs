//! The record of what happened, in the order of commits, bounded to the newest.

use rusqlite::params;

use super::{books::Tx, view::EventKind};
use crate::model::{DeliveryId, NotificationId, State};

/// So many events are kept, and up to [`TRIM_EVERY`] more.
const KEPT: i64 = 100_000;
const TRIM_EVERY: i64 = 256;

/// Adds an event to the transaction.
pub(super) fn record(
    tx: &Tx<'_>,
    kind: EventKind,
    notification: NotificationId,
    delivery: DeliveryId,
    state: State,
    note: Option<&str>,
) -> rusqlite::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO event (at, kind, notification, delivery, state, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    insert.execute(params![tx.now, kind, notification, delivery, state, note])?;
    tx.touched_events.set(true);
    let newest = tx.last_insert_rowid();
    if newest % TRIM_EVERY == 0 {
        tx.prepare("DELETE FROM event WHERE seq <= ?1")?.execute([newest - KEPT])?;
    }
    Ok(())
}
