//! One room, live: everybody's operations in one order, durable before anybody sees them.
//!
//! ```text
//!  socket ─▶ channel (bounded) ─▶ writer ─▶ store ─▶ SharedFlow ─▶ socket, socket, …
//!    ▲  back-pressure                 │ Ack                 a slow one reads the log instead
//!    └────────────────────────────────┘
//! ```
//!
//! One writer decides, gathers and commits; it owns what the room is and shares none of it. It never waits for a
//! connection: what is for one alone is merged in its mailbox, what is for all goes through the flow, and who points
//! where is conflated on the board. Read `live` for what they share, `writer` for the order of events, `decide` for
//! what an operation may do.

mod batch;
mod board;
mod crowd;
mod decide;
mod live;
mod mailbox;
mod writer;

pub(crate) use self::{
    board::Tick,
    live::{ConnectionId, Fan, Joined, Joining, Live, Message, Presence},
    mailbox::{Mail, Mailbox, State},
    writer::{Error, run},
};

/// What a room allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in one room.
    pub connections_max: usize,
    /// What a room may take up, unless its own row says otherwise.
    pub quota_bytes: u64,
}

/// Beyond the quota there is so much of it for what takes little and sets things right: undo, redo, clear and locks.
const RESERVE_SHARE: u64 = 16;
