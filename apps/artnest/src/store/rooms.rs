//! Rooms: made, listed, changed, deleted.

use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::{
    Error, Store,
    view::{Cursor, Page, ROOM_COLUMNS, RoomKey, RoomRow, Totals, room_row},
};
use crate::{
    clock::now_ms,
    model::{Role, RoomId, Visibility},
};

/// What a room begins with.
#[derive(Debug, Clone)]
pub struct NewRoom {
    pub name: String,
    pub visibility: Visibility,
    pub width: u16,
    pub height: u16,
}

/// What of a room is to be changed.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub name: Option<String>,
    pub visibility: Option<Visibility>,
    /// `Some(None)`: back to the server's default.
    pub quota_bytes: Option<Option<u64>>,
}

/// A number for a log: not 0, and no sign in SQLite's integers.
pub(super) fn fresh_log_id() -> u64 {
    rand::random_range(1..=u64::MAX >> 1)
}

impl Store {
    /// Makes a room, unless there are so many already.
    ///
    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn create_room(&self, new: NewRoom, rooms_max: u64) -> Result<Option<RoomRow>, Error> {
        let (id, log_id) = (RoomId::random(), fresh_log_id());
        self.ledger()
            .write(move |tx| {
                let rooms: u64 = tx.prepare("SELECT count(*) FROM room")?.query_row([], |row| row.get(0))?;
                if rooms >= rooms_max {
                    return Ok(None);
                }
                let mut insert = tx.prepare(
                    "INSERT INTO room (id, name, is_public, width, height, log_id, seq, base_seq, snapshot_seq,
                       used_bytes, strokes, next_member, created_at, updated_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, 0, 0, 1, ?7, ?7)",
                )?;
                let is_public = new.visibility == Visibility::Public;
                insert.execute(params![
                    id.as_str(),
                    new.name,
                    is_public,
                    new.width,
                    new.height,
                    log_id,
                    now_ms()
                ])?;
                room(tx.connection, id)
            })
            .await
    }

    /// # Errors
    ///
    /// When the store cannot be read. So with the other reads.
    pub async fn room(&self, id: RoomId) -> Result<Option<RoomRow>, Error> {
        self.ledger().read(move |connection| room(connection, id)).await
    }

    /// The public rooms, those drawn in last first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn public_rooms(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page<RoomRow>, Error> {
        self.ledger().read(move |connection| page(connection, "is_public = 1 AND", cursor, limit)).await
    }

    /// All rooms, those drawn in last first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn all_rooms(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page<RoomRow>, Error> {
        self.ledger().read(move |connection| page(connection, "", cursor, limit)).await
    }

    /// Changes a room; `None` where there is none.
    ///
    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn change_room(&self, id: RoomId, changes: Changes) -> Result<Option<RoomRow>, Error> {
        self.ledger()
            .write(move |tx| {
                let is_public = changes.visibility.map(|visibility| visibility == Visibility::Public);
                let quota = changes.quota_bytes;
                let mut update = tx.prepare(
                    "UPDATE room SET name = coalesce(?2, name), is_public = coalesce(?3, is_public),
                       quota_bytes = CASE WHEN ?4 THEN ?5 ELSE quota_bytes END
                     WHERE id = ?1",
                )?;
                update.execute(params![
                    id.as_str(),
                    changes.name,
                    is_public,
                    quota.is_some(),
                    quota.flatten()
                ])?;
                room(tx.connection, id)
            })
            .await
    }

    /// Makes one link of a room another one; `None` where there is no room.
    ///
    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn renew_link(&self, id: RoomId, role: Role) -> Result<Option<RoomRow>, Error> {
        self.ledger()
            .write(move |tx| {
                let column = format!("{}_link", role.as_str());
                let mut update =
                    tx.prepare(&format!("UPDATE room SET {column} = {column} + 1 WHERE id = ?1"))?;
                update.execute([id.as_str()])?;
                room(tx.connection, id)
            })
            .await
    }

    /// Deletes a room with everything in it; whether there was one.
    ///
    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn delete_room(&self, room: RoomKey) -> Result<bool, Error> {
        self.ledger()
            .write(move |tx| Ok(tx.prepare("DELETE FROM room WHERE room = ?1")?.execute([room.0])? == 1))
            .await
    }

    /// What all rooms come to.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn totals(&self) -> Result<Totals, Error> {
        self.ledger()
            .read(|connection| {
                let sql = "SELECT count(*), coalesce(sum(strokes), 0), coalesce(sum(used_bytes), 0),
                             (SELECT count(*) FROM member) FROM room";
                connection.prepare_cached(sql)?.query_row([], |row| {
                    Ok(Totals {
                        rooms: row.get(0)?,
                        strokes: row.get(1)?,
                        used_bytes: row.get(2)?,
                        members: row.get(3)?,
                    })
                })
            })
            .await
    }
}

pub(super) fn room(connection: &Connection, id: RoomId) -> rusqlite::Result<Option<RoomRow>> {
    let mut select = connection.prepare_cached(&format!("SELECT {ROOM_COLUMNS} FROM room WHERE id = ?1"))?;
    select.query_row([id.as_str()], room_row).optional()
}

pub(super) fn room_by_key(connection: &Connection, key: RoomKey) -> rusqlite::Result<Option<RoomRow>> {
    let mut select =
        connection.prepare_cached(&format!("SELECT {ROOM_COLUMNS} FROM room WHERE room = ?1"))?;
    select.query_row([key.0], room_row).optional()
}

fn page(
    connection: &Connection,
    filter: &str,
    cursor: Option<Cursor>,
    limit: usize,
) -> rusqlite::Result<Page<RoomRow>> {
    let sql = format!(
        "SELECT {ROOM_COLUMNS} FROM room WHERE {filter} (updated_at, room) < (?1, ?2)
         ORDER BY updated_at DESC, room DESC LIMIT ?3"
    );
    let (updated_at, room) =
        cursor.map_or((i64::MAX.unsigned_abs(), i64::MAX), |at| (at.updated_at, at.room));
    // One more than asked for tells whether there is a next part.
    let parameters: [&dyn ToSql; 3] = [&updated_at, &room, &(limit + 1)];
    let mut select = connection.prepare_cached(&sql)?;
    let mut items: Vec<RoomRow> = select.query_map(parameters, room_row)?.collect::<Result<_, _>>()?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| has_more);
    let next = last.map(|row| Cursor { updated_at: row.updated_at, room: row.key.0 });
    Ok(Page { items, next })
}
