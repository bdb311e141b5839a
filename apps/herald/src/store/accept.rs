//! Accepting a notification: payload, plan, idempotency record and event, in one transaction.

use rusqlite::{OptionalExtension, params};

use super::{
    books::Tx,
    error::AcceptError,
    event,
    row::Millis,
    view::EventKind,
    work::{Accepted, Idempotency, Planned},
};
use crate::model::{DeliveryId, NewNotification, NotificationId, State};

/// How long an idempotency key is remembered.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
/// Each new key makes room by removing so many old ones, so that the table shrinks as it is used.
const FORGOTTEN_AT_ONCE: i64 = 4;

const CHANNEL: &str = "email";

/// Decides first and writes then, so that a refusal leaves nothing behind. A repeat comes before everything that time or
/// the disk can change: its answer was given.
pub(super) fn accept(
    tx: &Tx<'_>,
    new: &NewNotification,
    idempotency: Option<&Idempotency>,
) -> rusqlite::Result<Result<Accepted, AcceptError>> {
    if let Some(idempotency) = idempotency {
        match remembered(tx, idempotency)? {
            Some((body, _)) if body != idempotency.body_sha256 => return Ok(Err(AcceptError::KeyReused)),
            Some((_, id)) => return replay(tx, id).map(Ok),
            None => {}
        }
    }
    if new.expires_at.is_some_and(|expires_at| Millis::from(expires_at) <= tx.now) {
        return Ok(Err(AcceptError::Overdue));
    }
    if tx.disk_is_low {
        return Ok(Err(AcceptError::DiskFull));
    }
    let id = NotificationId::new();
    insert_notification(tx, id, new)?;
    let delivery = insert_delivery(tx, id, new)?;
    tx.prepare("UPDATE tally SET value = value + 1 WHERE name = 'accepted'")?.execute([])?;
    if let Some(idempotency) = idempotency {
        remember(tx, idempotency, id)?;
    }
    event::record(tx, EventKind::Planned, id, delivery.id, delivery.state, None)?;
    tx.touched_due.set(true);
    Ok(Ok(Accepted { id, created_at: tx.now.into(), replayed: false, deliveries: vec![delivery] }))
}

fn insert_notification(tx: &Tx<'_>, id: NotificationId, new: &NewNotification) -> rusqlite::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO notification
           (id, created_at, email, subject, text, html, send_at, expires_at, category, message_domain)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    insert.execute(params![
        id,
        tx.now,
        new.to.email,
        new.subject,
        new.text,
        new.html,
        new.send_at.map(Millis::from),
        new.expires_at.map(Millis::from),
        new.category,
        tx.options.message_domain,
    ])?;
    Ok(())
}

fn insert_delivery(
    tx: &Tx<'_>,
    notification: NotificationId,
    new: &NewNotification,
) -> rusqlite::Result<Planned> {
    let (state, due_at) = match new.send_at.map(Millis::from) {
        Some(send_at) if send_at > tx.now => (State::Planned, send_at),
        _ => (State::Due, tx.now),
    };
    let planned = Planned {
        id: DeliveryId::new(),
        channel: CHANNEL.to_owned(),
        provider: tx.options.email_provider.clone(),
        address: new.to.email.to_string(),
        state,
        due_at: Some(due_at.into()),
    };
    let mut insert = tx.prepare(
        "INSERT INTO delivery (id, notification, channel, provider, address, state, due_at, expires_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    insert.execute(params![
        planned.id,
        notification,
        planned.channel,
        planned.provider,
        planned.address,
        state,
        due_at,
        new.expires_at.map(Millis::from),
        tx.now,
    ])?;
    Ok(planned)
}

/// The body and the notification that came with this key within the last day.
fn remembered(
    tx: &Tx<'_>,
    idempotency: &Idempotency,
) -> rusqlite::Result<Option<([u8; 32], NotificationId)>> {
    let mut select = tx.prepare(
        "SELECT body_sha256, notification FROM idem WHERE scope = ?1 AND key = ?2 AND created_at > ?3",
    )?;
    let since = tx.now.minus(REMEMBERED_MS);
    select
        .query_row(params![idempotency.scope, idempotency.key, since], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn remember(tx: &Tx<'_>, idempotency: &Idempotency, notification: NotificationId) -> rusqlite::Result<()> {
    let mut forget = tx.prepare(
        "DELETE FROM idem WHERE (scope, key) IN
           (SELECT scope, key FROM idem WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)",
    )?;
    forget.execute(params![tx.now.minus(REMEMBERED_MS), FORGOTTEN_AT_ONCE])?;
    let mut insert = tx.prepare(
        "INSERT OR REPLACE INTO idem (scope, key, body_sha256, notification, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute(params![
        idempotency.scope,
        idempotency.key,
        idempotency.body_sha256,
        notification,
        tx.now
    ])?;
    Ok(())
}

/// The answer to the first request with this key, with its deliveries as they are now.
fn replay(tx: &Tx<'_>, id: NotificationId) -> rusqlite::Result<Accepted> {
    let created_at: Millis =
        tx.prepare("SELECT created_at FROM notification WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
    let mut select = tx.prepare(
        "SELECT id, channel, provider, address, state, due_at FROM delivery WHERE notification = ?1 ORDER BY id",
    )?;
    let deliveries = select.query_map([id], |row| {
        Ok(Planned {
            id: row.get(0)?,
            channel: row.get(1)?,
            provider: row.get(2)?,
            address: row.get(3)?,
            state: row.get(4)?,
            due_at: row.get::<_, Option<Millis>>(5)?.map(Into::into),
        })
    })?;
    Ok(Accepted {
        id,
        created_at: created_at.into(),
        replayed: true,
        deliveries: deliveries.collect::<Result<_, _>>()?,
    })
}
