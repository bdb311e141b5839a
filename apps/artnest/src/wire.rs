//! The bytes of the protocol, as `PROTOCOL.md` has them: frames, operations and records, and nothing of what they mean.
//!
//! Every reader checks a length before it trusts it, and allocates for nothing that is not there: operations are views
//! into the frame that carried them. What breaks the form is [`Malformed`] and ends its connection; whether a stroke
//! may be drawn is decided in `canvas`. Read `op` for the operations, then `client` and `server` for the frames.

mod client;
mod op;
mod points;
mod reader;
mod server;
mod writer;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod noise;

pub use client::{ClientFrame, Join, Ops};
pub use op::{ENDS, Op, OpIter, Record, RecordIter, Tool, put_record};
pub use points::{Point, Points, PointsWriter};
pub use reader::{Malformed, Reader};
pub use server::{Cursor, Frames, LogFrame, Pointing, RosterEntry, ServerFrame, Welcome};
pub use writer::{Build, FRAME_COUNT_MAX};

/// The version that is spoken here.
pub const VERSION: u16 = 1;
/// The WebSocket subprotocol, which carries the version too, so that a proxy's log shows it.
pub const SUBPROTOCOL: &str = "artnest.1";

/// The longest frame that a client may send.
pub const CLIENT_FRAME_BYTES_MAX: usize = 32 * 1024;
/// The longest frame that the server sends.
pub const SERVER_FRAME_BYTES_MAX: usize = 320 * 1024;
/// What the records of one `Log` frame, and those of one part of a snapshot before it is packed, may take.
pub const RECORDS_BYTES_MAX: usize = 256 * 1024;
/// Operations in one frame.
pub const OPS_MAX: u16 = 256;
/// Points in one operation.
pub const POINTS_MAX: u16 = 1_024;
/// Points in one stroke.
pub const STROKE_POINTS_MAX: u32 = 100_000;
/// Layers of a drawing.
pub const LAYERS: u8 = 3;
/// In `Clear`: every layer.
pub const ALL_LAYERS: u8 = 255;
/// The greatest brush, in sixteenths of a unit.
pub const SIZE_MAX: u16 = 16_384;
/// How far a position may be from the origin, in sixteenths of a unit.
pub const POSITION_MAX: i32 = 524_288;
/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest saying, in bytes.
pub const SAYING_BYTES_MAX: usize = 1_000;
/// The longest token that is read; a real one has 22 characters.
pub const TOKEN_BYTES_MAX: usize = 64;
/// Steps in a unit of the sheet.
pub const STEPS_PER_UNIT: u16 = 16;
