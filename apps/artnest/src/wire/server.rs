//! Frames from the server.
//!
//! The frames that go to many are built once, as [`Bytes`] that all of them share. A `Log` frame is a head before the
//! records exactly as the store has them, so that catching up copies and does not translate.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    NAME_BYTES_MAX, POINTS_MAX, STROKE_POINTS_MAX, VERSION,
    op::RecordIter,
    reader::{Malformed, Reader},
    writer::{Build, FRAME_COUNT_MAX},
};
use crate::model::{Code, ReadOnly, Role};

const WELCOME: u8 = 0x81;
const ROSTER: u8 = 0x82;
const SNAPSHOT_BEGIN: u8 = 0x83;
const SNAPSHOT_PART: u8 = 0x84;
const LOG: u8 = 0x85;
const ACK: u8 = 0x86;
const REFUSED: u8 = 0x87;
const HELD: u8 = 0x88;
const ROOM_STATE: u8 = 0x89;
const CURSORS: u8 = 0x8a;
const PONG: u8 = 0x8b;
const ERROR: u8 = 0x8c;

/// Texts that the server writes.
const TEXT_BYTES_MAX: usize = 1_024;

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    Welcome(Welcome),
    Roster {
        replace: bool,
        entries: Vec<RosterEntry>,
    },
    SnapshotBegin {
        seq: u64,
        parts: u32,
        records: u32,
        bytes: u32,
    },
    /// The records are still packed.
    SnapshotPart {
        index: u32,
        packed: Bytes,
    },
    Log(LogFrame),
    Ack {
        number: u32,
        seq: u64,
    },
    Refused {
        number: u32,
        code: u16,
        text: String,
    },
    Held {
        number: u32,
        reason: u8,
    },
    RoomState {
        reason: u8,
        used: u64,
        quota: u64,
        text: String,
    },
    Cursors {
        replace: bool,
        entries: Vec<Cursor>,
    },
    Pong {
        nonce: u64,
        now: u64,
    },
    Error {
        code: u16,
        fatal: bool,
        retry_ms: u32,
        text: String,
    },
}

/// The answer to a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    pub member: u32,
    pub role: Role,
    pub log_id: u64,
    /// Up to where the room is durable now.
    pub seq: u64,
    /// Up to where this member's operations are decided.
    pub last_op: u32,
    /// Whether the log goes on after the client's own seq.
    pub resumes: bool,
    pub now: u64,
    pub width: u16,
    pub height: u16,
    pub room: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterEntry {
    pub member: u32,
    pub here: bool,
    pub role: Role,
    pub name: String,
}

/// Where a member points, and whether they draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub member: u32,
    pub x: i32,
    pub y: i32,
    pub pointing: Pointing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pointing {
    #[default]
    Away,
    Over,
    Drawing,
}

impl Pointing {
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Away),
            1 => Some(Self::Over),
            2 => Some(Self::Drawing),
            _ => None,
        }
    }

    pub fn code(self) -> u8 {
        match self {
            Self::Away => 0,
            Self::Over => 1,
            Self::Drawing => 2,
        }
    }
}

/// Records that became durable together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFrame {
    /// The seq of the first record.
    pub first: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    pub count: u16,
    /// The records, as the store has them.
    pub records: Bytes,
}

impl LogFrame {
    /// The seq of the last record.
    pub fn last(&self) -> u64 {
        (self.first + u64::from(self.count)).saturating_sub(1)
    }

    /// Each record.
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter::new(&self.records)
    }
}

/// Builds the frames; named after them.
#[derive(Debug)]
pub enum Frames {}

impl Frames {
    pub fn welcome(welcome: &Welcome) -> Bytes {
        let mut frame = BytesMut::with_capacity(128);
        frame.put_u8(WELCOME);
        frame.put_u16_le(VERSION);
        frame.put_u32_le(welcome.member);
        frame.put_u8(welcome.role.code());
        frame.put_u64_le(welcome.log_id);
        frame.put_u64_le(welcome.seq);
        frame.put_u32_le(welcome.last_op);
        frame.put_u8(welcome.resumes.into());
        frame.put_u64_le(welcome.now);
        frame.put_u16_le(welcome.width);
        frame.put_u16_le(welcome.height);
        frame.put_u16_le(POINTS_MAX);
        frame.put_u32_le(STROKE_POINTS_MAX);
        frame.put_u32_le(u32::try_from(super::CLIENT_FRAME_BYTES_MAX).unwrap_or(u32::MAX));
        frame.put_text(&welcome.room);
        frame.put_text(&welcome.name);
        frame.freeze()
    }

    pub fn roster<'a>(replace: bool, entries: impl ExactSizeIterator<Item = &'a RosterEntry>) -> Bytes {
        let mut frame = counted(ROSTER, replace, entries.len(), 32);
        for entry in entries.take(FRAME_COUNT_MAX) {
            frame.put_u32_le(entry.member);
            frame.put_u8(entry.here.into());
            frame.put_u8(entry.role.code());
            frame.put_text(&entry.name);
        }
        frame.freeze()
    }

    pub fn cursors<'a>(replace: bool, entries: impl ExactSizeIterator<Item = &'a Cursor>) -> Bytes {
        let mut frame = counted(CURSORS, replace, entries.len(), 13);
        for cursor in entries.take(FRAME_COUNT_MAX) {
            frame.put_u32_le(cursor.member);
            frame.put_position(cursor.x, cursor.y);
            frame.put_u8(cursor.pointing.code());
        }
        frame.freeze()
    }

    pub fn snapshot_begin(seq: u64, parts: u32, records: u32, bytes: u32) -> Bytes {
        let mut frame = BytesMut::with_capacity(21);
        frame.put_u8(SNAPSHOT_BEGIN);
        frame.put_u64_le(seq);
        frame.put_u32_le(parts);
        frame.put_u32_le(records);
        frame.put_u32_le(bytes);
        frame.freeze()
    }

    pub fn snapshot_part(index: u32, packed: &[u8]) -> Bytes {
        let mut frame = BytesMut::with_capacity(5 + packed.len());
        frame.put_u8(SNAPSHOT_PART);
        frame.put_u32_le(index);
        frame.put_slice(packed);
        frame.freeze()
    }

    pub fn log(first: u64, at: u64, count: u16, records: &[u8]) -> Bytes {
        let mut frame = BytesMut::with_capacity(19 + records.len());
        frame.put_u8(LOG);
        frame.put_u64_le(first);
        frame.put_u64_le(at);
        frame.put_u16_le(count);
        frame.put_slice(records);
        frame.freeze()
    }

    pub fn ack(number: u32, seq: u64) -> Bytes {
        let mut frame = BytesMut::with_capacity(13);
        frame.put_u8(ACK);
        frame.put_u32_le(number);
        frame.put_u64_le(seq);
        frame.freeze()
    }

    pub fn refused(number: u32, code: Code, text: &str) -> Bytes {
        let mut frame = BytesMut::with_capacity(9 + text.len());
        frame.put_u8(REFUSED);
        frame.put_u32_le(number);
        frame.put_u16_le(code.number());
        frame.put_text(text);
        frame.freeze()
    }

    pub fn held(number: u32, reason: ReadOnly) -> Bytes {
        let mut frame = BytesMut::with_capacity(6);
        frame.put_u8(HELD);
        frame.put_u32_le(number);
        frame.put_u8(reason.code());
        frame.freeze()
    }

    pub fn room_state(reason: Option<ReadOnly>, used: u64, quota: u64) -> Bytes {
        let text = reason.map_or("", ReadOnly::text);
        let mut frame = BytesMut::with_capacity(20 + text.len());
        frame.put_u8(ROOM_STATE);
        frame.put_u8(reason.map_or(0, ReadOnly::code));
        frame.put_u64_le(used);
        frame.put_u64_le(quota);
        frame.put_text(text);
        frame.freeze()
    }

    pub fn pong(nonce: u64, now: u64) -> Bytes {
        let mut frame = BytesMut::with_capacity(17);
        frame.put_u8(PONG);
        frame.put_u64_le(nonce);
        frame.put_u64_le(now);
        frame.freeze()
    }

    pub fn error(code: Code, text: &str) -> Bytes {
        let mut frame = BytesMut::with_capacity(10 + text.len());
        frame.put_u8(ERROR);
        frame.put_u16_le(code.number());
        frame.put_u8(code.is_fatal().into());
        frame.put_u32_le(code.retry_ms());
        frame.put_text(text);
        frame.freeze()
    }
}

fn counted(kind: u8, replace: bool, entries: usize, entry_bytes: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(4 + entries * entry_bytes);
    frame.put_u8(kind);
    frame.put_u8(replace.into());
    frame.put_u16_le(u16::try_from(entries).unwrap_or(u16::MAX));
    frame
}

impl ServerFrame {
    /// Reads one frame; what a client needs.
    ///
    /// # Errors
    ///
    /// When it breaks the form of the protocol.
    pub fn read(frame: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(frame);
        let read = match reader.u8()? {
            WELCOME => Self::Welcome(read_welcome(&mut reader)?),
            ROSTER => Self::Roster { replace: reader.u8()? == 1, entries: many(&mut reader, roster_entry)? },
            SNAPSHOT_BEGIN => Self::SnapshotBegin {
                seq: reader.u64()?,
                parts: reader.u32()?,
                records: reader.u32()?,
                bytes: reader.u32()?,
            },
            SNAPSHOT_PART => {
                let index = reader.u32()?;
                return Ok(Self::SnapshotPart { index, packed: frame.slice_ref(reader.rest()) });
            }
            LOG => return read_log(frame, reader).map(Self::Log),
            ACK => Self::Ack { number: reader.u32()?, seq: reader.u64()? },
            REFUSED => Self::Refused { number: reader.u32()?, code: reader.u16()?, text: text(&mut reader)? },
            HELD => Self::Held { number: reader.u32()?, reason: reader.u8()? },
            ROOM_STATE => Self::RoomState {
                reason: reader.u8()?,
                used: reader.u64()?,
                quota: reader.u64()?,
                text: text(&mut reader)?,
            },
            CURSORS => Self::Cursors { replace: reader.u8()? == 1, entries: many(&mut reader, cursor)? },
            PONG => Self::Pong { nonce: reader.u64()?, now: reader.u64()? },
            ERROR => Self::Error {
                code: reader.u16()?,
                fatal: reader.u8()? == 1,
                retry_ms: reader.u32()?,
                text: text(&mut reader)?,
            },
            _ => return Err(Malformed("there is no such frame")),
        };
        reader.end()?;
        Ok(read)
    }
}

fn read_welcome(reader: &mut Reader<'_>) -> Result<Welcome, Malformed> {
    if reader.u16()? != VERSION {
        return Err(Malformed("the server speaks another version"));
    }
    let (member, role) = (reader.u32()?, read_role(reader)?);
    let (log_id, seq, last_op) = (reader.u64()?, reader.u64()?, reader.u32()?);
    let (resumes, now) = (reader.u8()? == 1, reader.u64()?);
    let (width, height) = (reader.u16()?, reader.u16()?);
    let (_points_max, _stroke_points_max, _frame_bytes_max) = (reader.u16()?, reader.u32()?, reader.u32()?);
    let (room, name) = (text(reader)?, text(reader)?);
    Ok(Welcome { member, role, log_id, seq, last_op, resumes, now, width, height, room, name })
}

fn read_log(frame: &Bytes, mut reader: Reader<'_>) -> Result<LogFrame, Malformed> {
    let (first, at, count) = (reader.u64()?, reader.u64()?, reader.u16()?);
    let log = LogFrame { first, at, count, records: frame.slice_ref(reader.rest()) };
    let mut found = 0_usize;
    for record in log.iter() {
        record?;
        found += 1;
    }
    if found == usize::from(count) {
        Ok(log)
    } else {
        Err(Malformed("the records are not as many as it says"))
    }
}

fn many<T>(
    reader: &mut Reader<'_>,
    one: impl Fn(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = reader.u16()?;
    (0..count).map(|_| one(reader)).collect()
}

fn roster_entry(reader: &mut Reader<'_>) -> Result<RosterEntry, Malformed> {
    let (member, here, role) = (reader.u32()?, reader.u8()? == 1, read_role(reader)?);
    Ok(RosterEntry { member, here, role, name: reader.text(NAME_BYTES_MAX)?.to_owned() })
}

fn cursor(reader: &mut Reader<'_>) -> Result<Cursor, Malformed> {
    let (member, x, y) = (reader.u32()?, reader.i32()?, reader.i32()?);
    let pointing =
        Pointing::from_code(reader.u8()?).ok_or(Malformed("there is no such state of a cursor"))?;
    Ok(Cursor { member, x, y, pointing })
}

fn read_role(reader: &mut Reader<'_>) -> Result<Role, Malformed> {
    Role::from_code(reader.u8()?).ok_or(Malformed("there is no such role"))
}

fn text(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    reader.text(TEXT_BYTES_MAX).map(str::to_owned)
}
