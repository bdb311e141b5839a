//! What keeps joining quick and the file small: a snapshot of the drawing, and old frames of the log packed together.
//!
//! Both are made from what a reader sees and written in one transaction, if the room is still what it was. No frame is
//! changed by it, so a client's place in the log stays good.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::{
    Error, Store,
    load::{Loaded, load},
    log::{damaged, each_row_after},
    pack::{PACK_BYTES_MAX, pack, pack_frames},
    rooms::room_by_key,
    view::{RoomKey, RoomRow},
};
use crate::{
    canvas,
    wire::{LogFrame, Point},
};

/// What is to be written.
struct Compacted {
    row: RoomRow,
    /// Packed parts of the snapshot.
    parts: Vec<Vec<u8>>,
    records: u32,
    packs: Vec<Pack>,
    last_ops: HashMap<u32, u32>,
}

/// Frames that become one row.
struct Pack {
    first: u64,
    last: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl Store {
    /// Makes a snapshot at the newest record, and packs the log up to it. Whether the room was there and stayed what it
    /// was meanwhile.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written, or what it holds is damaged.
    pub async fn compact(&self, room: RoomKey) -> Result<bool, Error> {
        // It is never closed.
        let _turn = self.0.compaction.acquire().await;
        let Some(compacted) = self.ledger().read(move |connection| compacted(connection, room)).await? else {
            return Ok(false);
        };
        self.ledger().write(move |tx| write(tx.connection, &compacted)).await
    }

    /// Forgets how the drawing of a room came about, up to its newest snapshot. `None` where there is no room.
    ///
    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn forget(&self, room: RoomKey) -> Result<Option<RoomRow>, Error> {
        self.compact(room).await?;
        self.ledger().write(move |tx| forget(tx.connection, room)).await
    }
}

fn compacted(connection: &Connection, room: RoomKey) -> rusqlite::Result<Option<Compacted>> {
    let Some(loaded) = load::<Vec<Point>>(connection, room, |_| Ok(()))? else { return Ok(None) };
    let Loaded { row, canvas, last_ops, .. } = loaded;
    let mut records = 0;
    let mut parts = Vec::new();
    for part in canvas::parts(&canvas) {
        records += part.records;
        parts.push(pack(&part.bytes).map_err(damaged)?);
    }
    let packs = packs(connection, room, row.base_seq)?;
    Ok(Some(Compacted { row, parts, records, packs, last_ops }))
}

/// Packs every row that is not packed.
fn packs(connection: &Connection, room: RoomKey, base_seq: u64) -> rusqlite::Result<Vec<Pack>> {
    let mut packs = Vec::new();
    let (mut frames, mut bytes) = (Vec::<LogFrame>::new(), 0);
    each_row_after(connection, room, base_seq, |row| {
        if row.is_packed {
            return Ok(true);
        }
        bytes += row.bytes.len();
        frames.extend(row.frames()?);
        if bytes >= PACK_BYTES_MAX {
            packs.extend(pack_of(&frames)?);
            frames.clear();
            bytes = 0;
        }
        Ok(true)
    })?;
    packs.extend(pack_of(&frames)?);
    Ok(packs)
}

fn pack_of(frames: &[LogFrame]) -> rusqlite::Result<Option<Pack>> {
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Ok(None) };
    let bytes = pack_frames(frames).map_err(damaged)?;
    Ok(Some(Pack { first: first.first, last: last.last(), at: last.at, bytes }))
}

fn write(connection: &Connection, compacted: &Compacted) -> rusqlite::Result<bool> {
    let Compacted { row, parts, records, packs, last_ops } = compacted;
    let RoomRow { key, snapshot_seq: old, base_seq, seq, .. } = *row;
    let unchanged = room_by_key(connection, key)?.is_some_and(|now| {
        (now.log_id, now.snapshot_seq, now.base_seq) == (row.log_id, row.snapshot_seq, row.base_seq)
    });
    if !unchanged {
        return Ok(false);
    }
    for pack in packs {
        let sql = "DELETE FROM log WHERE room = ?1 AND last_seq BETWEEN ?2 AND ?3";
        connection.prepare_cached(sql)?.execute(params![key.0, pack.first, pack.last])?;
        let sql = "INSERT INTO log (room, first_seq, last_seq, at, is_packed, bytes) VALUES (?1, ?2, ?3, ?4, 1, ?5)";
        let mut insert = connection.prepare_cached(sql)?;
        insert.execute(params![key.0, pack.first, pack.last, pack.at, pack.bytes])?;
    }
    if seq > old {
        if old > base_seq {
            delete_snapshot(connection, key, old)?;
        }
        insert_snapshot(connection, key, seq, *records, parts)?;
    }
    for (member, last_op) in last_ops {
        let sql = "UPDATE member SET last_op = ?3 WHERE room = ?1 AND member = ?2 AND last_op < ?3";
        connection.prepare_cached(sql)?.execute(params![key.0, member, last_op])?;
    }
    count_used(connection, key)?;
    Ok(true)
}

fn insert_snapshot(
    connection: &Connection,
    room: RoomKey,
    seq: u64,
    records: u32,
    parts: &[Vec<u8>],
) -> rusqlite::Result<()> {
    let bytes: usize = parts.iter().map(Vec::len).sum();
    let sql = "INSERT INTO snapshot (room, seq, records, bytes, parts) VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare_cached(sql)?.execute(params![room.0, seq, records, bytes, parts.len()])?;
    let mut insert =
        connection.prepare_cached("INSERT INTO part (room, seq, number, bytes) VALUES (?1, ?2, ?3, ?4)")?;
    for (number, part) in parts.iter().enumerate() {
        insert.execute(params![room.0, seq, number, part])?;
    }
    let sql = "UPDATE room SET snapshot_seq = ?2 WHERE room = ?1";
    connection.prepare_cached(sql)?.execute(params![room.0, seq]).map(|_| ())
}

fn delete_snapshot(connection: &Connection, room: RoomKey, seq: u64) -> rusqlite::Result<()> {
    for table in ["part", "snapshot"] {
        let sql = format!("DELETE FROM {table} WHERE room = ?1 AND seq = ?2");
        connection.prepare_cached(&sql)?.execute(params![room.0, seq])?;
    }
    Ok(())
}

fn forget(connection: &Connection, room: RoomKey) -> rusqlite::Result<Option<RoomRow>> {
    let Some(row) = room_by_key(connection, room)? else { return Ok(None) };
    if row.snapshot_seq > row.base_seq {
        let sql = "DELETE FROM log WHERE room = ?1 AND last_seq <= ?2";
        connection.prepare_cached(sql)?.execute(params![room.0, row.snapshot_seq])?;
        delete_snapshot(connection, room, row.base_seq)?;
        let sql = "UPDATE room SET base_seq = snapshot_seq WHERE room = ?1";
        connection.prepare_cached(sql)?.execute([room.0])?;
        count_used(connection, room)?;
    }
    room_by_key(connection, room)
}

/// Counts what a room's people have put into it: the log, and what the log begins with. A later snapshot, which only
/// makes joining quicker, does not count: it would use up the reserve of a full room.
pub(super) fn count_used(connection: &Connection, room: RoomKey) -> rusqlite::Result<()> {
    let sql = "UPDATE room SET used_bytes =
                 (SELECT coalesce(sum(length(bytes)), 0) FROM log WHERE log.room = ?1) +
                 (SELECT coalesce(sum(bytes), 0) FROM snapshot WHERE snapshot.room = ?1 AND snapshot.seq = base_seq)
               WHERE room = ?1";
    connection.prepare_cached(sql)?.execute([room.0]).map(|_| ())
}
