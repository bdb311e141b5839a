//! The log of a room: appended to, and read from any point on.

use std::io;

use rusqlite::{Connection, params, types::Type};

use super::{Error, Store, pack, view::RoomKey};
use crate::wire::{LogFrame, RecordIter};

/// Records that are to become durable together.
#[derive(Debug, Clone)]
pub struct Batch {
    pub room: RoomKey,
    /// The log that they belong to.
    pub log_id: u64,
    pub frame: LogFrame,
    /// How many strokes can be seen after them.
    pub strokes: u64,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable, and the room takes up so many bytes.
    Durable { used_bytes: u64 },
    /// The log does not end where the batch begins: the room is gone, or was restored, or somebody else writes to it.
    Fenced,
    /// There is less free disk than the floor; nothing was written.
    DiskIsLow,
}

impl Store {
    /// Appends a batch, if the log ends right before it.
    ///
    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn append(&self, batch: Batch) -> Result<Appended, Error> {
        self.ledger()
            .write(move |tx| {
                if tx.disk_is_low {
                    return Ok(Appended::DiskIsLow);
                }
                append(tx.connection, &batch)
            })
            .await
    }

    /// Frames that follow `seq`, up to about `bytes_max` bytes of them and at least one. Empty: there is nothing after
    /// it.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or what it holds is damaged.
    pub async fn frames_after(
        &self,
        room: RoomKey,
        seq: u64,
        bytes_max: usize,
    ) -> Result<Vec<LogFrame>, Error> {
        self.ledger().read(move |connection| frames_after(connection, room, seq, bytes_max)).await
    }
}

fn append(connection: &Connection, batch: &Batch) -> rusqlite::Result<Appended> {
    let Batch { room, log_id, frame, strokes } = batch;
    let sql = "UPDATE room SET seq = ?4, used_bytes = used_bytes + ?5, strokes = ?6, updated_at = ?7
               WHERE room = ?1 AND log_id = ?2 AND seq = ?3 RETURNING used_bytes";
    let mut update = connection.prepare_cached(sql)?;
    let length = frame.records.len();
    let before = frame.first - 1;
    let mut used = update.query(params![room.0, log_id, before, frame.last(), length, strokes, frame.at])?;
    let Some(row) = used.next()? else { return Ok(Appended::Fenced) };
    let used_bytes = row.get(0)?;
    drop(used);
    let sql =
        "INSERT INTO log (room, first_seq, last_seq, at, is_packed, bytes) VALUES (?1, ?2, ?3, ?4, 0, ?5)";
    let mut insert = connection.prepare_cached(sql)?;
    insert.execute(params![room.0, frame.first, frame.last(), frame.at, &frame.records[..]])?;
    Ok(Appended::Durable { used_bytes })
}

pub(super) fn frames_after(
    connection: &Connection,
    room: RoomKey,
    seq: u64,
    bytes_max: usize,
) -> rusqlite::Result<Vec<LogFrame>> {
    let (mut frames, mut bytes) = (Vec::new(), 0);
    each_row_after(connection, room, seq, |row| {
        for frame in row.frames()? {
            let Some(frame) = after(frame, seq) else { continue };
            bytes += frame.records.len();
            frames.push(frame);
        }
        Ok(bytes < bytes_max)
    })?;
    Ok(frames)
}

/// A row of the log, as it stands there.
pub(super) struct LogRow {
    pub(super) first: u64,
    pub(super) last: u64,
    at: u64,
    pub(super) is_packed: bool,
    pub(super) bytes: Vec<u8>,
}

impl LogRow {
    pub(super) fn frames(self) -> rusqlite::Result<Vec<LogFrame>> {
        if self.is_packed {
            return pack::unpack_frames(&self.bytes).map_err(damaged);
        }
        let count = u16::try_from((self.last + 1).saturating_sub(self.first));
        let count = count.map_err(|_| damaged(io::ErrorKind::InvalidData.into()))?;
        Ok(vec![LogFrame { first: self.first, at: self.at, count, records: self.bytes.into() }])
    }
}

/// Reads row by row until the caller has enough.
pub(super) fn each_row_after(
    connection: &Connection,
    room: RoomKey,
    seq: u64,
    mut take: impl FnMut(LogRow) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let sql = "SELECT first_seq, last_seq, at, is_packed, bytes FROM log
               WHERE room = ?1 AND last_seq > ?2 ORDER BY last_seq";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![room.0, seq])?;
    while let Some(row) = rows.next()? {
        let row = LogRow {
            first: row.get(0)?,
            last: row.get(1)?,
            at: row.get(2)?,
            is_packed: row.get(3)?,
            bytes: row.get(4)?,
        };
        if !take(row)? {
            break;
        }
    }
    Ok(())
}

/// What of a frame follows `seq`. Clients come back at the end of a frame; one that says otherwise gets the rest.
fn after(frame: LogFrame, seq: u64) -> Option<LogFrame> {
    if frame.last() <= seq {
        return None;
    }
    let skipped = u16::try_from((seq + 1).saturating_sub(frame.first)).unwrap_or(frame.count);
    if skipped == 0 {
        return Some(frame);
    }
    let mut records = RecordIter::new(&frame.records);
    let _skipped = records.by_ref().take(usize::from(skipped)).count();
    let rest = frame.records.slice_ref(records.rest());
    Some(LogFrame {
        first: frame.first + u64::from(skipped),
        count: frame.count - skipped,
        records: rest,
        ..frame
    })
}

/// What SQLite gave us makes no sense.
pub(super) fn damaged(error: io::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error))
}
