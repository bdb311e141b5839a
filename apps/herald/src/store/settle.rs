//! Recording how an attempt ended: the new state, the attempt, the event and the viewer's mail, in one transaction.

use rusqlite::{OptionalExtension, params};

use super::{
    books::Tx,
    claim::end_of_overdue,
    event,
    row::Millis,
    view::EventKind,
    work::{Settled, Settlement, ViewerMail},
};
use crate::model::{DeliveryId, NotificationId, State};

/// So many mails are kept for the outbox viewer.
const VIEWER_MAILS_KEPT: i64 = 1_000;

/// What the decision needs to know of a delivery with an outstanding intent.
struct Intended {
    notification: NotificationId,
    unknown_count: u32,
    expires_at: Option<Millis>,
}

/// The columns that an outcome changes.
struct Change {
    state: State,
    due_at: Option<Millis>,
    counts_as_attempt: bool,
}

/// Settles a delivery. `false` where this epoch has no intent on it.
pub(super) fn settle(tx: &Tx<'_>, delivery: DeliveryId, settlement: &Settlement) -> rusqlite::Result<bool> {
    let Some(intended) = intended(tx, delivery)? else { return Ok(false) };
    let change = change(&intended, settlement.outcome);
    update(tx, delivery, &change)?;
    append_attempt(tx, delivery, settlement, change.state)?;
    if let Some(mail) = &settlement.viewer {
        keep_viewer_mail(tx, delivery, mail)?;
    }
    let note = Some(settlement.answer.as_str());
    event::record(tx, EventKind::Settled, intended.notification, delivery, change.state, note)?;
    if change.due_at.is_some() {
        tx.touched_due.set(true);
    }
    Ok(true)
}

fn intended(tx: &Tx<'_>, delivery: DeliveryId) -> rusqlite::Result<Option<Intended>> {
    let mut select = tx.prepare(
        "SELECT notification, unknown_count, expires_at FROM delivery
         WHERE id = ?1 AND state = 'intent' AND epoch = ?2",
    )?;
    select
        .query_row(params![delivery, tx.epoch.0], |row| {
            Ok(Intended { notification: row.get(0)?, unknown_count: row.get(1)?, expires_at: row.get(2)? })
        })
        .optional()
}

fn change(intended: &Intended, outcome: Settled) -> Change {
    // Due at the deadline at the latest, where the next claim finds it expired.
    let due = |at| {
        let at = Millis::from(at);
        Some(intended.expires_at.map_or(at, |deadline| deadline.min(at)))
    };
    let (state, due_at) = match outcome {
        Settled::Accepted => (State::Accepted, None),
        Settled::Retry { due_at } => (State::Retry, due(due_at)),
        Settled::Unknown { due_at } => (State::Unknown, due(due_at)),
        Settled::Dead => (State::Dead, None),
        Settled::Expired => (end_of_overdue(intended.unknown_count), None),
        Settled::Deferred { due_at } => (State::Due, due(due_at)),
    };
    Change { state, due_at, counts_as_attempt: !matches!(outcome, Settled::Deferred { .. }) }
}

fn update(tx: &Tx<'_>, delivery: DeliveryId, change: &Change) -> rusqlite::Result<()> {
    let newly_unknown = change.state == State::Unknown && change.due_at.is_some();
    let mut update = tx.prepare(
        "UPDATE delivery SET state = ?2, due_at = ?3, epoch = NULL, attempts = attempts + ?4,
           unknown_count = unknown_count + ?5, updated_at = ?6
         WHERE id = ?1",
    )?;
    update.execute(params![
        delivery,
        change.state,
        change.due_at,
        change.counts_as_attempt,
        newly_unknown,
        tx.now
    ])?;
    Ok(())
}

fn append_attempt(
    tx: &Tx<'_>,
    delivery: DeliveryId,
    settlement: &Settlement,
    state: State,
) -> rusqlite::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO attempt (delivery, ordinal, started_at, ended_at, state, class, answer)
         SELECT ?1, coalesce(max(ordinal), 0) + 1, ?2, ?3, ?4, ?5, ?6 FROM attempt WHERE delivery = ?1",
    )?;
    insert.execute(params![
        delivery,
        Millis::from(settlement.started_at),
        tx.now,
        state,
        settlement.class,
        settlement.answer,
    ])?;
    tx.prepare("UPDATE tally SET value = value + 1 WHERE name = 'attempts'")?.execute([])?;
    Ok(())
}

fn keep_viewer_mail(tx: &Tx<'_>, delivery: DeliveryId, mail: &ViewerMail) -> rusqlite::Result<()> {
    let mut insert =
        tx.prepare("INSERT OR REPLACE INTO viewer_mail (delivery, at, sender, raw) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![delivery, tx.now, mail.from, mail.raw])?;
    let newest = tx.last_insert_rowid();
    tx.prepare("DELETE FROM viewer_mail WHERE seq <= ?1")?.execute([newest - VIEWER_MAILS_KEPT])?;
    Ok(())
}
