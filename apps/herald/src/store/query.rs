//! What is read, each from one moment of the database.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::{
    row::Millis,
    view::{
        ApiKey, Attempt, Counts, Cursor, DeliveryFilter, DeliverySummary, DeliveryView, Entry, Event,
        NotificationSummary, NotificationView, Page, StoredMail,
    },
};
use crate::model::{DeliveryId, NotificationId, State};

pub(super) fn api_keys(connection: &Connection) -> rusqlite::Result<Vec<ApiKey>> {
    let mut select =
        connection.prepare_cached("SELECT name, sha256, created_at FROM api_key ORDER BY created_at")?;
    let keys = select.query_map([], |row| {
        Ok(ApiKey { name: row.get(0)?, sha256: row.get(1)?, created_at: time(row, 2)? })
    })?;
    keys.collect()
}

pub(super) fn next_due(connection: &Connection, provider: &str) -> rusqlite::Result<Option<Timestamp>> {
    let mut select = connection
        .prepare_cached("SELECT min(due_at) FROM delivery WHERE provider = ?1 AND due_at IS NOT NULL")?;
    select.query_row([provider], |row| maybe_time(row, 0))
}

pub(super) fn next_deadline(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let mut select = connection.prepare_cached(
        "SELECT min(expires_at) FROM delivery WHERE due_at IS NOT NULL AND expires_at IS NOT NULL",
    )?;
    select.query_row([], |row| maybe_time(row, 0))
}

pub(super) fn notification(
    connection: &Connection,
    id: NotificationId,
) -> rusqlite::Result<Option<NotificationView>> {
    let mut select = connection.prepare_cached(
        "SELECT created_at, email, subject, text, html, send_at, expires_at, category
         FROM notification WHERE id = ?1",
    )?;
    let found = select.query_row([id], |row| {
        Ok(NotificationView {
            id,
            created_at: time(row, 0)?,
            to: row.get(1)?,
            subject: row.get(2)?,
            text: row.get(3)?,
            html: row.get(4)?,
            send_at: maybe_time(row, 5)?,
            expires_at: maybe_time(row, 6)?,
            category: row.get(7)?,
            deliveries: Vec::new(),
        })
    });
    let Some(mut view) = found.optional()? else { return Ok(None) };
    view.deliveries = deliveries_of(connection, &view)?;
    Ok(Some(view))
}

fn deliveries_of(
    connection: &Connection,
    notification: &NotificationView,
) -> rusqlite::Result<Vec<DeliveryView>> {
    let mut select = connection.prepare_cached(
        "SELECT id, channel, provider, address, state, due_at, unknown_count, updated_at
         FROM delivery WHERE notification = ?1 ORDER BY id",
    )?;
    let deliveries = select.query_map([notification.id], |row| {
        Ok(DeliveryView {
            id: row.get(0)?,
            channel: row.get(1)?,
            provider: row.get(2)?,
            address: row.get(3)?,
            state: row.get(4)?,
            due_at: maybe_time(row, 5)?,
            unknown_count: row.get(6)?,
            updated_at: time(row, 7)?,
            attempts: Vec::new(),
            timeline: Vec::new(),
        })
    })?;
    deliveries
        .map(|delivery| {
            let mut delivery = delivery?;
            delivery.attempts = attempts_of(connection, delivery.id)?;
            delivery.timeline = timeline(notification, &delivery);
            Ok(delivery)
        })
        .collect()
}

fn attempts_of(connection: &Connection, delivery: DeliveryId) -> rusqlite::Result<Vec<Attempt>> {
    let mut select = connection.prepare_cached(
        "SELECT started_at, ended_at, state, class, answer FROM attempt WHERE delivery = ?1 ORDER BY ordinal",
    )?;
    let attempts = select.query_map([delivery], |row| {
        Ok(Attempt {
            started_at: time(row, 0)?,
            ended_at: time(row, 1)?,
            state: row.get(2)?,
            class: row.get(3)?,
            answer: row.get(4)?,
        })
    })?;
    attempts.collect()
}

/// Planned, then each attempt, then what it became since. Made from rows that are kept, unlike events.
fn timeline(notification: &NotificationView, delivery: &DeliveryView) -> Vec<Entry> {
    let waits = notification.send_at.is_some_and(|send_at| send_at > notification.created_at);
    let planned = Entry {
        at: notification.created_at,
        state: if waits { State::Planned } else { State::Due },
        note: None,
    };
    let attempts = delivery.attempts.iter().map(|attempt| Entry {
        at: attempt.ended_at,
        state: attempt.state,
        note: Some(attempt.answer.clone()),
    });
    let mut timeline: Vec<_> = std::iter::once(planned).chain(attempts).collect();
    if timeline.last().is_some_and(|last| last.state != delivery.state) {
        timeline.push(Entry { at: delivery.updated_at, state: delivery.state, note: None });
    }
    timeline
}

pub(super) fn notifications(
    connection: &Connection,
    cursor: Option<Cursor>,
    limit: usize,
) -> rusqlite::Result<Page<NotificationSummary>> {
    // CROSS JOIN keeps SQLite from starting at the deliveries, which it would have to sort.
    let mut select = connection.prepare_cached(
        "SELECT notification.id, created_at, address, subject, category, state
         FROM notification CROSS JOIN delivery ON delivery.notification = notification.id
         WHERE notification.id < ?1 ORDER BY notification.id DESC LIMIT ?2",
    )?;
    let rows = select.query_map(params![before(cursor), one_more(limit)], |row| {
        Ok(NotificationSummary {
            id: row.get(0)?,
            created_at: time(row, 1)?,
            address: row.get(2)?,
            subject: row.get(3)?,
            category: row.get(4)?,
            state: row.get(5)?,
        })
    })?;
    page(rows.collect::<Result<_, _>>()?, limit, |row| *row.id.as_bytes())
}

pub(super) fn deliveries(
    connection: &Connection,
    filter: DeliveryFilter,
    cursor: Option<Cursor>,
    limit: usize,
) -> rusqlite::Result<Page<DeliverySummary>> {
    // Two statements, so that each can walk the index that fits it.
    let by_state = if filter.state.is_some() { "state = ?3 AND " } else { "" };
    let mut select = connection.prepare_cached(&format!(
        "SELECT delivery.id, notification, created_at, subject, channel, provider, address, state, attempts,
                unknown_count, due_at, updated_at
         FROM delivery JOIN notification ON notification.id = delivery.notification
         WHERE {by_state}delivery.id < ?1 ORDER BY delivery.id DESC LIMIT ?2"
    ))?;
    let (before, one_more) = (before(cursor), one_more(limit));
    let mut parameters: Vec<&dyn ToSql> = vec![&before, &one_more];
    if let Some(state) = &filter.state {
        parameters.push(state);
    }
    let rows = select.query_map(parameters.as_slice(), |row| {
        Ok(DeliverySummary {
            id: row.get(0)?,
            notification: row.get(1)?,
            created_at: time(row, 2)?,
            subject: row.get(3)?,
            channel: row.get(4)?,
            provider: row.get(5)?,
            address: row.get(6)?,
            state: row.get(7)?,
            attempts: row.get(8)?,
            unknown_count: row.get(9)?,
            due_at: maybe_time(row, 10)?,
            updated_at: time(row, 11)?,
        })
    })?;
    page(rows.collect::<Result<_, _>>()?, limit, |row| *row.id.as_bytes())
}

pub(super) fn events_after(connection: &Connection, seq: u64, limit: usize) -> rusqlite::Result<Vec<Event>> {
    let mut select = connection.prepare_cached(
        "SELECT seq, at, kind, notification, delivery, state, note FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    // What no client was ever given is after everything.
    let after = i64::try_from(seq).unwrap_or(i64::MAX);
    let events = select.query_map(params![after, count(limit)], |row| {
        Ok(Event {
            seq: row.get(0)?,
            at: time(row, 1)?,
            kind: row.get(2)?,
            notification: row.get(3)?,
            delivery: row.get(4)?,
            state: row.get(5)?,
            note: row.get(6)?,
        })
    })?;
    events.collect()
}

pub(super) fn newest_event(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?.query_row([], |row| row.get(0))
}

const MAIL: &str = "SELECT viewer_mail.delivery, notification.id, at, sender, email, subject, text, html, raw
     FROM viewer_mail
     JOIN delivery ON delivery.id = viewer_mail.delivery
     JOIN notification ON notification.id = delivery.notification";

pub(super) fn viewer_mails(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<StoredMail>> {
    let mut select = connection.prepare_cached(&format!("{MAIL} ORDER BY seq DESC LIMIT ?1"))?;
    let mails = select.query_map([count(limit)], mail)?;
    mails.collect()
}

pub(super) fn viewer_mail(
    connection: &Connection,
    delivery: DeliveryId,
) -> rusqlite::Result<Option<StoredMail>> {
    let mut select = connection.prepare_cached(&format!("{MAIL} WHERE viewer_mail.delivery = ?1"))?;
    select.query_row([delivery], mail).optional()
}

fn mail(row: &Row<'_>) -> rusqlite::Result<StoredMail> {
    Ok(StoredMail {
        delivery: row.get(0)?,
        notification: row.get(1)?,
        at: time(row, 2)?,
        from: row.get(3)?,
        to: row.get(4)?,
        subject: row.get(5)?,
        text: row.get(6)?,
        html: row.get(7)?,
        raw: row.get(8)?,
    })
}

pub(super) fn counts(connection: &Connection) -> rusqlite::Result<Counts> {
    let tally = |name: &str| -> rusqlite::Result<u64> {
        connection
            .prepare_cached("SELECT value FROM tally WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
    };
    let unknown_total = connection
        .prepare_cached("SELECT count(*) FROM delivery WHERE unknown_count > 0")?
        .query_row([], |row| row.get(0))?;
    let mut by_state = connection.prepare_cached("SELECT state, count(*) FROM delivery GROUP BY state")?;
    let mut by_provider = connection.prepare_cached(
        "SELECT provider, count(*) FROM delivery WHERE due_at IS NOT NULL GROUP BY provider",
    )?;
    let pair = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let by_state: BTreeMap<State, u64> = by_state.query_map([], pair)?.collect::<Result<_, _>>()?;
    let pair = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let claimable_by_provider = by_provider.query_map([], pair)?.collect::<Result<_, _>>()?;
    Ok(Counts {
        by_state,
        accepted_total: tally("accepted")?,
        unknown_total,
        attempts_total: tally("attempts")?,
        claimable_by_provider,
    })
}

/// Cuts off the row that was asked for only to learn whether there is more.
fn page<T>(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> [u8; 16]) -> rusqlite::Result<Page<T>> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| Cursor(key(last)));
    Ok(Page { items, next })
}

/// Where a page begins. No id comes after the last value there is, as the first six bytes are a time.
fn before(cursor: Option<Cursor>) -> [u8; 16] {
    cursor.map_or([u8::MAX; 16], |cursor| cursor.0)
}

fn one_more(limit: usize) -> i64 {
    count(limit).saturating_add(1)
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get::<_, Millis>(column).map(Into::into)
}

fn maybe_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<Millis>>(column)?.map(Into::into))
}
