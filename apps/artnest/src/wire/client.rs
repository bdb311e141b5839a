//! Frames from the client.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    CLIENT_FRAME_BYTES_MAX, NAME_BYTES_MAX, OPS_MAX, TOKEN_BYTES_MAX, VERSION,
    op::{Op, OpIter, read_bool},
    reader::{Malformed, Reader},
    writer::Build,
};
use crate::model::Role;

const JOIN: u8 = 0x01;
const OPS: u8 = 0x02;
const CURSOR: u8 = 0x03;
const RENAME: u8 = 0x04;
const SET_ROLE: u8 = 0x05;
const KICK: u8 = 0x06;
const PING: u8 = 0x07;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    Join(Join),
    /// A Join of another version, whose fields nobody here knows.
    OtherVersion(u16),
    Ops(Ops),
    Cursor {
        x: i32,
        y: i32,
        state: u8,
    },
    Rename {
        name: String,
    },
    SetRole {
        member: u32,
        role: Role,
    },
    Kick {
        member: u32,
        ban: bool,
    },
    Ping(u64),
}

/// The first frame of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// Who comes: a secret of the client's own.
    pub key: [u8; 16],
    /// The log that the client has a part of, or 0.
    pub log_id: u64,
    /// Up to where it has it.
    pub seq: u64,
    /// From the invite link; empty for a public room.
    pub token: String,
    pub name: String,
}

/// Operations with consecutive numbers, known to be well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ops {
    /// The number of the first.
    pub first: u32,
    count: u16,
    bytes: Bytes,
}

impl Ops {
    pub fn len(&self) -> u16 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each operation with its number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Op<'_>)> {
        // Their form was checked when the frame was read.
        (self.first..).zip(OpIter::new(&self.bytes).map_while(Result::ok))
    }

    fn read(frame: &Bytes, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (first, count) = (reader.u32()?, reader.u16()?);
        if !(1..=OPS_MAX).contains(&count) {
            return Err(Malformed("a frame has no operation, or too many"));
        }
        if first == 0 || first.checked_add(count.into()).is_none() {
            return Err(Malformed("operations are numbered from 1 up"));
        }
        let start = frame.len() - reader.rest().len();
        for _ in 0..count {
            Op::read(reader)?;
        }
        let end = frame.len() - reader.rest().len();
        Ok(Self { first, count, bytes: frame.slice(start..end) })
    }
}

impl ClientFrame {
    /// Reads one frame; allocates only for names and the token.
    ///
    /// # Errors
    ///
    /// When it breaks the form of the protocol.
    pub fn read(frame: &Bytes) -> Result<Self, Malformed> {
        if frame.len() > CLIENT_FRAME_BYTES_MAX {
            return Err(Malformed("the frame is too long"));
        }
        let mut reader = Reader::new(frame);
        let read = match reader.u8()? {
            JOIN => match reader.u16()? {
                VERSION => Self::Join(read_join(&mut reader)?),
                other => return Ok(Self::OtherVersion(other)),
            },
            OPS => Self::Ops(Ops::read(frame, &mut reader)?),
            CURSOR => Self::Cursor { x: reader.i32()?, y: reader.i32()?, state: reader.u8()? },
            RENAME => Self::Rename { name: reader.text(NAME_BYTES_MAX)?.to_owned() },
            SET_ROLE => Self::SetRole { member: reader.u32()?, role: read_role(&mut reader)? },
            KICK => Self::Kick { member: reader.u32()?, ban: read_bool(&mut reader)? },
            PING => Self::Ping(reader.u64()?),
            _ => return Err(Malformed("there is no such frame")),
        };
        reader.end()?;
        Ok(read)
    }

    /// Its bytes; what a client needs.
    pub fn encode(&self) -> Bytes {
        let mut frame = BytesMut::new();
        match self {
            Self::Join(join) => put_join(&mut frame, join),
            Self::OtherVersion(version) => {
                frame.put_u8(JOIN);
                frame.put_u16_le(*version);
            }
            Self::Ops(ops) => {
                put_ops_head(&mut frame, ops.first, ops.count);
                frame.put_slice(&ops.bytes);
            }
            Self::Cursor { x, y, state } => {
                frame.put_u8(CURSOR);
                frame.put_position(*x, *y);
                frame.put_u8(*state);
            }
            Self::Rename { name } => {
                frame.put_u8(RENAME);
                frame.put_text(name);
            }
            Self::SetRole { member, role } => {
                frame.put_u8(SET_ROLE);
                frame.put_u32_le(*member);
                frame.put_u8(role.code());
            }
            Self::Kick { member, ban } => {
                frame.put_u8(KICK);
                frame.put_u32_le(*member);
                frame.put_u8((*ban).into());
            }
            Self::Ping(nonce) => {
                frame.put_u8(PING);
                frame.put_u64_le(*nonce);
            }
        }
        frame.freeze()
    }

    /// A frame of operations.
    pub fn ops<'a>(first: u32, ops: impl IntoIterator<Item = Op<'a>>) -> Self {
        let (mut bytes, mut count) = (BytesMut::new(), 0);
        for op in ops {
            op.put(&mut bytes);
            count += 1;
        }
        Self::Ops(Ops { first, count, bytes: bytes.freeze() })
    }
}

fn read_join(reader: &mut Reader<'_>) -> Result<Join, Malformed> {
    Ok(Join {
        key: reader.key()?,
        log_id: reader.u64()?,
        seq: reader.u64()?,
        token: reader.text(TOKEN_BYTES_MAX)?.to_owned(),
        name: reader.text(NAME_BYTES_MAX)?.to_owned(),
    })
}

fn read_role(reader: &mut Reader<'_>) -> Result<Role, Malformed> {
    Role::from_code(reader.u8()?).ok_or(Malformed("there is no such role"))
}

fn put_join(frame: &mut BytesMut, join: &Join) {
    frame.put_u8(JOIN);
    frame.put_u16_le(VERSION);
    frame.put_slice(&join.key);
    frame.put_u64_le(join.log_id);
    frame.put_u64_le(join.seq);
    frame.put_text(&join.token);
    frame.put_text(&join.name);
}

fn put_ops_head(frame: &mut BytesMut, first: u32, count: u16) {
    frame.put_u8(OPS);
    frame.put_u32_le(first);
    frame.put_u16_le(count);
}
