//! What went wrong, as clients are told: the codes of `PROTOCOL.md`.

use serde::Serialize;

/// How long to wait before coming back, where that makes sense.
const COME_BACK_MS: u32 = 1_000;
const COME_BACK_LATER_MS: u32 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    Version,
    Malformed,
    Forbidden,
    NoEntry,
    Banned,
    Kicked,
    Full,
    Gap,
    Replaced,
    TooSlow,
    GoingAway,
    RoomDeleted,
    Internal,
    StrokeGone,
    StrokeEnded,
    StrokeTooLong,
    LayerLocked,
    OutOfBounds,
    NothingToDo,
}

impl Code {
    pub fn number(self) -> u16 {
        match self {
            Self::Version => 1,
            Self::Malformed => 2,
            Self::Forbidden => 3,
            Self::NoEntry => 4,
            Self::Banned => 5,
            Self::Kicked => 6,
            Self::Full => 7,
            Self::Gap => 8,
            Self::Replaced => 9,
            Self::TooSlow => 10,
            Self::GoingAway => 11,
            Self::RoomDeleted => 12,
            Self::Internal => 13,
            Self::StrokeGone => 20,
            Self::StrokeEnded => 21,
            Self::StrokeTooLong => 22,
            Self::LayerLocked => 23,
            Self::OutOfBounds => 24,
            Self::NothingToDo => 25,
        }
    }

    /// The word of the document, for labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Malformed => "malformed",
            Self::Forbidden => "forbidden",
            Self::NoEntry => "no_entry",
            Self::Banned => "banned",
            Self::Kicked => "kicked",
            Self::Full => "full",
            Self::Gap => "gap",
            Self::Replaced => "replaced",
            Self::TooSlow => "too_slow",
            Self::GoingAway => "going_away",
            Self::RoomDeleted => "room_deleted",
            Self::Internal => "internal",
            Self::StrokeGone => "stroke_gone",
            Self::StrokeEnded => "stroke_ended",
            Self::StrokeTooLong => "stroke_too_long",
            Self::LayerLocked => "layer_locked",
            Self::OutOfBounds => "out_of_bounds",
            Self::NothingToDo => "nothing_to_do",
        }
    }

    /// Whether the connection ends with it.
    pub fn is_fatal(self) -> bool {
        self != Self::Forbidden && self.number() < 20
    }

    /// When to come back; 0: not by oneself.
    pub fn retry_ms(self) -> u32 {
        match self {
            Self::Gap | Self::TooSlow | Self::GoingAway | Self::Internal => COME_BACK_MS,
            Self::Full => COME_BACK_LATER_MS,
            _ => 0,
        }
    }

    /// What people are told, where nothing more precise is known.
    pub fn text(self) -> &'static str {
        match self {
            Self::Version => "This server speaks another version of the protocol.",
            Self::Malformed => "The server did not understand this page.",
            Self::Forbidden => "Your role does not allow this.",
            Self::NoEntry => "There is no such room, or the link does not open it.",
            Self::Banned => "You have been banned from this room.",
            Self::Kicked => "You have been sent out of this room.",
            Self::Full => "The room is full.",
            Self::Gap => "Some strokes did not arrive in order.",
            Self::Replaced => "You are in this room in another tab.",
            Self::TooSlow => "The connection was too slow.",
            Self::GoingAway => "The server is stopping.",
            Self::RoomDeleted => "The room has been deleted.",
            Self::Internal => "The room failed and starts again.",
            Self::StrokeGone => "The stroke is gone.",
            Self::StrokeEnded => "The stroke has ended.",
            Self::StrokeTooLong => "The stroke is too long.",
            Self::LayerLocked => "The layer is locked.",
            Self::OutOfBounds => "There is nothing there to draw on.",
            Self::NothingToDo => "There is nothing to do.",
        }
    }
}

/// Why a room takes no strokes for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadOnly {
    /// It has used up its quota.
    Quota,
    /// The disk is full.
    Disk,
    /// The store cannot write, whatever the cause.
    Store,
    /// The server is stopping.
    Closing,
}

impl ReadOnly {
    pub fn code(self) -> u8 {
        match self {
            Self::Quota => 1,
            Self::Disk => 2,
            Self::Store => 3,
            Self::Closing => 4,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Quota => "The room is full up: its owner can forget its history to make room.",
            Self::Disk => "The server's disk is full. What you draw is kept here until there is room.",
            Self::Store => "The server cannot write at the moment. What you draw is kept here until it can.",
            Self::Closing => "The server is stopping. What you draw is kept here until it is back.",
        }
    }
}
