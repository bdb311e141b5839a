//! What a new run does first: it takes a number, makes its ids go on after those that are there, and takes over what the
//! runs before it left half-done.
//!
//! The lock says that no other process is alive on this directory, so whatever is held is held by the dead. What was
//! only leased was not sent and is due. What had an intent may have been sent, and is marked unknown.

use rusqlite::{Connection, TransactionBehavior, params};

use super::{
    row::Millis,
    work::{Epoch, Recovered},
};
use crate::model;

/// So many runs are remembered.
const EPOCHS_KEPT: i64 = 100;

const RELEASED: &str = "it was leased by a process that ended";
const CUT_OFF: &str = "the process ended before an answer came";

/// Begins an epoch, in one transaction with the recovery.
pub(super) fn begin(connection: &mut Connection) -> rusqlite::Result<(Epoch, Recovered)> {
    let now = Millis::now();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let epoch: i64 = transaction.query_row(
        "INSERT INTO node (pid, started_at) VALUES (?1, ?2) RETURNING epoch",
        params![std::process::id(), now],
        |row| row.get(0),
    )?;
    transaction.execute("DELETE FROM node WHERE epoch <= ?1", params![epoch - EPOCHS_KEPT])?;
    let recovered =
        Recovered { released: release_leased(&transaction, now)?, unknown: mark_intents(&transaction, now)? };
    transaction.commit()?;
    go_on_after_stored(connection)?;
    Ok((Epoch(epoch), recovered))
}

/// The lists are sorted by id, and the clock may have been ahead before.
fn go_on_after_stored(connection: &Connection) -> rusqlite::Result<()> {
    for table in ["notification", "delivery"] {
        let greatest: Option<[u8; 16]> =
            connection.query_row(&format!("SELECT max(id) FROM {table}"), [], |row| row.get(0))?;
        if let Some(id) = greatest {
            model::go_on_after(&id);
        }
    }
    Ok(())
}

fn release_leased(connection: &Connection, now: Millis) -> rusqlite::Result<u64> {
    connection.execute(
        "INSERT INTO event (at, kind, notification, delivery, state, note)
         SELECT ?1, 'recovered', notification, id, 'due', ?2 FROM delivery WHERE state = 'leased'",
        params![now, RELEASED],
    )?;
    let released = connection.execute(
        "UPDATE delivery SET state = 'due', epoch = NULL, due_at = ?1, updated_at = ?1 WHERE state = 'leased'",
        params![now],
    )?;
    Ok(released as u64)
}

fn mark_intents(connection: &Connection, now: Millis) -> rusqlite::Result<u64> {
    let attempts = connection.execute(
        "INSERT INTO attempt (delivery, ordinal, started_at, ended_at, state, class, answer)
         SELECT id, 1 + (SELECT coalesce(max(ordinal), 0) FROM attempt WHERE attempt.delivery = delivery.id),
           updated_at, ?1, 'unknown', 'ambiguous', ?2
         FROM delivery WHERE state = 'intent'",
        params![now, CUT_OFF],
    )?;
    connection.execute("UPDATE tally SET value = value + ?1 WHERE name = 'attempts'", params![attempts])?;
    connection.execute(
        "INSERT INTO event (at, kind, notification, delivery, state, note)
         SELECT ?1, 'recovered', notification, id, 'unknown', ?2 FROM delivery WHERE state = 'intent'",
        params![now, CUT_OFF],
    )?;
    let marked = connection.execute(
        "UPDATE delivery SET state = 'unknown', epoch = NULL, due_at = ?1, updated_at = ?1,
           attempts = attempts + 1, unknown_count = unknown_count + 1
         WHERE state = 'intent'",
        params![now],
    )?;
    Ok(marked as u64)
}
