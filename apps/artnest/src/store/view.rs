//! What the store shows of what it holds.

use std::{fmt, str::FromStr};

use rusqlite::{Row, types::Type};
use serde::Serialize;

use crate::model::{Role, RoomId, Visibility};

/// A room, as the store numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomKey(pub(super) i64);

/// A room without its drawing. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRow {
    pub key: RoomKey,
    pub id: RoomId,
    pub name: String,
    pub visibility: Visibility,
    pub width: u16,
    pub height: u16,
    pub log_id: u64,
    pub seq: u64,
    /// History up to here is forgotten.
    pub base_seq: u64,
    pub used_bytes: u64,
    /// `None`: the server's default.
    pub quota_bytes: Option<u64>,
    pub strokes: u64,
    /// How often each link was renewed, by the code of its role.
    pub links: [u32; 3],
    pub created_at: u64,
    pub updated_at: u64,
    pub(super) snapshot_seq: u64,
}

pub(super) const ROOM_COLUMNS: &str = "room, id, name, is_public, width, height, log_id, seq, base_seq, used_bytes, \
    quota_bytes, strokes, viewer_link, artist_link, owner_link, created_at, updated_at, snapshot_seq";

pub(super) fn room_row(row: &Row<'_>) -> rusqlite::Result<RoomRow> {
    let id: String = row.get(1)?;
    let id = id.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::<crate::model::NotARoomId>::new(error))
    })?;
    let visibility = if row.get(3)? { Visibility::Public } else { Visibility::Private };
    Ok(RoomRow {
        key: RoomKey(row.get(0)?),
        id,
        name: row.get(2)?,
        visibility,
        width: row.get(4)?,
        height: row.get(5)?,
        log_id: row.get(6)?,
        seq: row.get(7)?,
        base_seq: row.get(8)?,
        used_bytes: row.get(9)?,
        quota_bytes: row.get(10)?,
        strokes: row.get(11)?,
        links: [row.get(12)?, row.get(13)?, row.get(14)?],
        created_at: row.get(15)?,
        updated_at: row.get(16)?,
        snapshot_seq: row.get(17)?,
    })
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberRow {
    pub member: u32,
    pub name: String,
    pub role: Role,
    pub banned: bool,
}

/// A snapshot without its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotRow {
    pub seq: u64,
    pub parts: u32,
    pub records: u32,
    pub bytes: u32,
}

/// What all rooms come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub rooms: u64,
    pub members: u64,
    pub strokes: u64,
    pub used_bytes: u64,
}

/// A part of a list, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
}

/// A place in a list of rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) updated_at: u64,
    pub(super) room: i64,
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor of ours")]
pub struct NotACursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.updated_at, self.room)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (updated_at, room) = text.split_once('-').ok_or(NotACursor)?;
        Ok(Self {
            updated_at: u64::from_str_radix(updated_at, 16).map_err(|_| NotACursor)?,
            room: i64::from_str_radix(room, 16).map_err(|_| NotACursor)?,
        })
    }
}
