//! A room as it is when somebody comes: its drawing from the snapshot and the log after it, and whose operation was
//! decided last.

use std::{collections::HashMap, io};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Error, Store,
    log::{damaged, each_row_after},
    pack::unpack_part,
    rooms::room_by_key,
    view::{RoomKey, RoomRow, SnapshotRow},
};
use crate::{
    canvas::{Canvas, Ink, Tally},
    wire::{LogFrame, Point, RecordIter},
};

/// A room, ready to go on.
#[derive(Debug)]
pub struct Loaded<I = Tally> {
    pub row: RoomRow,
    pub canvas: Canvas<I>,
    /// The last decided operation of each member.
    pub last_ops: HashMap<u32, u32>,
    /// What the records after the snapshot take up.
    pub tail_bytes: u64,
}

impl Store {
    /// Loads a room; `None` where there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or what it holds is damaged.
    pub async fn load(&self, room: RoomKey) -> Result<Option<Loaded>, Error> {
        self.ledger().read(move |connection| load(connection, room, |_| Ok(()))).await
    }

    /// Loads a room with all its points.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or what it holds is damaged.
    pub async fn drawing(&self, room: RoomKey) -> Result<Option<Loaded<Vec<Point>>>, Error> {
        self.ledger().read(move |connection| load(connection, room, |_| Ok(()))).await
    }

    /// Reads all that there is of a room; whether there is such a room.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or what it holds is damaged.
    pub async fn check(&self, room: RoomKey) -> Result<bool, Error> {
        self.ledger().read(move |connection| read_all(connection, room)).await
    }

    /// The newest snapshot; `None` where there is none yet.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn newest_snapshot(&self, room: RoomKey) -> Result<Option<SnapshotRow>, Error> {
        self.ledger()
            .read(move |connection| {
                let sql = "SELECT seq, parts, records, bytes FROM snapshot WHERE room = ?1 ORDER BY seq DESC LIMIT 1";
                connection.prepare_cached(sql)?.query_row([room.0], snapshot_row).optional()
            })
            .await
    }

    /// The snapshot that stands for the forgotten history; `None` where none is forgotten.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn base_snapshot(&self, room: RoomKey) -> Result<Option<SnapshotRow>, Error> {
        self.ledger()
            .read(move |connection| {
                let sql = "SELECT seq, parts, records, bytes FROM snapshot
                           WHERE room = ?1 AND seq = (SELECT base_seq FROM room WHERE room = ?1 AND base_seq > 0)";
                connection.prepare_cached(sql)?.query_row([room.0], snapshot_row).optional()
            })
            .await
    }

    /// One part of a snapshot, packed; `None` where a newer snapshot has replaced it.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn snapshot_part(
        &self,
        room: RoomKey,
        seq: u64,
        number: u32,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.ledger()
            .read(move |connection| {
                let sql = "SELECT bytes FROM part WHERE room = ?1 AND seq = ?2 AND number = ?3";
                let mut select = connection.prepare_cached(sql)?;
                select.query_row(params![room.0, seq, number], |row| row.get(0)).optional()
            })
            .await
    }
}

/// Reads all that there is of a room, also what joining does without: older history, and the snapshot that it begins
/// with. Whether there is such a room.
///
/// # Errors
///
/// When it cannot be read, or is damaged.
pub(super) fn read_all(connection: &Connection, room: RoomKey) -> rusqlite::Result<bool> {
    if load::<Tally>(connection, room, |_| Ok(()))?.is_none() {
        return Ok(false);
    }
    let sql = "SELECT bytes FROM part WHERE room = ?1 ORDER BY seq, number";
    let mut select = connection.prepare_cached(sql)?;
    let mut parts = select.query([room.0])?;
    while let Some(part) = parts.next()? {
        let packed: Vec<u8> = part.get(0)?;
        decode(RecordIter::new(&unpack_part(&packed).map_err(damaged)?))?;
    }
    each_row_after(connection, room, 0, |row| {
        for frame in row.frames()? {
            decode(frame.iter())?;
        }
        Ok(true)
    })?;
    Ok(true)
}

fn decode(mut records: RecordIter<'_>) -> rusqlite::Result<()> {
    records.try_for_each(|record| record.map(drop).map_err(|error| damaged(io::Error::other(error))))
}

fn snapshot_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<SnapshotRow> {
    Ok(SnapshotRow { seq: row.get(0)?, parts: row.get(1)?, records: row.get(2)?, bytes: row.get(3)? })
}

/// Reads everything; `seen` sees each frame after the snapshot as well.
pub(super) fn load<I: Ink>(
    connection: &Connection,
    room: RoomKey,
    mut seen: impl FnMut(&LogFrame) -> rusqlite::Result<()>,
) -> rusqlite::Result<Option<Loaded<I>>> {
    let Some(row) = room_by_key(connection, room)? else { return Ok(None) };
    let mut loaded = Loaded { row, canvas: Canvas::default(), last_ops: HashMap::new(), tail_bytes: 0 };
    let sql = "SELECT member, last_op FROM member WHERE room = ?1 AND last_op > 0";
    let mut select = connection.prepare_cached(sql)?;
    let mut members = select.query([room.0])?;
    while let Some(member) = members.next()? {
        loaded.last_ops.insert(member.get(0)?, member.get(1)?);
    }
    let snapshot_seq = loaded.row.snapshot_seq;
    let sql = "SELECT bytes FROM part WHERE room = ?1 AND seq = ?2 ORDER BY number";
    let mut select = connection.prepare_cached(sql)?;
    let mut parts = select.query(params![room.0, snapshot_seq])?;
    while let Some(part) = parts.next()? {
        let packed: Vec<u8> = part.get(0)?;
        let records = unpack_part(&packed).map_err(damaged)?;
        apply(&mut loaded.canvas, RecordIter::new(&records))?;
    }
    each_row_after(connection, room, snapshot_seq, |row| {
        for frame in row.frames()? {
            seen(&frame)?;
            loaded.take(&frame)?;
        }
        Ok(true)
    })?;
    Ok(Some(loaded))
}

impl<I: Ink> Loaded<I> {
    fn take(&mut self, frame: &LogFrame) -> rusqlite::Result<()> {
        apply(&mut self.canvas, frame.iter())?;
        for record in frame.iter().map_while(Result::ok) {
            let last = self.last_ops.entry(record.member).or_default();
            *last = record.number.max(*last);
        }
        self.tail_bytes += u64::try_from(frame.records.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

fn apply<I: Ink>(canvas: &mut Canvas<I>, records: RecordIter<'_>) -> rusqlite::Result<()> {
    for record in records {
        let record = record.map_err(|error| damaged(io::Error::other(error)))?;
        canvas.apply(&record).map_err(|error| damaged(io::Error::other(error)))?;
    }
    Ok(())
}
