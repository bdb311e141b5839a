//! Handing work to a provider: claim, intent, release, and what is too late for them.

use rusqlite::{Row, params};

use super::{
    books::{Books, Tx},
    event,
    row::Millis,
    view::EventKind,
    work::Work,
};
use crate::model::{DeliveryId, NotificationId, State};
use ledger::Backdoor;

/// So many overdue deliveries are expired at once; the next claim takes the next ones.
const EXPIRED_AT_ONCE: i64 = 1_000;

/// Leases up to `limit` deliveries that are due, oldest first.
pub(super) fn claim(tx: &Tx<'_>, provider: &str, limit: usize) -> rusqlite::Result<Vec<Work>> {
    expire_overdue(tx)?;
    let mut select = tx.prepare(
        "SELECT delivery.id, delivery.notification, delivery.attempts, delivery.unknown_count,
                email, subject, text, html, created_at, notification.expires_at, message_domain
         FROM delivery JOIN notification ON notification.id = delivery.notification
         WHERE provider = ?1 AND due_at <= ?2 AND (delivery.expires_at IS NULL OR delivery.expires_at > ?2)
         ORDER BY due_at LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let claimed: Vec<Work> =
        select.query_map(params![provider, tx.now, limit], work)?.collect::<Result<_, _>>()?;
    let mut lease = tx.prepare(
        "UPDATE delivery SET state = 'leased', epoch = ?2, due_at = NULL, updated_at = ?3 WHERE id = ?1",
    )?;
    for work in &claimed {
        lease.execute(params![work.delivery, tx.epoch.0, tx.now])?;
    }
    Ok(claimed)
}

fn work(row: &Row<'_>) -> rusqlite::Result<Work> {
    let delivery: DeliveryId = row.get(0)?;
    let message_domain: String = row.get(10)?;
    Ok(Work {
        delivery,
        notification: row.get(1)?,
        attempt: row.get::<_, u32>(2)?.saturating_add(1),
        ambiguous: row.get::<_, u32>(3)? > 0,
        to: row.get(4)?,
        subject: row.get(5)?,
        text: row.get(6)?,
        html: row.get(7)?,
        created_at: row.get::<_, Millis>(8)?.into(),
        expires_at: row.get::<_, Option<Millis>>(9)?.map(Into::into),
        message_id: format!("<{delivery}@{message_domain}>"),
    })
}

/// Notes that a leased delivery is about to be sent. `false` where it is not leased any more, or too late.
pub(super) fn intend(tx: &Tx<'_>, delivery: DeliveryId) -> rusqlite::Result<bool> {
    let mut update = tx.prepare(
        "UPDATE delivery SET state = 'intent', updated_at = ?3
         WHERE id = ?1 AND state = 'leased' AND epoch = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
    )?;
    if update.execute(params![delivery, tx.epoch.0, tx.now])? == 1 {
        return Ok(true);
    }
    let mut overdue = tx.prepare(
        "SELECT id, notification, unknown_count FROM delivery
         WHERE id = ?1 AND state = 'leased' AND epoch = ?2 AND expires_at <= ?3",
    )?;
    let overdue: Vec<Overdue> =
        overdue.query_map(params![delivery, tx.epoch.0, tx.now], overdue_row)?.collect::<Result<_, _>>()?;
    expire(tx, &overdue)?;
    Ok(false)
}

/// Gives back what is leased and was not begun.
pub(super) fn release(tx: &Tx<'_>, deliveries: &[DeliveryId]) -> rusqlite::Result<()> {
    let mut update = tx.prepare(
        "UPDATE delivery SET state = 'due', epoch = NULL, due_at = ?3, updated_at = ?3
         WHERE id = ?1 AND state = 'leased' AND epoch = ?2",
    )?;
    for delivery in deliveries {
        if update.execute(params![delivery, tx.epoch.0, tx.now])? == 1 {
            tx.touched_due.set(true);
        }
    }
    Ok(())
}

/// Expires what may be claimed and is past its deadline, whoever its provider is.
pub(super) fn expire_overdue(tx: &Tx<'_>) -> rusqlite::Result<()> {
    let mut select = tx.prepare(
        "SELECT id, notification, unknown_count FROM delivery
         WHERE due_at IS NOT NULL AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2",
    )?;
    let overdue: Vec<Overdue> =
        select.query_map(params![tx.now, EXPIRED_AT_ONCE], overdue_row)?.collect::<Result<_, _>>()?;
    expire(tx, &overdue)
}

struct Overdue {
    delivery: DeliveryId,
    notification: NotificationId,
    end: State,
}

fn overdue_row(row: &Row<'_>) -> rusqlite::Result<Overdue> {
    Ok(Overdue { delivery: row.get(0)?, notification: row.get(1)?, end: end_of_overdue(row.get(2)?) })
}

/// What an overdue delivery ends as. `expired` says that it was not sent, which nobody knows where an attempt was
/// ambiguous; such a one stays `unknown` and is left in peace.
pub(super) const fn end_of_overdue(unknown_count: u32) -> State {
    if unknown_count > 0 { State::Unknown } else { State::Expired }
}

fn expire(tx: &Tx<'_>, overdue: &[Overdue]) -> rusqlite::Result<()> {
    let mut update = tx.prepare(
        "UPDATE delivery SET state = ?2, epoch = NULL, due_at = NULL, updated_at = ?3 WHERE id = ?1",
    )?;
    for Overdue { delivery, notification, end } in overdue {
        update.execute(params![delivery, end, tx.now])?;
        event::record(tx, EventKind::Expired, *notification, *delivery, *end, Some("its deadline passed"))?;
    }
    Ok(())
}

/// Work on its way to whoever claimed it. Where nobody takes it, it goes back.
#[derive(Debug)]
pub(super) struct Claimed {
    work: Vec<Work>,
    writer: Backdoor<Books>,
}

impl Claimed {
    pub(super) fn new(work: Vec<Work>, writer: Backdoor<Books>) -> Self {
        Self { work, writer }
    }

    pub(super) fn take(mut self) -> Vec<Work> {
        std::mem::take(&mut self.work)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if self.work.is_empty() {
            return;
        }
        let deliveries: Vec<DeliveryId> = self.work.iter().map(|work| work.delivery).collect();
        self.writer.send(move |tx| release(&Tx::of(tx), &deliveries));
    }
}
